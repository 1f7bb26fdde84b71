"""From tokens to word and sentence vectors, one file per family."""

from refseg.models.text_encoders.base import TextEncoder
from refseg.models.text_encoders.lstm import LSTMEncoder
from refseg.models.text_encoders.transformers import TransformersEncoder

__all__ = ["LSTMEncoder", "TextEncoder", "TransformersEncoder"]
