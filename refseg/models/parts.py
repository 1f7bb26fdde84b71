"""The parts that networks are made of: imported by their names, or all of them."""

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

PARTS = ("backbone", "text_encoder", "fusion", "decoder")
"""Of a network."""

PACKAGES = ("backbones", "text_encoders", "fusion", "decoders")
"""Folders of parts, whose public names are their classes."""


def import_parts() -> None:
    """Import all parts: whoever looks among the classes that exist finds them."""
    for package in (_package(name) for name in PACKAGES):
        for name in package.__all__:
            getattr(package, name)


def import_named_parts(described: object) -> None:
    """Import the parts that the description of a network names; other names are not looked up.

    Args:
        described: of a network, as a checkpoint has it: part -> path of a class, or that and its
            arguments.
    """
    for part in described.values() if isinstance(described, Mapping) else ():
        path = part.get("class_path") if isinstance(part, Mapping) else part
        name = path.rpartition(".")[2] if isinstance(path, str) else ""
        for package in (_package(name) for name in PACKAGES):
            if name in package.__all__:
                getattr(package, name)


def _package(name: str) -> ModuleType:
    return import_module(f"refseg.models.{name}")
