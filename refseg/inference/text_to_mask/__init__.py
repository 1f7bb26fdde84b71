"""Text-to-mask models of the transformers library, which answer like a model of refseg.

In come an image and expressions, out come masks in the image's own size. One file for each family;
open `base` first.
"""
