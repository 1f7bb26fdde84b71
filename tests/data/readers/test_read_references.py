"""The format is recognised by the files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from refseg.data.readers import read_references
from refseg.errors import DataError

from ..fake_folder import write_fake_folder
from ..fake_hub import write_fake_hub
from ..fake_phrasecut import write_fake_phrasecut
from ..fake_refer import write_fake_refer
from ..fake_referit import write_fake_referit

WRITERS: dict[str, tuple[Callable[[Path], Path], int]] = {
    "fake": (write_fake_refer, 42),
    "referit": (write_fake_referit, 10),
    "phrasecut": (write_fake_phrasecut, 5),
    "refcoco": (write_fake_hub, 42),
    "mine": (write_fake_folder, 4),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder with a data set of each format."""
    root = tmp_path_factory.mktemp("all")
    for write, _ in WRITERS.values():
        write(root)
    return root


@pytest.mark.parametrize("dataset", WRITERS)
def test_each_format(root: Path, dataset: str) -> None:
    references = read_references(root, dataset)
    assert len(references) == WRITERS[dataset][1]
    assert references.source.split()[0] == dataset


def test_says_what_it_looked_for(root: Path, tmp_path: Path) -> None:
    looked_for = (
        r"looked for grefs\(\*\)\.json \(gRefCOCO\); refs\(\*\)\.p \(REFER\); "
        r"referit_query_\*\.json \(ReferIt\); "
        r"image_data_split3000\.json \(PhraseCut\); train-\*\.parquet and the like, here or in "
        r"data/ \(Hugging Face hub\); annotations\.csv or annotations\.jsonl \(one's own data\)"
    )
    present = "it has fake, mine, phrasecut, refcoco, referit "
    with pytest.raises(DataError, match=rf"no folder 'refcoco\+' with annotations; {present}"):
        read_references(root, "refcoco+")
    with pytest.raises(DataError, match=looked_for):
        read_references(root, "coco")
    with pytest.raises(DataError, match="it has none of a known format"):
        read_references(tmp_path, "refcoco")
    with pytest.raises(DataError, match=r"nowhere is absent; give .* --data\.root"):
        read_references(tmp_path / "nowhere", "refcoco")
