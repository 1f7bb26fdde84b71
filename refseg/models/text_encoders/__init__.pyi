from .base import TextEncoder as TextEncoder
from .lstm import LSTMEncoder as LSTMEncoder
from .transformers import TransformersEncoder as TransformersEncoder
