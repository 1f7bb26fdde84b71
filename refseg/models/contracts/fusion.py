"""What a fusion promises: from both to a row per expression.

One that speaks between the stages of a backbone is checked in a whole network (`network`).
"""

import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional
from torch.testing import assert_close

from refseg.models.contracts.requirements import require, require_gradient
from refseg.models.contracts.samples import make_maps, make_text
from refseg.models.fusion.base import Fusion, WordByWord
from refseg.types import Maps, TextFeatures

_LENGTHS = (2, 4, 1)
_INDEX = (1, 0, 1)


def _index() -> Tensor:
    return torch.tensor(_INDEX)


def _rows(text: TextFeatures, rows: Tensor | list[int]) -> TextFeatures:
    return TextFeatures(text.words[rows], text.sentence[rows], text.token_mask[rows])


def widths_are_true(fusion: Fusion) -> None:
    """`dims` are those of the maps; the coarsest map keeps its cells."""
    fused = fusion(make_maps(2), make_text(_LENGTHS), _index())
    found = [[*each.shape[:2]] for each in fused]
    expected = [[3, dim] for dim in fusion.dims]
    require(found == expected, f"`dims` promise rows and channels of {expected}, got {found}")
    cells = [*fused[-1].shape[2:]]
    require(cells == [3, 4], f"the coarsest map has {cells} cells, and had [3, 4]")


def image_index_chooses_the_image(fusion: Fusion) -> None:
    """Three expressions about one image have what three images of their own would give."""
    maps, text = make_maps(3), make_text(_LENGTHS)
    for index in ([0, 1, 2], [2, 0, 1], [1, 1, 0], [2, 2, 2]):
        fused = fusion(maps, text, torch.tensor(index))
        as_own_image = fusion(tuple(each[index] for each in maps), text, torch.arange(3))
        assert_close(fused, as_own_image)


def permuted_expressions_give_permuted_maps(fusion: Fusion) -> None:
    """And two sentences about one image do not give the same."""
    maps, text = make_maps(2), make_text(_LENGTHS)
    order = torch.tensor([2, 0, 1])
    fused = fusion(maps, text, _index())
    expected = tuple(each[order] for each in fused)
    assert_close(fusion(maps, _rows(text, order), _index()[order]), expected)
    is_same = torch.allclose(fused[-1][0], fused[-1][2])  # same image, other words
    require(not is_same, "two sentences about one image give the same map")


def padding_changes_nothing(fusion: Fusion) -> None:
    """Neither more of it nor what stands under it."""
    text, index = make_text(_LENGTHS), torch.tensor([0, 1, 0])
    before = fusion(make_maps(2), text, index)
    words = functional.pad(text.words, (0, 0, 0, 5))
    token_mask = functional.pad(text.token_mask, (0, 5))
    words = torch.where(token_mask[..., None], words, 100 * torch.randn_like(words))
    after = fusion(make_maps(2), TextFeatures(words, text.sentence, token_mask), index)
    assert_close(after, before)


def expressions_do_not_touch_each_other(fusion: Fusion) -> None:
    """A batch of three equals three batches of one."""
    maps, text = make_maps(2), make_text(_LENGTHS)
    together = fusion(maps, text, _index())
    for row, image in enumerate(_INDEX):
        own = _rows(text, [row])
        alone = fusion(tuple(each[[image]] for each in maps), own, torch.tensor([0]))
        expected = tuple(each[[row]] for each in together)
        assert_close(alone, expected, rtol=1e-4, atol=1e-6)


def gradients_reach_parameters_words_and_image(fusion: Fusion) -> None:
    """All of them; padding gets none."""
    maps = tuple(each.requires_grad_() for each in make_maps(2))
    text = make_text(_LENGTHS)
    text.words.requires_grad_()
    text.sentence.requires_grad_()
    fused = fusion(maps, text, _index())
    torch.stack([(each * torch.randn_like(each)).sum() for each in fused]).sum().backward()
    require_gradient(fusion)
    for number, each in enumerate(maps, start=1):
        if each.grad is None and number < len(maps) and len(fused) < len(maps):
            continue  # it gives the coarse maps alone
        is_heard = each.grad is not None and each.grad.flatten(1).any(1).all()
        require(is_heard, f"no gradient reaches map {number} of {len(maps)}, from fine to coarse")
    read = text.words.grad if text.words.grad is not None else text.sentence.grad
    is_heard = read is not None and read.flatten(1).any(1).all()
    require(is_heard, "no gradient reaches the words, or those of some expression")
    if text.words.grad is not None:
        is_padding_heard = text.words.grad[~text.token_mask].any()
        require(not is_padding_heard, "gradients reach the padding of words")


def empty_features_give_finite_gradients(fusion: Fusion) -> None:
    """Cells and sentences of zeros occur: after a ReLU, and where nothing was said."""
    maps = tuple(torch.zeros_like(each[:1]).requires_grad_() for each in make_maps(1))
    text = make_text(_LENGTHS)
    text.sentence = torch.zeros_like(text.sentence).requires_grad_()
    fusion(maps, text, torch.tensor([0, 0, 0]))[-1].sum().backward()
    gradient = maps[-1].grad
    assert gradient is not None
    is_small = gradient.isfinite().all() and gradient.abs().max() < 1e9
    require(is_small, "gradients of a map of zeros are not finite, or above 1e9")


def steps_are_the_forward_passes_of_prefixes(fusion: Fusion) -> None:
    """Of a fusion that reads word by word; others have no `steps`."""
    if not isinstance(fusion, WordByWord):
        require(not hasattr(fusion, "steps"), "it has `steps`, and is no WordByWord")
        return
    maps, text, index = make_maps(2), make_text(_LENGTHS), _index()
    steps = list(fusion.steps(maps, text, index))
    require(len(steps) == 4, f"there are {len(steps)} steps for at most 4 words")
    assert_close(steps[-1].maps, fusion(maps, text, index))
    for read, step in enumerate(steps, start=1):
        mask = text.token_mask & (torch.arange(4) < read)
        prefix = TextFeatures(text.words, text.sentence, mask)
        assert_close(step.maps, fusion(maps, prefix, index))
        shape = [*step.activation.shape]
        require(shape == [3, 3, 4], f"an activation has the shape {shape}, expected [3, 3, 4]")


def it_exports(fusion: Fusion) -> None:
    """The exported program is for any number of images and expressions, and any lengths."""
    images, expressions = Dim("images", min=2), Dim("expressions", min=2)
    program = torch.export.export(
        _Exported(fusion.eval()),
        (make_maps(2), *_tensors(make_text(_LENGTHS)), _index()),
        dynamic_shapes=(({0: images}, {0: images}), *({0: expressions} for _ in range(4))),
    ).module()
    for lengths, index in (((2, 4, 1), [1, 0, 1]), ((4, 1, 1, 3, 2), [2, 0, 1, 1, 0])):
        maps, text = make_maps(max(index) + 1), make_text(lengths, seed=1)
        exported = program(maps, *_tensors(text), torch.tensor(index))
        assert_close(exported, fusion(maps, text, torch.tensor(index)), rtol=1e-4, atol=1e-6)


class _Exported(nn.Module):
    """A fusion that is called with tensors alone."""

    def __init__(self, fusion: Fusion) -> None:
        super().__init__()
        self.fusion = fusion

    def forward(
        self, maps: Maps, words: Tensor, sentence: Tensor, token_mask: Tensor, image_index: Tensor
    ) -> Maps:
        fused: Maps = self.fusion(maps, TextFeatures(words, sentence, token_mask), image_index)
        return fused


def _tensors(text: TextFeatures) -> tuple[Tensor, Tensor, Tensor]:
    return text.words, text.sentence, text.token_mask


CHECKS = (
    widths_are_true,
    image_index_chooses_the_image,
    permuted_expressions_give_permuted_maps,
    padding_changes_nothing,
    expressions_do_not_touch_each_other,
    gradients_reach_parameters_words_and_image,
    empty_features_give_finite_gradients,
    steps_are_the_forward_passes_of_prefixes,
    it_exports,
)
