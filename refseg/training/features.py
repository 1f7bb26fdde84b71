"""Computing the features of a frozen backbone once per image, into a folder."""

import shutil
import sys
import time
from pathlib import Path
from typing import NamedTuple, cast

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from refseg import __version__
from refseg.data import ReferringDataModule
from refseg.data.features import FeatureStore, mirrored
from refseg.data.features.images import FittedImages
from refseg.data.loaders import start_worker
from refseg.errors import ConfigError, DataError
from refseg.models.backbones import Backbone, TrunkBackbone
from refseg.models.segmenter import Segmenter
from refseg.progress import tracked
from refseg.training.precomputed_features import feature_key

_BLOCK = 4096  # bytes that a file system gives at once
_SAVE_SECONDS = 60.0


class Extraction(NamedTuple):
    """How many images the extraction has computed, and in what time.

    Args:
        images: number of different images, mirror images among them.
        computed: how many of them had no features before.
        seconds: that it took.
    """

    images: int
    computed: int
    seconds: float


def extract_features(
    segmenter: Segmenter,
    data: ReferringDataModule,
    trainer: Trainer,
    folder: Path,
    images: FittedImages,
) -> Extraction:
    """Fill a folder with the features of images; what is there already stays.

    Each image goes through the network alone: so its features are the same to the last bit
    whatever else is computed, and those that an evaluation of single expressions computes.

    Args:
        segmenter: whose backbone has its weights.
        data: with the transform and the number of workers.
        trainer: with the device and the precision.
        folder: to be filled; stopped at any time, the same call goes on.
        images: whose features are wanted, mirrored ones among them.

    Raises:
        ConfigError: the backbone is not frozen, the folder holds something else, or its disk is too
            small.
        DataError: an image is missing or broken, or the disk has become full.
    """
    backbone, until = segmenter.backbone, segmenter.first_site
    network = _Network(backbone, trainer, until)
    # As a run tells its own: of the weights in the trainer's precision.
    key = feature_key(backbone, data, str(trainer.precision), until)
    made = {
        "refseg": __version__,
        "torch": torch.__version__,
        "device": network.device.type,
        "backbone_weights": backbone.origin,
    }
    store = FeatureStore.create(folder, key, made)
    start = time.monotonic()
    count = len(images)
    there = store.files()
    digests = map(bytes, store.digests.of_all(images.paths, images.sizes))
    keys = [
        mirrored(digest) if is_mirrored else digest
        for digest, is_mirrored in zip(digests, images.are_mirrored, strict=True)
    ]
    images.leave_out({image for image, key in enumerate(keys) if key.hex() in there})
    _announce(store, count, len(images), network.bytes_per_image(data.transform.image_size))
    computed = 0
    try:
        if len(images):
            computed = _compute(network, store, images, there, data.num_workers)
    finally:
        store.digests.save()
    return Extraction(count, computed, time.monotonic() - start)


class _Network:
    """The frozen trunk on its device, in the trainer's precision."""

    def __init__(self, backbone: Backbone, trainer: Trainer, until: int | None) -> None:
        self.until = until
        self.device = trainer.strategy.root_device
        self.precision = trainer.precision_plugin
        self.backbone = cast("TrunkBackbone", self.precision.convert_module(backbone))
        self.backbone.to(self.device).eval()

    @torch.no_grad()
    def __call__(self, pixels: Tensor) -> list[Tensor]:
        with self.precision.forward_context():
            maps = self.backbone.maps(pixels.to(self.device), self.until)
        return [each[0].cpu() for each in maps]

    def bytes_per_image(self, size: int) -> int:
        maps = self(torch.zeros(1, 3, size, size, dtype=torch.uint8))
        content = sum(each.numel() * each.element_size() for each in maps)
        return -(-(content + 1024) // _BLOCK) * _BLOCK


def _announce(store: FeatureStore, count: int, missing: int, size: int) -> None:
    """Say what it will take.

    Raises:
        ConfigError: there is no room for it.
    """
    free = shutil.disk_usage(store.folder).free
    print(
        f"{count:,} images, {count - missing:,} of them done before; features of an image take "
        f"{_bytes(size)}, the others {_bytes(size * missing)}; {_bytes(free)} are free in "
        f"{store.folder}",
        file=sys.stderr,
    )
    if size * missing > free:
        raise ConfigError(
            f"Expected room for {_bytes(size * missing)} in {store.folder}, got {_bytes(free)}; "
            "name a folder on another disk with --output, fewer splits with --splits, or a smaller "
            "--data.image_size."
        )


def _compute(
    network: _Network, store: FeatureStore, images: FittedImages, there: set[str], workers: int
) -> int:
    loader: DataLoader[Tensor] = DataLoader(
        images,  # type: ignore[arg-type]  # nothing is collated: one image at a time
        batch_size=None,
        num_workers=workers,
        worker_init_fn=start_worker,
    )
    computed, saved = 0, time.monotonic()
    for path, digest, key, pixels in tracked(loader, "Features", len(images)):
        if key.hex() not in there:
            try:
                store.write(key, network(pixels))
            except OSError as error:
                raise DataError(
                    f"Cannot write features into {store.folder} ({error.strerror or error}); make "
                    "room, and run the same command again: it goes on where it stopped."
                ) from None
            there.add(key.hex())
            computed += 1
        store.digests.tell(path, digest)
        if time.monotonic() - saved > _SAVE_SECONDS:
            store.digests.save()
            saved = time.monotonic()
    return computed


def _bytes(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:,.1f} kB"
