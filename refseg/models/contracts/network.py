"""What a network promises: all parts together."""

from functools import partial, update_wrapper

import torch
from torch.testing import assert_close

from refseg.models.contracts.requirements import Check, require, require_gradient, rounding
from refseg.models.contracts.samples import make_batch, with_padding
from refseg.models.segmenter import Segmenter

PRECISIONS = {
    "bf16-mixed": (torch.bfloat16, True),
    "16-mixed": (torch.float16, True),
    "bf16-true": (torch.bfloat16, False),
    "16-true": (torch.float16, False),
    "64-true": (torch.float64, False),
}
"""Of Lightning's trainer: the type, and whether the weights stay float32."""


def logits_are_in_network_size(network: Segmenter) -> None:
    """Whatever the strides."""
    found = [*network.eval()(make_batch(size=(64, 48))).logits.shape]
    require(found == [3, 64, 48], f"expected logits of [3, 64, 48], got {found}")


def gradients_reach_words_and_image(network: Segmenter) -> None:
    """Through to both encoders."""
    logits = network(make_batch(lengths=(3, 5, 4))).logits
    (logits * torch.randn_like(logits)).sum().backward()
    require_gradient(network.backbone)
    require_gradient(network.text_encoder)


def padding_changes_nothing(network: Segmenter) -> None:
    """Neither more of it nor what stands under it."""
    batch = make_batch()
    before = network.eval()(batch).logits
    assert_close(network(with_padding(batch, 5)).logits, before, rtol=1e-4, atol=1e-5)


def one_image_with_three_expressions_equals_three_images(network: Segmenter) -> None:
    """And the expressions do not all get the same answer."""
    batch = make_batch(image_index=(0, 0, 0))
    together = network.eval()(batch).logits
    assert batch.images is not None
    batch.images, batch.image_index = batch.images.expand(3, -1, -1, -1), torch.arange(3)
    assert_close(network(batch).logits, together, rtol=1e-4, atol=rounding(together))
    is_same = torch.allclose(together[0], together[1], atol=1e-4)
    require(not is_same, "two sentences about one image have the same logits")


def a_batch_of_two_equals_two_batches_of_one(network: Segmenter) -> None:
    """An expression's logits do not depend on the rest of its batch."""
    batch = make_batch(lengths=(3, 5), image_index=(1, 0))
    together = network.eval()(batch).logits
    for row, image in enumerate([1, 0]):
        alone = make_batch(lengths=(3, 5), image_index=(1, 0))
        assert alone.images is not None
        alone.images, alone.image_index = alone.images[[image]], torch.tensor([0])
        alone.tokens, alone.token_mask = alone.tokens[[row]], alone.token_mask[[row]]
        expected = together[[row]]
        assert_close(network(alone).logits, expected, rtol=1e-4, atol=rounding(expected))


def _stays_finite_and_close(network: Segmenter, precision: str) -> None:
    batch = make_batch()
    exact = network.eval()(batch).logits
    dtype, is_mixed = PRECISIONS[precision]
    network = network if is_mixed else network.to(dtype)
    with torch.autocast("cpu", dtype if is_mixed else None, enabled=is_mixed):
        rough = network(batch).logits
        alone = network.one_by_one(batch).logits
    expected = torch.float64 if dtype == torch.float64 else torch.float32
    require(
        rough.dtype == expected,
        f"expected logits of {expected} in {precision}, got {rough.dtype}; see refseg.precision",
    )
    rough.square().mean().backward()
    for logits in (rough, alone):
        is_close = (logits - exact).abs().mean() < 0.1 * exact.std() + 0.05
        require(is_close, f"logits in {precision} are far from those in 32-true, or not finite")
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    is_finite = all(gradient.isfinite().all() for gradient in gradients)
    require(is_finite, f"gradients in {precision} are not finite")


def _in_precision(precision: str) -> Check:
    check = partial(_stays_finite_and_close, precision=precision)
    update_wrapper(check, _stays_finite_and_close)
    check.__name__ = f"it_stays_finite_and_close_in_{precision}"  # type: ignore[attr-defined]
    return check


CHECKS = (
    logits_are_in_network_size,
    gradients_reach_words_and_image,
    padding_changes_nothing,
    one_image_with_three_expressions_equals_three_images,
    a_batch_of_two_equals_two_batches_of_one,
    *map(_in_precision, PRECISIONS),
)
