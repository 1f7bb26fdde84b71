"""A stream in the place of a data set: its name, and images that two of its splits share."""

import shutil
from pathlib import Path

import pytest

from refseg.data.datamodule import ReferringDataModule
from refseg.data.mixtures import DataSource, Mixture, Part, choose_training
from refseg.data.readers import read_references
from refseg.data.references import References
from refseg.data.streaming.source import cache_advice, open_stream
from refseg.data.streaming.storage import CACHE_SIZE_VARIABLE
from refseg.data.streaming.writer import write_shards
from refseg.errors import ConfigError

from ..fake_refer import annotations, write_annotations
from .server import Server


def test_the_data_set_of_the_index(shards: Path) -> None:
    for name in ("shapes", "fake"):
        mixture = open_stream(str(shards), DataSource(name))
        assert mixture.splits == ["train", "val", "testA", "testB"]
        assert mixture.parts[0].name == "fake"
    with pytest.raises(ConfigError, match=r"are of fake, but data\.dataset says refcoco; leave"):
        ReferringDataModule(stream=str(shards), dataset="refcoco").setup("fit")


def test_advice_about_the_cache(
    shards: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sizes = [path.stat().st_size for path in shards.glob("*.tar")]
    monkeypatch.setenv(CACHE_SIZE_VARIABLE, str((sum(sizes) + 10) / 1e9))
    assert cache_advice(server.address, 1) is None
    monkeypatch.setenv(CACHE_SIZE_VARIABLE, str((sum(sizes) - 10) / 1e9))
    assert cache_advice(str(shards), 1) is None, "nothing is copied from a folder"
    ReferringDataModule(stream=server.address, num_workers=0).train_dataloader()
    assert f"raise the environment variable {CACHE_SIZE_VARIABLE}" in capsys.readouterr().err


def test_images_of_evaluation_splits_are_left_out_of_training_as_from_the_folder(
    own_root: Path, tmp_path: Path
) -> None:
    refs, instances = annotations()
    for ref in refs:  # one object of image 1 is of val, the others stay in train
        if ref["ann_id"] == 10:
            ref["split"] = "val"
    write_annotations(own_root, refs, instances)
    table = read_references(own_root, "fake").table.to_pylist()
    for row in table:  # names that tell nothing, unlike COCO's
        path = Path(shutil.copy(row["image_path"], tmp_path / f"photo{row['image_id']}.jpg"))
        row["image_path"] = str(path)
    folder = References.from_columns({name: [row[name] for row in table] for name in table[0]})
    write_shards(folder, tmp_path / "shards", "fake", shard_size=1e-6)
    stream = open_stream(str(tmp_path / "shards"), DataSource("fake"))
    trained = [
        choose_training(mixture, ["train"], ["val"])[0]
        .references.table["expression_id"]
        .to_pylist()
        for mixture in (Mixture([Part("fake", DataSource("fake"), folder)]), stream)
    ]
    assert trained[0] == trained[1] == [*range(106, 118), *range(136, 142)]
