from .base import TextEncoder as TextEncoder
from .clip import ClipTextEncoder as ClipTextEncoder
from .lstm import LSTMEncoder as LSTMEncoder
from .transformers import TransformersEncoder as TransformersEncoder
