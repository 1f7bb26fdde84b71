"""A parser for each verb, made of the signature and the docstring of its function.

In comes a typed function and the words of a command line, out go its arguments. Open `verb` first.
"""
