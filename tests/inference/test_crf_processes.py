"""Refining predictions in processes of their own."""

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from refseg.errors import ConfigError
from refseg.evaluation.predictions import Predictions, dilated
from refseg.geometry import Geometry
from refseg.inference.crf import CRFOptions, refine
from refseg.inference.crf_processes import RefinementQueue, refine_in_own_size
from refseg.models.decoders import legacy_upsample
from refseg.types import Batch

pytest.importorskip("pydensecrf")

SIZE = 32


def make_batch(folder: Path, seed: int) -> tuple[Batch, Tensor]:
    """Two images of different sizes, three expressions that alternate between them, and logits."""
    generator = np.random.default_rng(seed)
    images, geometries, paths = [], [], []
    for number, (height, width) in enumerate([(24, 40), (50, 30)]):
        pixels = generator.integers(100, 255, (height, width, 3), dtype=np.uint8)
        pixels[: height // 2, : width // 2] //= 5
        paths.append(folder / f"{seed}-{number}.png")
        Image.fromarray(pixels).save(paths[-1])
        geometries.append(Geometry.letterbox(height, width, SIZE))
        images.append(torch.from_numpy(geometries[-1].apply_image(pixels)).permute(2, 0, 1))
    logits = torch.from_numpy(generator.normal(-0.5, 1, (3, SIZE, SIZE)).astype(np.float32))
    logits[:, : SIZE // 2, : SIZE // 2] += 1.5
    batch = Batch(
        images=torch.stack(images),
        tokens=torch.ones(3, 1, dtype=torch.int64),
        token_mask=torch.ones(3, 1, dtype=torch.bool),
        image_index=torch.tensor([1, 0, 1]),
        masks=None,
        expressions=("a", "b", "c"),
        expression_ids=(1, 2, 3),
        truths=(),
        geometries=tuple(geometries),
        image_paths=tuple(map(str, paths)),
    )
    return batch, logits


def refined(folder: Path, options: CRFOptions, jobs: int) -> list[list[Tensor]]:
    queue = RefinementQueue(options, jobs)
    results: list[list[Tensor]] = []
    for seed in range(4):
        queue.add(*make_batch(folder, seed), lambda found: results.append(found.masks))
    assert len(results) == (4 if jobs == 0 else 2), "a process has four images in hand"
    queue.drain(progress=True)
    queue.close()
    return results


@pytest.mark.parametrize("on", ["network", "image"])
def test_processes_give_what_one_process_gives(tmp_path: Path, on: str) -> None:
    options = CRFOptions(on="image" if on == "image" else "network")
    serial = refined(tmp_path, options, jobs=0)
    for seed, masks in enumerate(serial):
        batch, logits = make_batch(tmp_path, seed)
        assert [tuple(mask.shape) for mask in masks] == [(50, 30), (24, 40), (50, 30)]
        for expression, mask in enumerate(masks):
            image = int(batch.image_index[expression])
            pixels = np.array(Image.open(batch.image_paths[image]))
            fitted = batch.images[image].permute(1, 2, 0).numpy()
            one = logits[expression, None]
            alone = refine_in_own_size(pixels, fitted, one, batch.geometries[image], options)
            assert torch.equal(alone.masks[0], mask)
    if on == "network":
        parallel = refined(tmp_path, options, jobs=1)
        for one, other in zip(serial, parallel, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_network_and_the_image_are_two_things(tmp_path: Path) -> None:
    batch, logits = make_batch(tmp_path, 0)
    pixels = np.array(Image.open(batch.image_paths[0]))
    fitted = batch.images[0].permute(1, 2, 0).numpy()
    geometry, one = batch.geometries[0], logits[:1]
    network = refine_in_own_size(pixels, fitted, one, geometry, CRFOptions())
    expected = geometry.invert(torch.from_numpy(refine(fitted, one.sigmoid().numpy())))
    assert (network.masks[0] != (expected[0] > 0.5)).float().mean() < 1e-3
    assert network.scores[0].item() == pytest.approx(expected[expected > 0.5].mean().item(), 1e-3)
    own = refine_in_own_size(pixels, fitted, one, geometry, CRFOptions(on="image"))
    expected = torch.from_numpy(refine(pixels, geometry.invert(one).sigmoid().numpy()))
    assert torch.equal(own.masks[0], expected[0] > 0.5)
    assert own.scores[0].item() == pytest.approx(expected[expected > 0.5].mean().item())
    assert own.scores[0] != network.scores[0]


@pytest.mark.parametrize("number", [0, 6])
def test_the_evaluation_of_the_original(shared: Path, number: int) -> None:
    """From 40×40 logits to masks in own size, by the papers' own resampling."""
    folder = shared / "parity"
    specification = spec_from_file_location("synth", folder / "synth.py")
    assert specification is not None
    assert specification.loader is not None
    synth = module_from_spec(specification)
    specification.loader.exec_module(synth)
    with np.load(folder / "eval_rmi.npz", allow_pickle=False) as fixture:
        height, width = map(int, fixture["sizes_hw"][number])
        cells = torch.from_numpy(fixture["in/pred40"][number])
        packed = fixture[f"out/pred_dcrf_packed_{number}"]
        labels = np.unpackbits(fixture[f"out/crf_argmax_packed_{number}"], axis=1)
    pixels = synth.image(number, height, width)
    geometry = Geometry.letterbox(height, width, 320, "original")
    fitted = geometry.apply_image(pixels)
    logits = legacy_upsample(cells[None, None], (320, 320))[0]
    expected = np.unpackbits(packed, axis=1)[:, :width].astype(bool)
    back = dilated(torch.from_numpy(labels - np.float32(0.5)), geometry)
    assert (back.numpy() == expected).all(), "the way back from the original's labels"
    refined = refine_in_own_size(pixels, fitted, logits, geometry, CRFOptions())
    # at ties of rounding the image in network size is a level off, which tips a few pixels
    assert (refined.masks[0].numpy() != expected).mean() < 5e-3


def test_scores_are_the_mean_probability_over_the_mask(tmp_path: Path) -> None:
    options = CRFOptions()
    queue = RefinementQueue(options, jobs=0)
    batch, logits = make_batch(tmp_path, 0)
    logits[1] = -9.0
    results: list[Predictions] = []
    queue.add(batch, logits, results.append)
    (found,) = results
    assert found.scores[1] == 0
    for expression in (0, 2):
        image = int(batch.image_index[expression])
        fitted = batch.images[image].permute(1, 2, 0).numpy()
        refined = refine(fitted, logits[[expression]].sigmoid().numpy(), options)
        probability = batch.geometries[image].invert(torch.from_numpy(refined))[0]
        mask = found.masks[expression]
        mean = probability.numpy()[mask.numpy()].astype(np.float64).mean()
        assert found.scores[expression].item() == pytest.approx(mean)


def test_a_process_that_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = RefinementQueue(CRFOptions(), jobs=0)
    batch, logits = make_batch(tmp_path, 0)

    dead: Future[np.ndarray] = Future()
    dead.set_exception(BrokenProcessPool())
    monkeypatch.setattr(queue, "_submit", lambda *_: dead)
    with pytest.raises(ConfigError, match=r"has died.*--crf_jobs"):
        queue.add(batch, logits, lambda _: None)


def test_a_number_of_processes_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="0 or more processes for DenseCRF, got -1"):
        RefinementQueue(CRFOptions(), jobs=-1)
