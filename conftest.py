"""What cannot be tested without an extra."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("pydensecrf") else ["refseg/inference/crf.py"]
