"""The built-in set: scenes of simple shapes, with sentences that name exactly one of them."""

from refseg.data.shapes.options import ShapesOptions, shapes_folder
from refseg.data.shapes.writer import prepare_shapes

__all__ = ["ShapesOptions", "prepare_shapes", "shapes_folder"]
