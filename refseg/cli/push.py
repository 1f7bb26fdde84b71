"""`refseg push`: a trained model on the Hugging Face hub, with its card."""

import tempfile
from pathlib import Path

from refseg.cli.parsing.argument_types import Packages


def push(
    checkpoint: Path,
    name: str,
    /,
    *,
    private: bool = False,
    message: str | None = None,
    results: Path | None = None,
    packages: Packages = (),
) -> None:
    """Share a trained model on the Hugging Face hub, where `refseg.load("OWNER/NAME")` finds it.

    What is uploaded is what `save_pretrained` writes in Python: the description of the network, its
    weights, the tokenizer, the config of the training without paths of this machine, and a model
    card with the figures of the run. Log in first, with `hf auth login`.

    Args:
        checkpoint: what `refseg fit` wrote
        name: OWNER/NAME on the hub; made if it is new, else replaced by a new commit
        private: make a new one for its owner alone
        message: of the commit
        results: the evaluation whose figures the card shows, a folder or its results.parquet;
            default: the one in the run, if it is of this checkpoint
        packages: import a package of your own, whose classes the checkpoint may then name; may be
            repeated

    Examples:
        refseg push runs/rmi/checkpoints/best.ckpt ada/rmi-shapes
        refseg push best.ckpt ada/rmi-refcoco --private --message "Longer training"
        refseg push best.ckpt ada/rmi-refcoco --results RUN/test
    """
    from refseg.inference.pipeline import load
    from refseg.inference.upload import check_can_push, push_folder

    check_can_push(name)  # before the work
    model = load(checkpoint, import_packages=packages)
    with tempfile.TemporaryDirectory(prefix="refseg-") as temporary:
        folder = model.save_pretrained(Path(temporary, "model"), name, results)
        size = sum(path.stat().st_size for path in folder.iterdir())
        address = push_folder(folder, name, private=private, message=message)
    print(f"{size / 1e6:,.1f} MB")
    print(f"{'model:':<10}{address}")
    print(f'{"in Python:":<10} refseg.load("{name}")')
