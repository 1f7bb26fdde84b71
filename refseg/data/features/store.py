"""A folder of precomputed features: one file per image, and a record of what computed them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from refseg.data.features.digests import ImageDigests, mirrored
from refseg.data.orientation import Size
from refseg.errors import ConfigError, DataError
from refseg.files import replacing, write_text

Key = Mapping[str, Any]
"""All that features depend on but for the image: plain values by names that messages can use."""

_FORMAT = 1
_MANIFEST = "features.json"
_DIGESTS = "images.parquet"
_AXES = {"channels first": (0, 1, 2), "channels last": (1, 2, 0)}
_COMMAND = "refseg data features --config CONFIG --output"


class FeatureStore:
    """Precomputed features of images, found by the digest of an image's content.

    Each image has a file of its own, named by the SHA-256 of the image file's bytes (by another one
    where the picture is turned upright): so it is
    written all or nothing, several runs can fill one store, data sets that share images share their
    features, and an image that has changed is not taken for the old one. The files are safetensors,
    which are mapped into memory: processes that train together read the same pages.

    Args:
        folder: of the store.
        key: what its features were computed with.
        made: what else is worth knowing of how they were computed.
    """

    def __init__(self, folder: Path, key: Key, made: Mapping[str, Any] | None = None) -> None:
        self.folder, self.key, self.made = folder, key, dict(made or {})
        self.digests = ImageDigests(folder / _DIGESTS)

    def __getstate__(self) -> dict[str, Any]:
        """The folder alone, for a worker process."""
        return self.__dict__ | {"digests": None}

    @classmethod
    def open(cls, folder: Path) -> "FeatureStore":
        """The store in a folder.

        Raises:
            ConfigError: there is none.
        """
        path = folder / _MANIFEST
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            is_ours = manifest["format"] == _FORMAT and isinstance(manifest["key"], dict)
            key, made = manifest["key"], manifest["made"]
        except OSError:
            raise ConfigError(
                f"Expected a folder of features, found no {path}; make it with: {_COMMAND} {folder}"
            ) from None
        except (ValueError, KeyError, TypeError):
            is_ours = False
        if not is_ours:
            raise ConfigError(
                f"{path} cannot be read as the record of a folder of features (format {_FORMAT}); "
                f"compute them anew, into an empty folder: {_COMMAND} FOLDER"
            )
        return cls(folder, key, made)

    @classmethod
    def create(cls, folder: Path, key: Key, made: Mapping[str, Any]) -> "FeatureStore":
        """The store in a folder, made if there is none.

        Args:
            folder: empty, absent, or a store with the same key.
            key: what its features will be computed with.
            made: what else is worth knowing of how they will be computed.

        Raises:
            ConfigError: the folder holds something else, or features with another key.
        """
        if (folder / _MANIFEST).exists():
            store = cls.open(folder)
            store.expect(key)
            return store
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(
                f"Expected an empty folder or one with features, got {folder}, which holds "
                "something else; name another one with --output."
            )
        record = {"format": _FORMAT, "key": key, "made": made}
        write_text(folder / _MANIFEST, json.dumps(record, indent=2) + "\n")
        return cls(folder, key, made)

    def expect(self, key: Key) -> None:
        """Check that the features were computed by the given backbone, weights and transform.

        Raises:
            ConfigError: the key differs; the message says in what.
        """
        lines = [
            f"{name} is {_short(self.key.get(name))} there and {_short(key.get(name))} here"
            for name in dict.fromkeys([*self.key, *key])
            if self.key.get(name) != key.get(name)
        ]
        if lines:
            raise ConfigError(
                f"The features in {self.folder} were computed otherwise: {'; '.join(lines)}. Run "
                "with the same model and transform as there, or compute others: "
                f"{_COMMAND} OTHER_FOLDER"
            )

    def path(self, digest: bytes) -> Path:
        """The path of the file of an image's features; it need not exist.

        Args:
            digest: of the image, as it is read.
        """
        name = digest.hex()
        return self.folder / name[:2] / f"{name}.safetensors"

    def write(self, digest: bytes, levels: Sequence[Float[Tensor, " _ _ _"]]) -> None:
        """Write the features of an image, and the memory layout of each map.

        Networks go on in the layout that they are given, and the last bits depend on it.

        Args:
            digest: of the image, as it is read.
            levels: one map or several, in their order.
        """
        orders = {str(index): _order(level) for index, level in enumerate(levels)}
        named = {
            name: level.permute(_AXES[order]).contiguous()
            for (name, order), level in zip(orders.items(), levels, strict=True)
        }
        with replacing(self.path(digest)) as temporary:
            save_file(named, temporary, metadata=orders)

    def read(self, digest: bytes, image_path: str) -> tuple[Float[Tensor, " _ _ _"], ...]:
        """The features of an image, mapped into memory.

        Args:
            digest: of the image, as it is read.
            image_path: for messages.

        Raises:
            DataError: there are none, or their file is damaged.
        """
        path = self.path(digest)
        try:
            with safe_open(path, framework="pt") as file:
                orders = file.metadata()
                names = map(str, range(len(orders)))
                return tuple(_restored(file.get_tensor(name), orders[name]) for name in names)
        except FileNotFoundError:
            raise DataError(self._absent([image_path], 1)) from None
        except (OSError, SafetensorError, TypeError, KeyError) as error:
            raise DataError(
                f"The features of {image_path} in {path} cannot be read ({error}); delete that "
                f"file and compute it again: {_COMMAND} {self.folder}"
            ) from None

    def locate(
        self, image_paths: Sequence[str], sizes: Sequence[Size]
    ) -> UInt8[np.ndarray, " images 32"]:
        """The digests of images, by which their features are found.

        Args:
            image_paths: as in `read_image`.
            sizes: of each, as in `read_image`.

        Raises:
            DataError: an image is missing.
        """
        return self.digests.of_all(image_paths, sizes)

    def check(
        self, image_paths: Sequence[str], sizes: Sequence[Size], are_mirrored: bool = False
    ) -> None:
        """Make sure that there are features of all of these images.

        Args:
            image_paths: as in `read_image`.
            sizes: of each, as in `read_image`.
            are_mirrored: whether those of their mirror images are meant.

        Raises:
            DataError: there are not, or an image is missing.
        """
        there = self.files()
        digests = [digest.tobytes() for digest in self.locate(image_paths, sizes)]
        keys = [mirrored(digest) for digest in digests] if are_mirrored else digests
        absent = [
            path for path, key in zip(image_paths, keys, strict=True) if key.hex() not in there
        ]
        if absent:
            raise DataError(self._absent(absent, len(image_paths), are_mirrored))

    def files(self) -> set[str]:
        """The digests of all images that have features, in hexadecimal digits."""
        return {path.stem for path in self.folder.glob("[0-9a-f][0-9a-f]/[0-9a-f]*.safetensors")}

    def _absent(self, paths: Sequence[str], count: int, are_mirrored: bool = False) -> str:
        picture = f"the mirror image of {paths[0]}" if are_mirrored else paths[0]
        others = f", nor of {len(paths) - 1:,} other images of {count:,}" if len(paths) > 1 else ""
        return (
            f"There are no features of {picture} as it is today in {self.folder}{others}; "
            f"compute them, with the options of this run: {_COMMAND} {self.folder}"
        )


def _order(level: Tensor) -> str:
    return "channels last" if level.permute(1, 2, 0).is_contiguous() else "channels first"


def _restored(stored: Tensor, order: str) -> Tensor:
    return stored.permute(2, 0, 1) if order == "channels last" else stored


def _short(value: object) -> str:
    text = json.dumps(value) if isinstance(value, dict | list) else str(value)
    return text if len(text) <= 40 else f"{text[:12]}…{text[-6:]}"
