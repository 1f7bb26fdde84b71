"""From the original's variables to segmenters: what is refused, and what is the same."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from refseg.errors import ConfigError
from refseg.models.backbones import AtrousResNet, PrecomputedFeatures, VGG16FullyConvolutional
from refseg.models.original.backbones import resnet_patterns, unflattened, vgg_patterns
from refseg.models.original.kinds import Kind, translate
from refseg.models.original.pretrained import from_original
from refseg.models.original.variables import canonical, read_variables
from refseg.types import Batch

CELL = "multi_rnn_cell/cell_0/basic_lstm_cell"
V, E, H, M, P, C, F, D = 50, 5, 4, 3, 7, 2048, 6, 8


def make(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {name: generator.random(shape, np.float32) for name, shape in shapes.items()}


def rmi(*, deeplab: bool = False) -> dict[str, np.ndarray]:
    projection = "text_objseg/conv0" if deeplab else "ResNet/fc1000"
    return make(
        {
            f"{projection}/DW": (1, 1, C, P),
            f"{projection}/biases": (P,),
            "text_objseg/embedding": (V, E),
            f"text_objseg/RNN/WLSTM/{CELL}/kernel": (E + H, 4 * H),
            f"text_objseg/RNN/WLSTM/{CELL}/bias": (4 * H,),
            f"text_objseg/RNN/ALSTM/{CELL}/kernel": (P + E + H + 8 + M, 4 * M),
            f"text_objseg/RNN/ALSTM/{CELL}/bias": (4 * M,),
            "text_objseg/conv2/DW": (1, 1, M, 1),
            "text_objseg/conv2/biases": (1,),
        }
    )


def rmi_lstm() -> dict[str, np.ndarray]:
    variables = {name: value for name, value in rmi().items() if "LSTM" not in name}
    return variables | make(
        {
            f"text_objseg/RNN/{CELL}/kernel": (E + H, 4 * H),
            f"text_objseg/RNN/{CELL}/bias": (4 * H,),
            "text_objseg/conv1/DW": (1, 1, P + H + 8, M),
            "text_objseg/conv1/biases": (M,),
        }
    )


def lstm_cnn() -> dict[str, np.ndarray]:
    return make(
        {
            "word_embedding/embedding": (V, E),
            f"lstm_lang/rnn/{CELL}/kernel": (E + H, 4 * H),
            f"lstm_lang/rnn/{CELL}/bias": (4 * H,),
            "classifier/mlp_l1/weights": (1, 1, H + F + 8, M),
            "classifier/mlp_l1/biases": (M,),
            "classifier/mlp_l2/weights": (1, 1, M, 1),
            "classifier/mlp_l2/biases": (1,),
            "classifier/upsample32s/weights": (64, 64, 1, 1),
        }
    )


KINDS: list[tuple[Kind, Callable[[], dict[str, np.ndarray]]]] = [
    ("rmi", rmi),
    ("rmi_lstm", rmi_lstm),
    ("lstm_cnn", lstm_cnn),
]


@pytest.mark.parametrize(("kind", "variables"), KINDS)
def test_every_variable_is_needed_and_nothing_else(
    kind: Kind, variables: Callable[[], dict[str, np.ndarray]]
) -> None:
    whole = variables()
    from_original(kind, whole)
    for name in whole:
        if name == "classifier/upsample32s/weights":
            continue  # the low-resolution stage has none
        rest = {other: value for other, value in whole.items() if other != name}
        rest["text_objseg/more"] = np.zeros(1)
        with pytest.raises(ConfigError) as caught:
            from_original(kind, rest)
        assert f"1 missing: {name}; 1 not of this model: text_objseg/more" in str(caught.value)
        misshapen = whole | {name: np.zeros((*whole[name].shape, 2), np.float32)}
        with pytest.raises(ConfigError) as caught:
            from_original(kind, misshapen)
        assert f"misshapen: {name} (expected" in str(caught.value)


def test_variants_are_told_by_their_names() -> None:
    with pytest.raises(ConfigError, match=r"either ResNet/fc1000 .* got both"):
        from_original("rmi", rmi() | rmi(deeplab=True))
    neither = {name: value for name, value in rmi().items() if "fc1000" not in name}
    with pytest.raises(ConfigError, match="got neither"):
        from_original("rmi", neither)
    with pytest.raises(ConfigError, match=r"Unknown model 'cmsa'.*choose one of rmi, rmi_lstm"):
        translate("cmsa", rmi())


@pytest.mark.parametrize(("kind", "variables"), KINDS)
def test_without_backbone_there_are_features_only(
    kind: Kind, variables: Callable[[], dict[str, np.ndarray]], make_batch: Callable[..., Batch]
) -> None:
    segmenter = from_original(kind, variables())
    assert isinstance(segmenter.backbone, PrecomputedFeatures)
    assert segmenter.backbone.strides == (32 if kind == "lstm_cnn" else 8,)
    batch = make_batch()
    features = torch.randn(2, segmenter.backbone.dims[-1], 4, 5)
    arguments = (features, batch.tokens, batch.token_mask, batch.image_index)
    assert segmenter.from_features(*arguments).shape == (3, 4, 5)
    with pytest.raises(ConfigError, match="has no backbone"):
        segmenter(batch)


def shapes(patterns: dict[str, tuple[str | int, ...]]) -> dict[str, tuple[int, ...]]:
    return {name: tuple({"D": D, "F": F}.get(s, s) for s in p) for name, p in patterns.items()}  # type: ignore[arg-type,misc]


def test_the_whole_way_of_lstm_cnn(make_batch: Callable[..., Batch]) -> None:
    variables = lstm_cnn() | make(shapes(vgg_patterns()))
    for name in variables:
        if name.startswith("vgg_local/conv"):
            variables[name] = (variables[name] - 0.5) / 20
    segmenter = from_original("lstm_cnn", variables)
    assert isinstance(segmenter.backbone, VGG16FullyConvolutional)
    assert segmenter.backbone.chosen == "vgg_rgb"
    batch = make_batch(size=(64, 96))
    with torch.no_grad():
        logits = segmenter(batch).logits
        (features,) = segmenter.backbone(batch.images)
        cells = segmenter.from_features(features, batch.tokens, batch.token_mask, batch.image_index)
    assert logits.shape == (3, 64, 96)
    assert cells.shape == (3, 2, 3)
    # A tap of the filter on each cell's own pixel, and none elsewhere.
    taps = segmenter.decoder.upsampling.weight[0, 0]
    assert_close(logits[0, 0, 0], cells[0, 0, 0] * taps[16, 16])
    with pytest.raises(ConfigError, match="1 missing: vgg_local/fc6/biases"):
        from_original("lstm_cnn", {n: v for n, v in variables.items() if "fc6/biases" not in n})


@pytest.mark.parametrize("deeplab", [False, True])
def test_a_resnet_lacks_a_variable(deeplab: bool) -> None:
    prefix = "DeepLab" if deeplab else "ResNet"
    patterns = resnet_patterns(prefix)
    zeros: dict[str, Tensor] = {n: torch.zeros(s) for n, s in shapes(patterns).items()}
    del zeros[f"{prefix}/group_4_7/block_2/bn/mean"]
    zeros[f"{prefix}/group_3_1/block_1/conv/DW"] = torch.zeros(1, 1, 512, 127)
    with pytest.raises(ConfigError) as caught:
        translate("rmi", rmi(deeplab=deeplab) | zeros)
    told = str(caught.value)
    assert f"1 missing: {prefix}/group_4_7/block_2/bn/mean" in told
    assert "group_3_1/block_1/conv/DW (expected (1, 1, 512, 128), got (1, 1, 512, 127))" in told


def test_the_first_stage_is_what_the_second_starts_from() -> None:
    later = {name: torch.as_tensor(value) for name, value in lstm_cnn().items()}
    later |= {n: torch.as_tensor(v) for n, v in make(shapes(vgg_patterns())).items() if "fc" in n}
    flat = {
        name: value.flatten(0, 2) if value.ndim == 4 and "upsample" not in name else value
        for name, value in later.items()
    }
    assert flat["vgg_local/fc6/weights"].shape == (49 * 512, D)
    for name, value in unflattened(flat).items():
        assert torch.equal(value, later[name])


def test_factors_of_deeplab_divide_its_statistics(tmp_path: Path) -> None:
    blocks = (1, 1, 1, 1)
    variables = make(shapes(resnet_patterns("DeepLab", blocks)))
    np.savez(tmp_path / "variables.npz", **variables)  # type: ignore[arg-type]
    backbone = AtrousResNet(str(tmp_path / "variables.npz"), blocks=blocks)
    scope = "DeepLab/group_1/bn_conv1"
    for statistic, name in (("mean", "running_mean"), ("variance", "running_var")):
        expected = variables[f"{scope}/{statistic}"] / variables[f"{scope}/factor"]
        assert_close(backbone.state_dict()[f"trunk.2.{name}"], torch.from_numpy(expected))
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    again = AtrousResNet(blocks=blocks, **backbone.portable_arguments())
    again.load_state_dict(backbone.state_dict())


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "found none at"), (b"", "cannot be read"), (b"PK\x03\x04cut", "cannot be read")],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes | None, expected: str) -> None:
    path = tmp_path / "variables.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=expected) as caught:
        read_variables(path)
    assert str(path) in str(caught.value)


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "variables.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ConfigError, match="it is a single array"):
        read_variables(tmp_path / "variables.npz")


def test_objects_are_refused_and_not_executed(tmp_path: Path) -> None:
    path = tmp_path / "variables.npz"
    np.savez(path, variable=np.array([{"not": "numbers"}], dtype=object))
    with pytest.raises(ConfigError, match="cannot be read as an"):
        read_variables(path)
    with pytest.raises(ConfigError, match="array of numbers for the variable words, got ndarray"):
        canonical({"words": np.array(["a"])})


def test_state_of_training_is_ignored() -> None:
    noise = ["text_objseg/Variable", "beta1_power", "text_objseg/conv2/DW/Adam_1", "global_step"]
    noise += ["DeepLab/fc1_voc12/conv0/DW", "text_objseg/beta2_power_1", "a/b/Momentum:0"]
    assert canonical({name: np.zeros(1) for name in noise}) == {}


@pytest.mark.parametrize(
    "name",
    [
        "lstm_lang/RNN/MultiRNNCell/Cell0/BasicLSTMCell/Linear/Matrix",
        "lstm_lang/rnn/multi_rnn_cell/cell_0/basic_lstm_cell/weights:0",
        "lstm_lang/rnn/basic_lstm_cell/kernel",
    ],
)
def test_names_of_other_versions(name: str) -> None:
    assert [*canonical({name: np.zeros(1)})] == [f"lstm_lang/rnn/{CELL}/kernel"]
