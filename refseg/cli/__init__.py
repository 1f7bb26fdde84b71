"""The command line: the verbs, and the function that does what each of them says.

In come the words that a user types, out go exit codes. Each verb is a typed function in a file of
its own, here or in `data` and `bench`; `parsing` makes its parser. To add one, write the function
with its docstring and name it below. `fit`, `validate`, `test` and `predict` live in `trainer`,
their config files in `configs`. Open `segment` first.
"""

from typing import NamedTuple


class Verb(NamedTuple):
    """A verb that is a function.

    Args:
        place: of the function, as `module:name`; it is imported when the verb is called.
        meaning: one line for the list of verbs.
    """

    place: str
    meaning: str


TRAINER_VERBS = {
    "fit": "train a model, evaluate it, and leave a checkpoint, its config and example pictures",
    "validate": "evaluate a checkpoint on the validation split",
    "test": "evaluate a checkpoint on all evaluation splits",
    "predict": "write the masks that a checkpoint predicts for the evaluation splits",
}
VERBS = {
    "evaluate": Verb(
        "refseg.cli.evaluate:evaluate",
        "evaluate checkpoints as other codes would: one forward pass, several protocols",
    ),
    "segment": Verb(
        "refseg.cli.segment:segment",
        "segment what an expression names in a photograph of yours; draw it word by word",
    ),
    "app": Verb(
        "refseg.cli.app:app",
        "a page on which a model segments pictures by sentences",
    ),
    "push": Verb(
        "refseg.cli.push:push",
        "share a checkpoint on the Hugging Face hub, with a card that tells its figures",
    ),
    "export": Verb(
        "refseg.cli.export:export",
        "a checkpoint for other programs: ONNX, torch.export, or a CLIPSeg for transformers",
    ),
    "import-weights": Verb(
        "refseg.cli.import_weights:import_weights",
        "make a checkpoint of the weights that other systems' own code made",
    ),
    "compare": Verb(
        "refseg.cli.compare:compare",
        "is one run better than another, where, and is it more than chance?",
    ),
    "report": Verb(
        "refseg.cli.report:report",
        "one page with figures, breakdowns, a gallery and how the words are read",
    ),
    "sweep": Verb(
        "refseg.cli.sweep:sweep",
        "run a sweep file (fusion × seed, say) on this machine, and compare",
    ),
}
GROUPS = {
    "data": "list, download, verify and look at data sets",
    "bench": "measure speed and memory",
}
EXAMPLES = """\
examples:
  refseg fit --config rmi.yaml
  refseg test --checkpoint runs/rmi/checkpoints/best.ckpt
  refseg segment photo.jpg "the large red star" --checkpoint best.ckpt
  refseg sweep sweeps/fusion.yaml
  refseg compare runs/rmi runs/lstm_cnn --by size
  refseg report runs/rmi runs/lstm_cnn --output report.html

`refseg VERB --help` has the options and more examples."""
