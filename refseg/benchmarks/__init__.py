"""Measurements of speed and memory, on data made for the purpose."""
