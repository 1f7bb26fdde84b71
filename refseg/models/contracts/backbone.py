"""What a backbone promises: from images to maps."""

import torch
from torch import Tensor
from torch.testing import assert_close

from refseg.models.backbones.base import Backbone
from refseg.models.contracts.requirements import require, require_gradient, rounding
from refseg.models.contracts.samples import make_batch


def _images(size: tuple[int, int] = (64, 64)) -> Tensor:
    images = make_batch(size=size).images
    assert images is not None
    return images


def widths_and_strides_are_true(backbone: Backbone) -> None:
    """`dims` and `strides` are those of the maps, whatever the size of the image."""
    backbone.eval()
    for size in ((64, 96), (61, 83), (57, 80)):
        expected = [
            [2, dim, *(-(-side // stride) for side in size)]
            for dim, stride in zip(backbone.dims, backbone.strides, strict=True)
        ]
        found = [list(each.shape) for each in backbone(_images(size))]
        require(
            found == expected,
            f"of images of {size}, `dims` and `strides` promise maps of {expected}, got {found}",
        )


def stages_give_the_maps_that_the_neck_is_given(backbone: Backbone) -> None:
    """A fusion may speak after each of them: the walk by hand ends where `maps` does."""
    images = _images((64, 96))
    backbone.eval()
    if not backbone.stages:  # computed as a whole
        require(backbone.taps == (), "there are `taps` and no `stages`")
        return
    kept = {backbone.STEM: backbone.stem(images)}
    for number, stage in enumerate(backbone.stages):
        kept[number] = stage(kept[number - 1])
        *_, last = backbone.maps(images, until=number)
        assert_close(last, kept[number], rtol=1e-5, atol=1e-5)
    for tapped, each in zip(backbone.taps, backbone.maps(images), strict=True):
        assert_close(backbone.cells(kept[tapped]), each, rtol=1e-5, atol=1e-5)
        back = backbone.with_cells(kept[tapped], each)
        require(back.equal(kept[tapped]), "`with_cells` is not the way back from `cells`")


def a_batch_of_two_equals_two_of_one(backbone: Backbone) -> None:
    """An image's maps do not depend on the rest of its batch; another image has others."""
    images = _images()
    backbone.eval()
    alone = [backbone(image[None]) for image in images]
    for together, *rows in zip(backbone(images), *alone, strict=True):
        assert_close(together, torch.cat(rows), rtol=1e-4, atol=rounding(together))
        is_same = torch.allclose(together[0], together[1], rtol=1e-2, atol=0)
        require(not is_same, "two images have the same map")


def gradients_reach_every_trained_parameter(backbone: Backbone) -> None:
    """No weight is trained that changes nothing."""
    maps = backbone(_images((64, 96)))
    torch.stack([(each * torch.randn_like(each)).sum() for each in maps]).sum().backward()
    require_gradient(backbone)


def the_state_does_not_depend_on_files(backbone: Backbone) -> None:
    """A normalisation is a constant of the class, no weight."""
    found = [name for name in backbone.state_dict() if name.startswith("normalization")]
    require(not found, f"the state dict has {', '.join(found)}; make them no persistent buffers")


CHECKS = (
    widths_and_strides_are_true,
    stages_give_the_maps_that_the_neck_is_given,
    a_batch_of_two_equals_two_of_one,
    gradients_reach_every_trained_parameter,
    the_state_does_not_depend_on_files,
)
