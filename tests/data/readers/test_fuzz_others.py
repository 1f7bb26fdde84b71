"""Damaged files of ReferIt, PhraseCut, the hub's parquet and own folders.

Whatever the files contain, the result is references that can be used, or one error that names the
file: no other exception, no warning, no crash, no hang, and no memory.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refseg.data.readers import OnBadRecord, read_references

from .. import fake_folder, fake_hub, fake_phrasecut, fake_refer, fake_referit
from ..hostile import damaged, damaged_bytes, to_json
from .fuzzing import judge, limits, repeatedly, start_clock


class Files(dict[str, bytes]):
    """What a case writes over the data set's own files, by their path in its folder."""

    def __repr__(self) -> str:
        """Sizes only: the contents of a parquet file are too long to read."""
        return f"Files({', '.join(f'{name}: {len(data)} bytes' for name, data in self.items())})"


def read_case(root: Path, dataset: str, files: Files, policy: OnBadRecord) -> None:
    """Write a case over the good files, read it, and put the good files back."""
    folder = root / dataset
    good = {name: (folder / name).read_bytes() for name in files}
    try:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        references = judge(lambda: read_references(root, dataset, on_bad_record=policy), folder)
    except Exception:
        for name, content in files.items():  # to look at
            (root / f"failed-{Path(name).name}").write_bytes(content)
        raise
    finally:
        for name, content in good.items():
            (folder / name).write_bytes(content)
    if references is not None:
        for message in (*references.skipped, *references.notes):
            assert str(folder) in message


def in_json(files: dict[str, Any]) -> Files:
    return Files({f"{name}.json": to_json(value).encode() for name, value in files.items()})


def bytes_of(root: Path, *names: str) -> st.SearchStrategy[Files]:
    """One of some files, damaged."""
    return st.one_of(
        *(
            damaged_bytes((root / name).read_bytes()).map(
                lambda data, name=name: Files({name: data})
            )
            for name in names
        )
    )


def referit_cases(root: Path) -> st.SearchStrategy[Files]:
    fake_referit.write_fake_referit(root)
    (root / "referit" / "mask" / "40689_1.mat").unlink()
    fake_referit.write_mask(
        root / "referit" / "mask" / "112_1.mat", fake_referit.region_mask("112_1"), compress=False
    )
    names = ("referit_query_train", "referit_query_val", "referit_bbox", "referit_imsize")
    return st.one_of(
        damaged(lambda: {name: fake_referit.content()[name] for name in names}).map(in_json),
        damaged(lambda: {name: fake_referit.content()[name] for name in names}).map(in_json),
        bytes_of(
            root / "referit",
            *(f"{name}.json" for name in names),
            "mask/112_1.mat",
            "mask/38100_3.mat",
        ),
    )


def phrasecut_cases(root: Path) -> st.SearchStrategy[Files]:
    fake_phrasecut.write_fake_phrasecut(root)
    names = ("refer_train", "refer_val", "image_data_split3000")
    return st.one_of(
        *(
            damaged(lambda name=name: fake_phrasecut.content()[name]).map(
                lambda value, name=name: in_json({name: value})
            )
            for name in names
        ),
        bytes_of(root / "phrasecut", *(f"{name}.json" for name in names), "images/61.jpg"),
    )


def hub_cases(root: Path) -> st.SearchStrategy[Files]:
    refs, instances = fake_refer.annotations()
    content = [row for row in fake_hub.rows(refs, instances) if row["image_id"] in (1, 4)]
    fake_hub.write_parquet(root / "refcoco" / "data", content)
    fake_refer.write_images(root / "coco" / "train2014")
    (root / "images").mkdir()
    train = fake_hub.FILES["train"]
    small = [row for row in content if row["split"] == "train"]

    def rows() -> list[dict[str, Any]]:
        parsed = json.loads(json.dumps(small))
        for row in parsed:
            for name in ("raw_anns", "raw_image_info"):
                row[name] = json.loads(row[name])
        return list(parsed)

    def parquet(value: Any) -> Files:  # noqa: ANN401  # damaged rows
        """Parquet has types: what does not fit them is left out, and the inner JSON keeps it."""
        value = [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
        for row in value:
            for name in ("raw_anns", "raw_image_info"):
                if name in row:
                    row[name] = to_json(row[name])
        try:
            table = pa.Table.from_pylist(value, fake_hub.SCHEMA)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            table = pa.Table.from_pylist(small, fake_hub.SCHEMA)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, row_group_size=2)
        return Files({f"data/{train}": sink.getvalue().to_pybytes()})

    return st.one_of(damaged(rows).map(parquet), bytes_of(root / "refcoco", f"data/{train}"))


def csv_cases(root: Path) -> st.SearchStrategy[Files]:
    fake_folder.write_fake_folder(root)
    folder = root / "mine"

    def csv(lines: Any) -> Files:  # noqa: ANN401  # damaged lines
        lines = [line for line in lines if isinstance(line, dict)]
        lines = [{"mask": "", **line} for line in lines]
        path = root / "lines.csv"
        fake_folder.write_csv(path, _without_surrogates(lines))
        return Files({"annotations.csv": path.read_bytes()})

    return st.one_of(
        damaged(fake_folder.records).map(csv),
        bytes_of(folder, "annotations.csv", "masks/dog.png", "street.png", "dog.jpg"),
    )


def _without_surrogates(value: Any) -> Any:  # noqa: ANN401  # any JSON
    return json.loads(json.dumps(value).replace("\\ud800", "?"))


def jsonl_cases(root: Path) -> st.SearchStrategy[Files]:
    folder = root / "mine"
    fake_folder.write_files(folder)
    fake_folder.write_jsonl(folder / "annotations.jsonl", records())

    def jsonl(lines: Any) -> Files:  # noqa: ANN401  # damaged lines
        text = "".join(to_json(line) + "\n" for line in lines)
        return Files({"annotations.jsonl": text.encode()})

    return st.one_of(damaged(records).map(jsonl), bytes_of(folder, "annotations.jsonl"))


def records() -> list[dict[str, Any]]:
    first, *others = fake_folder.records()
    many = {**first, "id": 9, "expressions": ["a dog", "the dog"]}
    del many["expression"]
    return [many, *others]


CASES: dict[str, tuple[str, Callable[[Path], st.SearchStrategy[Files]], int]] = {
    "referit": ("referit", referit_cases, 2600),
    "phrasecut": ("phrasecut", phrasecut_cases, 2400),
    "hub": ("refcoco", hub_cases, 1400),
    "csv": ("mine", csv_cases, 2000),
    "jsonl": ("mine", jsonl_cases, 2000),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "share",
    [pytest.param(0.03, id="few"), pytest.param(1, id="many", marks=pytest.mark.slow)],
)
def test_damaged_files(tmp_path: Path, name: str, share: float) -> None:
    dataset, strategy, count = CASES[name]
    cases = strategy(tmp_path)
    assert read_references(tmp_path, dataset).skipped == ()  # before the damage

    @repeatedly(round(count * share))
    @given(files=cases, policy=st.sampled_from(["error", "skip"]))
    def read_them(files: Files, policy: OnBadRecord) -> None:
        start_clock()
        read_case(tmp_path, dataset, files, policy)

    with limits():
        read_them()
