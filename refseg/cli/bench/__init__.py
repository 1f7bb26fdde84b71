"""`refseg bench VERB`: how fast things are, and how much memory they take."""

from refseg.cli import Verb

VERBS = {
    "data": Verb(
        "refseg.cli.bench.data:bench_data",
        "open a full-size data set, read it with several workers; decode photographs",
    ),
    "evaluation": Verb(
        "refseg.cli.bench.evaluation:bench_evaluation",
        "what evaluation costs beside the network, in time and memory",
    ),
    "export": Verb(
        "refseg.cli.bench.export:bench_export",
        "size and speed of a model as ONNX, beside the same model here",
    ),
    "fusion": Verb(
        "refseg.cli.bench.fusion:bench_fusion",
        "what each fusion costs: parameters, operations, memory, time per expression",
    ),
    "limits": Verb(
        "refseg.cli.bench.limits:bench_limits",
        "mLSTM and networks beside the plain way to compute them, and beside bare matrix products",
    ),
    "startup": Verb(
        "refseg.cli.bench.startup:bench_startup",
        "how long commands take in a process of their own, beside the import of torch",
    ),
    "train": Verb(
        "refseg.cli.bench.train:bench_train",
        "how fast systems train, and what loading, backbone, fusion and the rest take of it",
    ),
}
EXAMPLES = """\
examples:
  refseg bench data
  refseg bench evaluation --expressions 100000
  refseg bench export best.ckpt
  refseg bench fusion
  refseg bench limits
  refseg bench train"""
