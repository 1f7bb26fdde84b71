"""Config files: where they are found, how they are made of others, what a checkpoint's one may say.

In comes the name of a config, out go its options. Open `files` first.
"""
