"""Results as data: a row per expression, from one process or several."""

import hashlib
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial, partialmethod
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image

from refseg.__main__ import main
from refseg.data import read_references
from refseg.data.objects import read_objects
from refseg.errors import DataError
from refseg.evaluation import PROTOCOLS
from refseg.evaluation.figures import figures_of
from refseg.evaluation.results import (
    RESULTS_SCHEMA,
    RLE,
    Results,
    read_results,
    write_results,
    writing_results,
)
from refseg.masks import decode
from refseg.types import RunLengths

from ...data.fake_grefcoco import write_fake_grefcoco

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def checkpoint(eager: Path) -> str:
    return str(eager)


@pytest.fixture(scope="module")
def tested(checkpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("tested")
    words = ["--ckpt_path", checkpoint, "--output", str(folder), "--save_masks", "true"]
    assert main(["test", *words]) == 0
    return read_results(folder)


def test_rows_give_the_figures_of_the_metrics_bit_for_bit(tested: Results) -> None:
    metrics = json.loads((tested.path.parent / "metrics.json").read_text())["metrics"]
    assert figures_of(tested.table) == metrics == tested.summary["metrics"]
    assert list(metrics) == ["val", "testA", "testB"]
    assert 0 < metrics["val"]["overall_iou"] < 1


def test_each_expression_of_the_data_set_has_a_row(tested: Results, shapes_root: Path) -> None:
    references = read_references(shapes_root, "shapes")
    for split in ("val", "testA", "testB"):
        known = references.split(split).table
        rows = tested.table.filter(pc.equal(tested.table["split"].cast("string"), split))
        assert rows["expression_id"].to_pylist() == sorted(known["expression_id"].to_pylist())
        assert len(known) == tested.summary["expressions"][split]
        for name in ("reference_id", "image_path", "expression", "category_ids"):
            wanted = dict(
                zip(known["expression_id"].to_pylist(), known[name].to_pylist(), strict=True)
            )
            found = zip(rows["expression_id"].to_pylist(), rows[name].to_pylist(), strict=True)
            assert dict(found) == wanted


def test_counts_are_those_of_the_saved_masks(tested: Results, shapes_root: Path) -> None:
    """Counted again from scratch: the saved prediction against the annotation."""
    references = read_references(shapes_root, "shapes")
    truths = {
        number: references.truth(row)
        for row, number in enumerate(references.table["expression_id"].to_pylist())
    }
    assert tested.table.schema.names == [*RESULTS_SCHEMA.names, RLE.name]
    for row in tested.table.to_pylist():
        truth = decode(truths[row["expression_id"]])
        prediction = decode(RunLengths(row["height"], row["width"], row["rle"]))
        assert row["intersection"] == (truth & prediction).sum()
        assert row["union"] == (truth | prediction).sum()
        assert row["area"] == truth.sum()
        assert row["predicted_area"] == prediction.sum()
        assert row["object_size"] == pytest.approx(truth.mean())
        assert row["iou"] == (row["intersection"] / row["union"] if row["union"] else 1.0)
        assert 0.5 < row["score"] <= 1 if prediction.any() else row["score"] == 0
    with Image.open(row["image_path"]) as image:
        assert image.size == (row["width"], row["height"])


def test_what_is_said_of_expressions_follows_from_the_annotations(
    tested: Results, shapes_root: Path
) -> None:
    content = json.loads((shapes_root / "shapes" / "instances.json").read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    objects = read_objects(shapes_root, "shapes")
    assert objects is not None
    for row in tested.table.to_pylist():
        (category,) = row["category_ids"]
        assert row["category"] == names[category]
        same = [
            annotation["id"]
            for annotation in content["annotations"]
            if (annotation["image_id"], annotation["category_id"]) == (row["image_id"], category)
        ]
        assert row["distractors"] == len(set(same) - set(row["annotation_ids"]))
        words = row["expression"].split()
        assert row["words"] == len(words)
        if {"left", "top"} & set(words) and "of" not in words:
            assert row["position_words"]
        if {"red", "large"} & set(words):
            assert row["attribute_words"]
    assert sum(tested.table["distractors"].to_pylist()) > 0


def test_the_summary_says_what_was_evaluated(tested: Results, checkpoint: str) -> None:
    summary = tested.summary
    assert summary["format"] == 1
    assert summary["model"]["fusion"] == "MultimodalLSTM"
    assert summary["checkpoint"] == checkpoint
    assert summary["leakage"] == {"train_on_evaluation_images": False}
    assert summary["data"]["splits"] == ["val", "testA", "testB"]
    assert len(summary["data"]["fingerprint"]) == len(hashlib.sha256().hexdigest())
    assert {"refseg", "torch", "python"} <= set(summary["versions"])
    assert isinstance(summary["seed"], int)


def test_validate_writes_results_without_masks(
    checkpoint: str, tmp_path: Path, tested: Results
) -> None:
    assert main(["validate", "--ckpt_path", checkpoint, "--output", str(tmp_path)]) == 0
    validated = read_results(tmp_path).table
    assert validated.schema.names == RESULTS_SCHEMA.names
    of_val = tested.table.filter(pc.equal(tested.table["split"].cast("string"), "val"))
    assert validated.to_pylist() == of_val.drop([RLE.name]).to_pylist()
    assert not list(tmp_path.glob(".*")), "no parts are left"


@pytest.mark.slow
def test_several_processes_write_the_rows_of_one(
    checkpoint: str, tmp_path: Path, tested: Results
) -> None:
    """Three images for two processes: one is repeated, and counts once."""
    words = [
        *("test", "--ckpt_path", checkpoint),
        *("--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp"),
        *("--data.batch_size=3", "--data.test_splits=[val]", "--output", str(tmp_path)),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "refseg", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    together = read_results(tmp_path)
    alone = tested.table.filter(pc.equal(tested.table["split"].cast("string"), "val"))
    assert together.table.to_pylist() == alone.select(RESULTS_SCHEMA.names).to_pylist()
    assert together.summary["metrics"]["val"] == tested.summary["metrics"]["val"]
    assert not list(tmp_path.glob(".*"))


@pytest.mark.slow
def test_several_processes_write_the_file_of_one_after_hundreds_of_batches(
    checkpoint: str, tmp_path: Path
) -> None:
    """Counts are joined now and then: here each process does so twice."""
    words = [
        *("test", "--ckpt_path", checkpoint, "--data.test_splits=[testA]", "--data.batch_size=1"),
        *("--data.max_expressions=1", "--data.shapes.evaluation_images=50"),
    ]
    alone, together = tmp_path / "alone", tmp_path / "together"
    ddp = ["--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp"]
    assert main([*words, "--output", str(alone)]) == 0
    command = [sys.executable, "-m", "refseg", *words, *ddp, "--output", str(together)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = read_results(alone), read_results(together)
    assert one.table.num_rows > 2 * 2 * 64
    assert (alone / "results.parquet").read_bytes() == (together / "results.parquet").read_bytes()
    for name in ("metrics", "protocols", "expressions", "data"):
        assert one.summary[name] == two.summary[name]


def test_another_protocol_stands_beside_the_standard_one(
    checkpoint: str, tmp_path: Path, tested: Results
) -> None:
    """Rows stay those of the standard protocol; the summary says which figures are which."""
    words = ["test", "--ckpt_path", checkpoint, "--output", str(tmp_path)]
    assert main([*words, "--evaluation.protocol", "rmi", "--data.test_splits=[val]"]) == 0
    found = read_results(tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["protocol"] == "rmi"
    assert found.summary["protocol"] == "standard"
    assert found.summary["protocols"] == {"rmi": metrics["metrics"]}
    assert found.summary["metrics"] == figures_of(found.table)
    assert found.summary["metrics"]["val"] == tested.summary["metrics"]["val"]
    assert metrics["metrics"]["val"] != found.summary["metrics"]["val"], "masks are dilated"


def test_all_protocols_are_in_the_summary(checkpoint: str, tmp_path: Path) -> None:
    words = ["test", "--ckpt_path", checkpoint, "--output", str(tmp_path)]
    assert main([*words, "--evaluation.protocol", "all", "--data.test_splits=[val]"]) == 0
    summary = read_results(tmp_path).summary
    assert list(summary["protocols"]) == list(PROTOCOLS)
    assert summary["protocols"]["standard"] == summary["metrics"]
    assert summary["crf"] is None


def test_a_broken_evaluation_leaves_neither_rows_nor_parts(
    checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from refseg.training.module import ReferringSegmentation

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ReferringSegmentation, "_finish_evaluation", fail)
    monkeypatch.setattr(ReferringSegmentation, "on_test_epoch_end", fail)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        raise SystemExit(main(["test", "--ckpt_path", checkpoint, "--output", str(tmp_path)]))
    assert not list(tmp_path.glob("*.parquet"))
    assert not list(tmp_path.glob(".*"))


def test_rows_that_are_written_anew_take_what_described_the_old_ones_with_them(
    tested: Results, tmp_path: Path
) -> None:
    shutil.copytree(tested.path.parent, tmp_path / "out")
    path = tmp_path / "out" / "results.parquet"
    with pytest.raises(DataError), writing_results(path):
        raise DataError("a full disk, say")
    assert read_results(path).summary == tested.summary, "nothing has changed"
    write_results(path, tested.table.slice(1))
    assert not (path.parent / "summary.json").exists()
    assert not (path.parent / "metrics.json").exists()
    assert read_results(path).summary == {}


def test_a_summary_of_other_rows_is_refused(
    tested: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As earlier versions left it when they were killed, or as somebody copied it."""
    write_results(tmp_path / "results.parquet", tested.table.slice(1))
    shutil.copy(tested.path.parent / "summary.json", tmp_path)
    for words in (["compare"], ["report", "--output", str(tmp_path / "page.html")]):
        assert main([words[0], str(tmp_path), *words[1:], "--resamples", "100"]) == 2
        message = capsys.readouterr().err
        assert "got that of other rows" in message
        assert "write both again with `refseg test`" in message
    assert not (tmp_path / "page.html").exists()


def test_rows_without_a_summary_are_told_of(
    tested: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(tested.path, tmp_path)
    assert main(["compare", str(tmp_path), "--resamples", "100"]) == 0
    assert "rows without their summary.json" in " ".join(capsys.readouterr().out.split())


class Killed(BaseException):
    """As if the process had ended here."""


@contextmanager
def killed_after(changes: int, folder: Path) -> Iterator[None]:
    """Let that many renames and removals in a folder happen, and end with the next one."""
    left = iter(range(changes))

    def change(
        original: Callable[..., object], path: Path, *rest: object, **options: object
    ) -> object:
        target = next((one for one in rest if isinstance(one, Path)), path)
        if target.parent == folder and target.name[0] != "." and next(left, None) is None:
            raise Killed
        return original(path, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "unlink"):
            patch.setattr(Path, name, partialmethod(partial(change, getattr(Path, name))))
        yield


@pytest.mark.slow
def test_an_evaluation_killed_between_any_two_files_leaves_none_that_contradict(
    checkpoint: str, tested: Results, tmp_path: Path
) -> None:
    words = ["test", "--ckpt_path", checkpoint, "--data.test_splits=[testB]"]
    states = set()
    for changes in itertools.count():
        folder = tmp_path / str(changes)
        shutil.copytree(tested.path.parent, folder)
        with suppress(Killed), killed_after(changes, folder):
            assert main([*words, "--output", str(folder)]) == 0
            break
        found = read_results(folder)
        figures = figures_of(found.table)
        assert not found.summary or found.summary["metrics"] == figures
        metrics = folder / "metrics.json"
        assert not metrics.exists() or json.loads(metrics.read_text())["metrics"] == figures
        states.add(("+".join(figures), metrics.exists(), bool(found.summary)))
    assert list(figures_of(read_results(folder).table)) == ["testB"]
    old = "val+testA+testB"
    assert {(old, True, True), (old, False, False), ("testB", False, False)} <= states


def test_results_are_plain_parquet(tested: Results) -> None:
    """Another program reads them, types included."""
    import pyarrow.parquet as pq

    assert pq.read_schema(tested.path).field("split").type == pa.dictionary(pa.int32(), pa.string())


def test_damaged_files_are_told_of_in_one_message(
    tested: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = tested.path.read_bytes()
    summary = (tested.path.parent / "summary.json").read_bytes()
    cases = {
        "cut": (content[: len(content) // 2], summary, "results.parquet cannot be read"),
        "empty": (b"", summary, "results.parquet cannot be read"),
        "text": (b"intersection,union\n", summary, "results.parquet cannot be read"),
        "half": (content, summary[: len(summary) // 2], "summary.json is not complete JSON"),
        "list": (content, b"[]", "summary.json: expected an object"),
        "binary": (content, b"\xff\xfe\x00", "summary.json is not complete JSON"),
        "deep": (content, b"[" * 100_000, "summary.json is not complete JSON"),
    }
    for name, (rows, about, told) in cases.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "results.parquet").write_bytes(rows)
        (folder / "summary.json").write_bytes(about)
        assert main(["compare", str(folder), str(tested.path), "--resamples", "100"]) == 2, name
        message = capsys.readouterr().err
        assert told in message
        assert "write it again with `refseg test`" in message
        assert len(message.splitlines()) == 1, name
        assert "Traceback" not in message


def test_expressions_that_name_nothing(
    checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """gRefCOCO: the figures have N-acc and T-acc, and so has what follows from the rows."""
    root = write_fake_grefcoco(tmp_path / "root")
    words = ["--data.root", str(root), "--data.dataset", "grefcoco", "--data.test_splits=[val]"]
    output = tmp_path / "out"
    assert main(["test", "--ckpt_path", checkpoint, *words, "--output", str(output)]) == 0
    found = read_results(output)
    metrics = json.loads((output / "metrics.json").read_text())["metrics"]
    assert figures_of(found.table) == metrics == found.summary["metrics"]
    assert {"no_target_accuracy", "target_accuracy"} <= set(metrics["val"])
    nothing = [row for row in found.table.to_pylist() if not row["annotation_ids"]]
    assert nothing
    for row in nothing:
        assert (row["area"], row["object_size"], row["category"]) == (0, 0, None)
        assert row["iou"] == (0 if row["predicted_area"] else 1)
    capsys.readouterr()
    words = ["--by", "size", "category", "rivals", "--resamples", "100", "--lengths", "unc"]
    assert main(["compare", str(output), *words]) == 0
    assert capsys.readouterr().out.count("names nothing") == 3
