"""The built-in set: scenes of simple shapes, with sentences that name exactly one of them.

In come options, out comes a folder in REFER layout. Open `scenes` first, then `drawing`, `meaning`,
`expressions`, `wording` and `writer`.
"""

from refseg.data.shapes.options import ShapesOptions, shapes_folder
from refseg.data.shapes.writer import prepare_shapes

__all__ = ["ShapesOptions", "prepare_shapes", "shapes_folder"]
