"""`refseg data VERB`: everything about data sets, one file per verb."""

from refseg.cli import Verb

VERBS = {
    "list": Verb(
        "refseg.cli.data.list:list_datasets",
        "known data sets, their splits and published sizes, and what is present",
    ),
    "download": Verb(
        "refseg.cli.data.download:download", "fetch a data set, or take over files that you have"
    ),
    "import": Verb(
        "refseg.cli.data.import_labels:import_labels",
        "make a data set of your own of what a label tool has exported",
    ),
    "verify": Verb(
        "refseg.cli.data.verify:verify",
        "check every file, record, image and mask against the published sizes",
    ),
    "stats": Verb(
        "refseg.cli.data.stats:stats",
        "sentences, words, objects and distractors in numbers, and as a page with plots",
    ),
    "preview": Verb(
        "refseg.cli.data.preview:preview", "a contact sheet of images with masks and sentences"
    ),
    "overlap": Verb(
        "refseg.cli.data.overlap:overlap", "images that training and evaluation splits share"
    ),
    "shards": Verb("refseg.cli.data.shards:shards", "pack references and images for streaming"),
    "features": Verb(
        "refseg.cli.data.features:features",
        "compute what a frozen backbone makes of each image, once for all",
    ),
}
EXAMPLES = """\
examples:
  refseg data list --root DIR
  refseg data download refcoco --root DIR
  refseg data verify refcoco --root DIR
  refseg data preview refcoco --root DIR --splits val --grep left"""
