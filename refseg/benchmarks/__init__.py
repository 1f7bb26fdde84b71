"""Measurements of speed and memory, on data made for the purpose."""

from refseg.benchmarks.full_size import SetSize, write_refer_set

__all__ = ["SetSize", "write_refer_set"]
