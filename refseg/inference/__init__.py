"""From a checkpoint to masks for one's own images, without Lightning and without data sets.

In come a checkpoint, an image and an expression, out comes a mask in the image's own size. Open
`pipeline` first.
"""
