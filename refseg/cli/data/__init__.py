"""`refseg data VERB`: everything about data sets, one file per verb."""

VERBS = {
    "list": "known data sets, their splits and published sizes, and what is present",
    "download": "fetch a data set, or take over files that you have",
    "verify": "check every file, record, image and mask against the published sizes",
    "stats": "sentences, words, objects and rivals in numbers, and as a page with plots",
    "preview": "a contact sheet of images with masks and sentences",
    "overlap": "images that training and evaluation splits share",
    "shards": "pack references and images for streaming",
    "features": "compute what a frozen backbone makes of each image, once for all",
}
EXAMPLES = """\
examples:
  refseg data list --root DIR
  refseg data download refcoco --root DIR
  refseg data verify refcoco --root DIR
  refseg data preview refcoco --root DIR --split val --grep left"""
