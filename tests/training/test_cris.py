"""CRIS from a file of CLIP's weights to masks: features on disk, training, going on, evaluation."""

from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
import yaml

import refseg
from refseg.__main__ import main
from refseg.checkpoint import read_checkpoint
from refseg.geometry import Geometry
from refseg.losses import GridLoss, WeightedLogisticLoss
from refseg.models.backbones import ClipResNet
from refseg.models.decoders import TextKernelDecoder
from refseg.models.fusion import CrossModalTransformer
from refseg.models.original.cris_shapes import CrisSizes, cris_patterns
from refseg.models.segmenter import Segmenter
from refseg.models.text_encoders import ClipTextEncoder
from refseg.types import Batch, RunLengths

from ..cli.configs.modern.system import write_tokenizer
from ..conftest import TINY_DATA

pytest.importorskip("transformers")
pytestmark = pytest.mark.usefixtures("one_thread")
VISUAL = {"layers": [1, 1, 1, 1], "width": 4, "heads": 2, "embed_dim": 12, "input_resolution": 64}
TEXT = {"width": 16, "layers": 1, "projection_dim": 12, "positions": 24}
PIECES = 60


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CLIP's weights, both towers in one file as they are published, beside its tokenizer."""
    folder = tmp_path_factory.mktemp("clip")
    fusion = dict.fromkeys(("hidden_dim", "fine_dim", "coarse_dim", "layers", "feedforward_dim"), 1)
    sizes = CrisSizes({**VISUAL}, TEXT, fusion, 1, PIECES)
    generator = torch.Generator().manual_seed(0)
    weights = {
        name.removeprefix("backbone."): torch.rand(shape, generator=generator) / 5 + 0.1
        if len(shape) == 1
        else torch.randn(shape, generator=generator) / 5
        for name, shape in cris_patterns(sizes).items()
        if name.startswith("backbone.") and "connect" not in name
    }
    torch.save(weights, folder / "clip.pt")
    write_tokenizer(folder / "tokenizer", PIECES)
    return folder


@pytest.fixture(scope="module")
def words(clip: Path, shapes_root: Path) -> list[str]:
    """The options of a small CRIS on the built-in set, CLIP's image side as it is."""
    fusion = {"hidden_dim": 8, "heads": 2, "layers": 1}
    weights = str(clip / "clip.pt")
    tokenizer = {"name": str(clip / "tokenizer"), "max_words": 17}
    parts = {
        "backbone": ("ClipResNet", {**VISUAL, "weights": weights, "frozen": True}),
        "text_encoder": ("ClipTextEncoder", {**TEXT, "heads": 2, "weights": weights}),
        "fusion": ("CrossModalTransformer", fusion),
        "decoder": ("TextKernelDecoder", {}),
        "loss": ("GridLoss", {"loss": {"class_path": "WeightedLogisticLoss"}}),
    }
    model: dict[str, object] = {
        part: {"class_path": name, "init_args": arguments}
        for part, (name, arguments) in parts.items()
    }
    model |= {"name_words": False}
    data = {"tokenizer": {"class_path": "TransformersTokenizer", "init_args": tokenizer}}
    data |= {"augmentation": None, "expressions_per_image": "all"}
    (clip / "cris.yaml").write_text(yaml.safe_dump({"model": model, "data": data}))
    configs = ["--config", "rmi.yaml", "--config", str(clip / "cris.yaml")]
    return [*configs, *TINY_DATA, "--data.batch_size=2", "--trainer.callbacks=null"]


def test_from_weights_to_masks(
    words: list[str], clip: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, run = tmp_path / "store", tmp_path / "run"
    assert main(["data", "features", *words, "--output", str(store)]) == 0
    with monkeypatch.context() as patch:
        patch.delattr(ClipResNet, "stem")  # the frozen part is not computed again
        fit = ["fit", *words, f"--data.features={store}", "--output", str(run)]
        assert main(fit) == 0
    best = run / "checkpoints" / "best.ckpt"
    saved = read_checkpoint(best)
    assert saved["refseg"]["backbone_weights"]["name"] == "clip.pt"
    given = torch.load(clip / "clip.pt", weights_only=True)
    kept, learned = "trunk.conv1.weight", "trunk.embeddings.token_embedding.weight"
    state = saved["state_dict"]
    assert torch.equal(state[f"segmenter.backbone.{kept}"], given["visual.conv1.weight"])
    assert not torch.equal(
        state[f"segmenter.text_encoder.{learned}"], given["token_embedding.weight"]
    )

    (clip / "clip.pt").rename(clip / "away.pt")  # a checkpoint is complete without the file
    try:
        assert refseg.load(best).segment(photo, "the red box").mask.dtype == bool
        evaluate = ["test", "--checkpoint", str(best), "--data.test_splits=[val]"]
        assert main([*evaluate, "--output", str(tmp_path / "test")]) == 0
        assert pq.read_table(tmp_path / "test" / "results.parquet").num_rows > 10
    finally:
        (clip / "away.pt").rename(clip / "clip.pt")
    more = ["fit", "--ckpt_path", str(best), "--config", str(run / "config.yaml")]
    more += ["--trainer.max_epochs=2", "--trainer.limit_train_batches=1"]
    assert main([*more, "--output", str(tmp_path / "more")]) == 0


def squares() -> Batch:
    """Two pictures of two squares each, red and green at exchanged places, named by colour."""
    images = torch.full((2, 3, 64, 64), 60, dtype=torch.uint8)
    masks = torch.zeros(4, 64, 64, dtype=torch.bool)
    places = (slice(8, 32), slice(36, 60))
    for image in range(2):
        for colour in range(2):
            place = places[(image + colour) % 2]
            images[image, colour, place, place] = 200
            masks[2 * image + colour, place, place] = True
    tokens = torch.tensor([[17, 3, 19], [17, 4, 19]]).repeat(2, 1)
    return Batch(
        images,
        tokens,
        torch.ones_like(tokens, dtype=torch.bool),
        torch.arange(2).repeat_interleave(2),
        masks,
        ("",) * 4,
        tuple(range(4)),
        (RunLengths(64, 64, b""),) * 4,
        (Geometry.letterbox(64, 64, 64),) * 2,
        ("",) * 2,
    )


def test_it_learns_pictures_by_heart() -> None:
    """By CRIS's own loss; what is meant cannot be told from the picture alone."""
    torch.manual_seed(0)
    network = Segmenter(
        partial(ClipResNet, layers=(1, 1, 1, 1), width=8, heads=4, embed_dim=24),
        partial(ClipTextEncoder, width=32, layers=1, heads=2, projection_dim=24),
        partial(CrossModalTransformer, hidden_dim=32, heads=4, layers=1, dropout=0.0),
        TextKernelDecoder,
        vocab_size=20,
    )
    batch, loss = squares(), GridLoss(WeightedLogisticLoss())
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(100):
        optimizer.zero_grad()
        total = loss(network(batch), batch)
        total.backward()
        optimizer.step()
    assert total < 2e-3
    assert batch.masks is not None
    found = network.eval()(batch).logits > 0
    iou = (found & batch.masks).sum((1, 2)) / (found | batch.masks).sum((1, 2))
    assert iou.mean() > 0.7
