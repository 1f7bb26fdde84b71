"""A data set in shards, read from a folder, a web server or an object store while it is used.

In comes the address of a folder of shards, out come `References` whose images are read in place.
Open `shards` first.

Why not all of an engine. litdata (0.2.76) resumes and shuffles, but in a format of its own whose
index may name pickles, without plain HTTP, with boto3, obstore and tifffile behind it; its batches
are composed differently for every number of workers, and with several processes it leaves the last
items out unless told not to. webdataset (1.0.2) is light and its shards are tar files that every
tool opens, but its pipelines keep no state ("WebDataset can't really do this for you", its author
on resuming), are divided over processes by whole shards, and hand URLs to curl. Both are iterators,
while exact counts, equal batches and an exact resume come by themselves where items have numbers.
So the shards are WebDataset's, written by its `TarWriter` and readable by its pipelines and
others'; they are opened by fsspec, which Lightning brings along (http, https; s3, gs, hf and others
with their packages), kept in a bounded cache on disk, and read by number: the rows come from an
Arrow table beside the shards, an image is a path that runs through a shard
(`https://host/refcoco/train-000003.tar/000012/COCO_….jpg`), and `ReferringDataset`, its orders
and the metrics do not know the difference.
"""
