"""A checkpoint of another model is refused, by what differs."""

from functools import partial
from typing import Any

import pytest

from refseg.errors import CheckpointError
from refseg.models import BilinearDecoder, Segmenter
from refseg.models.backbones import SmallBackbone
from refseg.models.comparison import check_description, check_model
from refseg.models.fusion import ConcatFusion, MultimodalLSTM
from refseg.models.text_encoders import LSTMEncoder


def make(
    fusion: type = ConcatFusion, hidden_dim: int = 6, words: int = 50, embedding_dim: int = 8
) -> Segmenter:
    return Segmenter(
        partial(SmallBackbone, width=8, image_dim=12, colour_dim=4),
        partial(LSTMEncoder, embedding_dim=embedding_dim, hidden_dim=6),
        partial(fusion, hidden_dim=hidden_dim),
        BilinearDecoder,
        vocab_size=words,
    )


def saved(segmenter: Segmenter) -> dict[str, Any]:
    weights = {f"segmenter.{name}": weight for name, weight in segmenter.state_dict().items()}
    fusion = {"class_path": f"refseg.models.fusion.{type(segmenter.fusion).__name__}"}
    return {"state_dict": weights, "hyper_parameters": {"fusion": fusion}}


def complaint(there: Segmenter, here: Segmenter) -> str:
    with pytest.raises(CheckpointError) as raised:
        check_model(saved(there), here, "x.ckpt")
    message = str(raised.value)
    assert message.startswith("x.ckpt is of another model than this one: ")
    assert len(message) < 500
    return message


def test_the_same_model_fits() -> None:
    check_model(saved(make()), make(), "x.ckpt")


def test_what_differs_is_named() -> None:
    assert "the fusion is a MultimodalLSTM there and a ConcatFusion here" in complaint(
        make(MultimodalLSTM), make()
    )
    message = complaint(make(hidden_dim=4), make())
    assert "fusion.visual.image.weight is 4 × 12 × 1 × 1 there and 6 × 12 × 1 × 1 here" in message
    assert "more differences" in message
    assert "it knows 50 words, and the data have 60" in complaint(make(), make(words=60))
    assert "--data.vocabulary_from" in complaint(make(), make(words=60))
    message = complaint(make(embedding_dim=5), make())
    assert "words have 5 numbers there and 8 here" in message


def test_missing_and_superfluous_weights_are_named() -> None:
    two_layers = make(partial(ConcatFusion, layers=2))  # type: ignore[arg-type]
    assert "it has no fusion.further.0.weight" in complaint(make(), two_layers)
    assert "only it has fusion.further.0.weight" in complaint(two_layers, make())


def part(name: str, **arguments: object) -> dict[str, Any]:
    return {"class_path": f"refseg.models.{name}", "init_args": arguments}


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ({"fusion": part("fusion.A", hidden=1)}, {"fusion": part("fusion.A", hidden=1, new=2)}),
        ({"backbone": part("B", weights=None)}, {"backbone": part("B", weights="imagenet")}),
        (
            {"backbone": part("B", normalization="half")},
            {"backbone": part("B", normalization=None)},
        ),
        ({"decoder": "refseg.models.D"}, {"decoder": part("decoders.D")}),
        ({"fusion": part("fusion.A")}, {"fusion": None}),
        ({}, {"fusion": part("fusion.A")}),
    ],
)
def test_descriptions_of_the_same_model(there: dict[str, Any], here: dict[str, Any]) -> None:
    check_description(there, here, "x.ckpt")


@pytest.mark.parametrize(
    ("there", "here", "expected"),
    [
        (part("A"), part("B"), "the fusion is a A there and a B here"),
        (part("A", width=1), part("A", width=2), r"fusion\.width is 1 there and 2 here"),
    ],
)
def test_descriptions_of_other_models(
    there: dict[str, Any], here: dict[str, Any], expected: str
) -> None:
    with pytest.raises(CheckpointError, match=expected):
        check_description({"fusion": there}, {"fusion": here}, "x.ckpt")
