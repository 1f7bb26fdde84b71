"""DenseCRF in evaluation: other processes refine images while the network goes on."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from rich import get_console
from torch import Tensor

from refseg.data import read_image
from refseg.errors import ConfigError
from refseg.evaluation.predictions import Predictions, predict_from_probabilities
from refseg.geometry import Geometry
from refseg.inference.crf import CRFOptions, check_installed, refine
from refseg.progress import tracked
from refseg.types import Batch

_IMAGES_PER_PROCESS = 4  # that may wait: enough to keep it busy, few enough for the memory


def refine_in_own_size(
    pixels: UInt8[np.ndarray, " height width 3"],
    fitted: UInt8[np.ndarray, " size size 3"],
    logits: Float[Tensor, " expressions size size"],
    geometry: Geometry,
    options: CRFOptions,
) -> Predictions:
    """Refine the predictions for an image by DenseCRF, in this process.

    Args:
        pixels: the image in its own size.
        fitted: the image as the network sees it.
        logits: one map per expression, in network size.
        geometry: how the image was fitted into the network's square.
        options: of DenseCRF.
    """
    if options.on == "image":
        refined = refine(pixels, _probabilities(geometry.invert(logits)), options)
    else:
        refined = refine(fitted, _probabilities(logits), options)
    return _brought_back(refined, geometry, options)


def _probabilities(logits: Tensor) -> Float32[np.ndarray, " expressions height width"]:
    return logits.float().sigmoid().cpu().numpy()


def _brought_back(
    refined: Float32[np.ndarray, " expressions _ _"], geometry: Geometry, options: CRFOptions
) -> Predictions:
    is_own_size = options.on == "image"
    return predict_from_probabilities(torch.from_numpy(refined), None if is_own_size else geometry)


class _Waiting(NamedTuple):
    """A batch whose images are being refined, and the function that is given its predictions."""

    batch: Batch
    images: list[Future[np.ndarray]]
    finish: Callable[[Predictions], None]


class RefinementQueue:
    """Refines the predictions of batches, in order, image by image in parallel.

    Args:
        options: of DenseCRF.
        jobs: processes; None: as many as there are processor cores, shared among the processes of
            a distributed run; 0: none, this process does it.

    Raises:
        ConfigError: pydensecrf2 is not installed, or `jobs` is negative.
    """

    def __init__(self, options: CRFOptions, jobs: int | None = None) -> None:
        check_installed()
        if jobs is not None and jobs < 0:
            raise ConfigError(f"Expected 0 or more processes for DenseCRF, got {jobs}.")
        self.options = options
        self.fill = 0
        """Value of the border around images that are read here, 0–255."""
        self.jobs = _cores() if jobs is None else jobs
        self._pool: ProcessPoolExecutor | None = None
        self._waiting: deque[_Waiting] = deque()

    def add(
        self,
        batch: Batch,
        logits: Float[Tensor, " expressions size_h size_w"],
        finish: Callable[[Predictions], None],
    ) -> None:
        """Refine the predictions of a batch, now or later; blocks while too many batches wait.

        Args:
            batch: with its images.
            logits: in network size.
            finish: called with what is predicted, in the order of the expressions; batches come in
                the order in which they were added.
        """
        images = [
            self._submit(*self._task(batch, image, logits[batch.image_index == image]))
            for image in range(len(batch.geometries))
        ]
        self._waiting.append(_Waiting(batch, images, finish))
        while sum(len(w.images) for w in self._waiting) > self.jobs * _IMAGES_PER_PROCESS:
            self._finish_first()

    def drain(self, progress: bool = False) -> None:
        """Finish all that waits.

        Args:
            progress: say how far it is.
        """
        waiting = range(len(self._waiting))
        for _ in tracked(waiting, "DenseCRF, last batches", shown=progress, console=get_console()):
            self._finish_first()

    def close(self) -> None:
        """End the processes; batches that still wait are dropped."""
        self._waiting.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _task(self, batch: Batch, image: int, logits: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """The input of DenseCRF: the pixels of an image, and the probability of each."""
        if self.options.on == "image":
            pixels = _own_pixels(batch, image)
            return pixels, _probabilities(batch.geometries[image].invert(logits))
        if batch.images is None:  # features stand for them
            pixels = _own_pixels(batch, image)
            return batch.geometries[image].apply_image(pixels, self.fill), _probabilities(logits)
        return batch.images[image].permute(1, 2, 0).cpu().numpy(), _probabilities(logits)

    def _submit(self, pixels: np.ndarray, probabilities: np.ndarray) -> Future[np.ndarray]:
        if not self.jobs:
            done: Future[np.ndarray] = Future()
            done.set_result(refine(pixels, probabilities, self.options))
            return done
        if self._pool is None:
            # Neither the threads of torch nor a GPU survive a fork.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.jobs, context, _ignore_interrupts)
        return self._pool.submit(refine, np.ascontiguousarray(pixels), probabilities, self.options)

    def _finish_first(self) -> None:
        batch, images, finish = self._waiting.popleft()
        masks: list[Tensor | None] = [None] * len(batch)
        scores = torch.zeros(len(batch), dtype=torch.float64)
        for image, future in enumerate(images):
            refined = _brought_back(self._result(future), batch.geometries[image], self.options)
            asked = (batch.image_index == image).nonzero()[:, 0].tolist()
            scores[asked] = refined.scores
            for expression, mask in zip(asked, refined.masks, strict=True):
                masks[expression] = mask
        finish(Predictions([mask for mask in masks if mask is not None], scores))

    def _result(self, future: Future[np.ndarray]) -> np.ndarray:
        try:
            return future.result()
        except BrokenProcessPool:
            raise ConfigError(
                f"One of {self.jobs} processes of DenseCRF has died, as when memory runs out; "
                "take fewer with --crf_jobs."
            ) from None


def _own_pixels(batch: Batch, image: int) -> np.ndarray:
    """An image of a batch in its own size, as its masks lie on it."""
    geometry = batch.geometries[image]
    return read_image(batch.image_paths[image], (geometry.height, geometry.width))


def _ignore_interrupts() -> None:
    """Ctrl-C is for the main process, which ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _cores() -> int:
    """The processor cores for one process of a distributed run."""
    available = getattr(os, "sched_getaffinity", None)
    cores = len(available(0)) if available else os.cpu_count() or 1
    return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
