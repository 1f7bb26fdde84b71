"""Classes that break one promise each are found out, and those that break none are not."""

import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from refseg.models.backbones import SmallBackbone
from refseg.models.contracts import (
    check_backbone,
    check_decoder,
    check_fusion,
    check_network,
    check_text_encoder,
)
from refseg.models.contracts.__main__ import main
from refseg.models.contracts.samples import VOCAB_SIZE
from refseg.models.decoders import BilinearDecoder
from refseg.models.fusion import ConcatFusion, FilmFusion, LanguageAwareFusion
from refseg.models.segmenter import Segmenter
from refseg.models.text_encoders import LSTMEncoder
from refseg.types import Batch, Maps, Output, TextFeatures

from ..toys import EarlyToy, QueryToy

SMALL = partial(SmallBackbone, width=8, image_dim=12, colour_dim=4)
LSTM = partial(LSTMEncoder, embedding_dim=8, hidden_dim=6)


class Attends(ConcatFusion):
    """Takes the mean over all words, padding too."""

    def forward(self, maps: Maps, text: TextFeatures, image_index: Tensor) -> Maps:
        sentence = text.sentence + text.words.mean((1, 2))[:, None]
        return super().forward(maps, replace(text, sentence=sentence), image_index)


class Mixes(ConcatFusion):
    """Each expression hears the others."""

    def forward(self, maps: Maps, text: TextFeatures, image_index: Tensor) -> Maps:
        sentence = text.sentence + text.sentence.mean(0)
        return super().forward(maps, replace(text, sentence=sentence), image_index)


class Idle(FilmFusion):
    """Has a weight that it does not use."""

    def __init__(self, dims: tuple[int, ...], word_dim: int, sentence_dim: int) -> None:
        super().__init__(dims, word_dim, sentence_dim, hidden_dim=6)
        self.idle = nn.Linear(2, 2)


class Deaf(EarlyToy):
    """Speaks early, of nothing that was said."""

    def at_stage(self, stage: int, seen: Tensor, text: TextFeatures) -> tuple[Tensor, Tensor]:
        nothing = replace(text, sentence=torch.ones_like(text.sentence))
        return super().at_stage(stage, seen, nothing)


class Half(BilinearDecoder):
    """Gives its logits in the precision of the weights."""

    def forward(self, fused: Maps, text: TextFeatures, size: tuple[int, int]) -> Output:
        output = super().forward(fused, text, size)
        return replace(output, logits=output.logits.to(self.classifier.weight.dtype))


class Silent(QueryToy):
    """Does not say that it listens."""

    listens = False


class Padded(LSTMEncoder):
    """Reads padding."""

    def forward(self, tokens: Tensor, token_mask: Tensor) -> TextFeatures:
        text = super().forward(tokens, torch.ones_like(token_mask))
        return replace(text, token_mask=token_mask)


class Strided(SmallBackbone):
    """Says that its cells are larger than they are."""

    def __init__(self) -> None:
        super().__init__(width=8, image_dim=12, colour_dim=4)
        self.strides = (8,)


class Loud(Segmenter):
    """Its logits depend on the batch."""

    def answer(self, seen: Maps, batch: Batch, image_index: Tensor) -> Output:
        output = super().answer(seen, batch, image_index)
        return replace(output, logits=output.logits * len(image_index))


def test_parts_of_refseg_keep_their_promises() -> None:
    check_backbone(SMALL)
    check_text_encoder(LSTM)
    check_fusion(partial(FilmFusion, hidden_dim=6))
    check_fusion(partial(EarlyToy, stage_dims={1: 8, 2: 16}))
    check_fusion(partial(LanguageAwareFusion, stages=[1], heads=2), backbone=SMALL)
    check_decoder(QueryToy)
    check_network(lambda: Segmenter(SMALL, LSTM, ConcatFusion, BilinearDecoder, VOCAB_SIZE))


@pytest.mark.parametrize(
    ("check", "make", "message"),
    [
        (check_fusion, partial(Attends, hidden_dim=6), "Attends breaks .*- padding changes"),
        (check_fusion, partial(Mixes, hidden_dim=6), "- expressions do not touch each other"),
        (check_fusion, Idle, "no gradient reaches idle.weight, idle.bias"),
        (check_fusion, partial(Deaf, stage_dims={1: 8}), "A network with Deaf .* same logits"),
        (check_decoder, Half, "A network with Half .* in bf16-true, got torch.bfloat16"),
        (check_decoder, Silent, "hears the text says so: .* set `listens = True` in the class"),
        (check_text_encoder, partial(Padded, 8, 6), "Padded breaks"),
        (check_backbone, Strided, r"`dims` and `strides` promise maps of .*8, 12.*, got .*16, 24"),
        (
            check_network,
            lambda: Loud(SMALL, LSTM, ConcatFusion, BilinearDecoder, VOCAB_SIZE),
            "Loud breaks .*- a batch of two equals two batches of one",
        ),
    ],
)
def test_a_broken_promise_is_named(check: object, make: object, message: str) -> None:
    with pytest.raises(AssertionError, match=f"(?s){message}"):
        check(make)  # type: ignore[operator]  # one of the five


def test_the_command_checks_classes_by_their_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = Path(__file__).parents[2] / "cli" / "own_package.py"
    shutil.copy(own, tmp_path / "package_for_contracts.py")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    fusion = "package_for_contracts.MyFusion: {hidden_dim: 6}"
    assert main(["--fusion", fusion]) == 0
    assert f"{fusion} keeps all promises" in capsys.readouterr().out
    decoder = "package_for_contracts.MyDecoder"
    assert main(["--decoder", decoder, "--backbone", "SmallBackbone: {width: 8}"]) == 1
    assert "A network with MyDecoder breaks 4 of 10 promises" in capsys.readouterr().out
    for path, message in {
        "no_such_package.Mine": "Cannot import 'no_such_package'",
        "package_for_contracts.Mine": "There is no class 'Mine' in package_for_contracts",
        "Mine": "There is no class 'Mine' in refseg.models.backbones",
        "FilmFusion: 3": "Expected arguments by their names after FilmFusion:",
    }.items():
        assert main(["--fusion", path]) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([])
    assert "name a class with --backbone" in capsys.readouterr().err
