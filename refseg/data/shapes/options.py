"""The options of the built-in set, and the folder of the set that each choice gives."""

from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np

from refseg.errors import ConfigError
from refseg.files import cache_folder

FORMAT = 1
"""Raised whenever the same options would give other images or sentences than before."""

LEVELS = (1, 2, 3)
EVALUATION_SPLITS = ("val", "testA", "testB")


@dataclass(frozen=True)
class ShapesOptions:
    """What the built-in set shall contain.

    The same options and library versions give the same bytes. `val`, `testA` and `testB` do not
    change with `train_images`, and the levels show (all but) the same images with other sentences.
    The mask of an object is what can be seen of it; at most a tenth is hidden by others. `testB`
    is made of pairs of colour and shape that occur in no other split.

    Args:
        level: difficulty of the sentences. 1: attributes and places; 2 adds order, superlatives
            and one relation; 3 adds two relations, negation, typing slips and long sentences.
        train_images: number of images in the split `train`.
        evaluation_images: number of images in each of `val`, `testA` and `testB`.
        objects_per_image: at most so many objects of an image are referred to (2–8).
        expressions_per_object: sentences for each object that is referred to (1–5).
        seed: another seed gives other images and other sentences.

    Raises:
        ConfigError: an option lies outside of its range.

    Example:
        >>> ShapesOptions(level=2).train_images
        3000
    """

    level: int = 1
    train_images: int = 3000
    evaluation_images: int = 200
    objects_per_image: int = 4
    expressions_per_object: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        ranges = {
            "level": (LEVELS[0], LEVELS[-1]),
            "train_images": (1, 1_000_000),
            "evaluation_images": (1, 100_000),
            "objects_per_image": (2, 8),
            "expressions_per_object": (1, 5),
            "seed": (0, 2**63 - 1),
        }
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise ConfigError(
                    f"Expected {name} of the built-in set between {least} and {most}, got "
                    f"{value!r}; change {name} in the data section of the config."
                )

    def images(self) -> dict[str, int]:
        """Number of images of each split, in the order in which they are written."""
        return {"train": self.train_images} | dict.fromkeys(
            EVALUATION_SPLITS, self.evaluation_images
        )


def provenance(options: ShapesOptions) -> dict[str, object]:
    """Everything the bytes of a set depend on."""
    # OpenCV is installed under one of several names, so it is asked itself.
    libraries = {
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pycocotools": version("pycocotools"),
    }
    return {"format": FORMAT, "options": asdict(options), "libraries": libraries}


def shapes_folder(options: ShapesOptions, cache: Path | None = None) -> Path:
    """The folder of the set with these options; it need not exist yet.

    Its name tells the level and the seed and carries a digest of all options and of the versions
    of the libraries that draw, so that whatever would change the bytes changes the folder.

    Args:
        options: what the set contains.
        cache: the folder to look under; by default the environment variable `REFSEG_CACHE`, else
            the user's cache folder.

    Example:
        >>> shapes_folder(ShapesOptions(), Path("cache")).name[:20]
        'shapes-level1-seed0-'
    """
    if cache is None:
        cache = cache_folder()
    digest = sha256(repr(provenance(options)).encode()).hexdigest()[:12]
    return cache / f"shapes-level{options.level}-seed{options.seed}-{digest}"
