"""Weights that others trained: their files, their hub, and what is remembered of their origin."""
