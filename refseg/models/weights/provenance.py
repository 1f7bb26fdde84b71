"""Where weights came from, in words that go into checkpoints and results."""

import hashlib
from pathlib import Path

Origin = dict[str, str]
"""`origin` is one of `none` (random numbers), `torchvision`, `timm`, `hub`, `folder`, `file` and
`original` (variables of the papers' code); the other entries say which: `network`, `weights`,
`name`, `revision`, `sha256`."""

RANDOM: Origin = {"origin": "none"}


def of_torchvision(network: str, weights: str) -> Origin:
    """Weights that torchvision publishes.

    Args:
        network: torchvision's name of it.
        weights: torchvision's name of them, such as `IMAGENET1K_V2`.
    """
    return {"origin": "torchvision", "network": network, "weights": weights}


def of_timm(weights: str) -> Origin:
    """Weights that timm publishes.

    Args:
        weights: timm's name of the network and of its weights, such as `resnet18.a1_in1k`.
    """
    return {"origin": "timm", "weights": weights}


def of_file(path: str | Path, *, is_original: bool = False) -> Origin:
    """Weights of a file, by its name and content.

    Args:
        path: of the file.
        is_original: it holds variables of the papers' own code.
    """
    path = Path(path).expanduser()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"origin": "original" if is_original else "file", "name": path.name, "sha256": digest}


def of_hub(name: str, revision: str | None) -> Origin:
    """Weights that transformers loaded by name.

    Args:
        name: on the Hugging Face hub, or a folder.
        revision: the hub's commit; none for a folder.
    """
    if revision is None:
        return {"origin": "folder", "name": Path(name).name}
    return {"origin": "hub", "name": name, "revision": revision}


def in_words(origin: Origin | None) -> str:
    """An origin as a line of text; None is that of a checkpoint which does not say.

    Example:
        >>> in_words(of_torchvision("resnet101", "IMAGENET1K_V2"))
        'torchvision: resnet101 IMAGENET1K_V2'
        >>> in_words(RANDOM), in_words(None)
        ('none', 'unknown')
    """
    if origin is None:
        return "unknown"
    details = [value for key, value in origin.items() if key != "origin"]
    return f"{origin['origin']}: {' '.join(details)}" if details else origin["origin"]
