"""From files to batches. Knows no networks.

In come the files of a data set as they are published, out come batches. Open `readers/refer` first,
then follow a sample: `references`, `dataset`, `transforms`, `collation`, `datamodule`.

The public names stand in `__init__.pyi`, for readers and type checkers alike; each is imported when
it is asked for, so that `refseg data list` needs no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
