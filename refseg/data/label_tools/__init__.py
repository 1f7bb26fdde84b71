"""One's own data as label tools export it, made into a folder that `read_folder` reads.

A file for each format, which gives its labelled objects one by one; `importing` finds the images
and writes the table. Open `importing` first.
"""
