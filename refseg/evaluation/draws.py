"""Figures over images that are drawn anew, or whose runs are swapped: all draws in a few products.

How often each image is drawn is a vector of weights; the figures of many draws are one product of
matrices. The same seed gives the same draws, for all figures and runs alike.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64

from refseg.evaluation.sums import ImageSums, ratio

_BLOCK = 2**22  # weights at a time: 32 MB
_TOLERANCE = 1e-12  # differences that are equal but for rounding count as equal


def bootstrap_figures(
    sums: ImageSums, resamples: int, seed: int
) -> Float64[np.ndarray, "resamples figures"]:
    """The figures over as many images, drawn with replacement, again and again.

    Args:
        sums: of all figures that shall see the same draws.
        resamples: number of draws.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    images = sums.images
    replicates = []
    for rows in _blocks(resamples, images):
        drawn = generator.integers(0, images, (rows, images))
        drawn += np.arange(0, rows * images, images)[:, None]
        counted = np.bincount(drawn.ravel(), minlength=rows * images)
        weights = counted.reshape(rows, images).astype(np.float64)
        replicates.append(
            ratio(weights @ sums.numerators.T, weights @ sums.denominators.T, sums.empty)
        )
    return np.concatenate(replicates)


def swap_differences(
    first: ImageSums, second: ImageSums, resamples: int, seed: int
) -> tuple[Float64[np.ndarray, "resamples figures"], bool]:
    """The differences of figures, first minus second, if runs were swapped in random images.

    Where the swaps of the images in which the runs differ are at most `resamples`, all are tried.

    Args:
        first: of some runs.
        second: of as many, over the same images.
        resamples: number of random swaps.
        seed: of the swaps.

    Returns:
        The differences, and whether they are all that there are.
    """
    numerators = second.numerators - first.numerators
    denominators = second.denominators - first.denominators
    differs = (numerators != 0).any(axis=0) | (denominators != 0).any(axis=0)
    numerators, denominators = numerators[:, differs], denominators[:, differs]
    images = numerators.shape[1]
    exact = 2**images <= resamples
    swaps = _all_swaps(images) if exact else _random_swaps(images, resamples, seed)
    results = [
        _figures_with(first, swap @ numerators.T, swap @ denominators.T)
        - _figures_with(second, -swap @ numerators.T, -swap @ denominators.T)
        for swap in swaps
    ]
    return np.concatenate(results), exact


def _figures_with(
    sums: ImageSums,
    more_numerators: Float64[np.ndarray, "swaps figures"],
    more_denominators: Float64[np.ndarray, "swaps figures"],
) -> Float64[np.ndarray, "swaps figures"]:
    numerators = sums.numerators.sum(axis=1) + more_numerators
    return ratio(numerators, sums.denominators.sum(axis=1) + more_denominators, sums.empty)


def two_sided(
    differences: Float64[np.ndarray, " resamples"], observed: float, exact: bool
) -> float:
    """The p-value: how often a difference without cause is as large as the observed one.

    Args:
        differences: under swaps.
        observed: the difference without a swap.
        exact: whether the swaps are all there are; else the observed one counts as one more, so
            that the p-value is never 0 (Phipson and Smyth, "Permutation p-values should never be
            zero", Statistical Applications in Genetics and Molecular Biology 9, 2010).
    """
    as_large = int((np.abs(differences) >= abs(observed) - _TOLERANCE).sum())
    return as_large / len(differences) if exact else (as_large + 1) / (len(differences) + 1)


def _all_swaps(images: int) -> Iterator[Float64[np.ndarray, "swaps images"]]:
    numbers = np.arange(2**images)[:, None]
    yield (numbers >> np.arange(images) & 1).astype(np.float64)


def _random_swaps(
    images: int, resamples: int, seed: int
) -> Iterator[Float64[np.ndarray, "swaps images"]]:
    generator = np.random.default_rng(seed)
    for rows in _blocks(resamples, images):
        yield generator.integers(0, 2, (rows, images), dtype=np.uint8).astype(np.float64)


def _blocks(resamples: int, images: int) -> Iterator[int]:
    rows = max(1, _BLOCK // max(1, images))
    for start in range(0, resamples, rows):
        yield min(rows, resamples - start)
