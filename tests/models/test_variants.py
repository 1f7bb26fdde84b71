"""No class of a part is left out of the contract tests."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest

from refseg.models.backbones import Backbone
from refseg.models.decoders import Decoder
from refseg.models.fusion import Fusion
from refseg.models.text_encoders import TextEncoder

from . import variants

# Stands for a backbone whose maps were computed before.
LEFT_OUT = {"PrecomputedFeatures"}


@pytest.mark.parametrize(
    ("package", "base"),
    [
        ("backbones", Backbone),
        ("text_encoders", TextEncoder),
        ("fusion", Fusion),
        ("decoders", Decoder),
    ],
)
def test_every_class_has_a_variant(package: str, base: type) -> None:
    public = import_module(f"refseg.models.{package}")
    kinds = [getattr(public, name) for name in public.__all__]
    parts = {
        kind.__name__
        for kind in kinds
        if isinstance(kind, type) and issubclass(kind, base) and not inspect.isabstract(kind)
    }
    checked = {
        getattr(make, "func", make).__name__
        for title, table in vars(variants).items()
        if title.isupper() and isinstance(table, dict)
        for make in table.values()
        for make in [make(Path("models")) if inspect.isfunction(make) else make]
        if callable(make)
    }
    assert parts - checked - LEFT_OUT - {base.__name__} == set()
