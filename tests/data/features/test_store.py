"""A folder of features: what is written is read, and what is not right is said."""

import json
import pickle
from pathlib import Path

import psutil
import pytest
import torch

from refseg.data.collation import collate
from refseg.data.features import FeatureStore
from refseg.data.tokenizers import WordTokenizer
from refseg.errors import ConfigError, DataError
from refseg.geometry import Geometry
from refseg.types import RunLengths, Sample

KEY = {"backbone": "Net", "weights": "a" * 64, "image_size": 64}
DIGEST = bytes(range(32))


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore.create(tmp_path / "features", KEY, {"refseg": "0"})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("is_last", [True, False])
def test_maps_come_back_as_they_were(
    store: FeatureStore, dtype: torch.dtype, is_last: bool
) -> None:
    levels = [torch.randn(5, 4, 3).to(dtype), torch.randn(7, 2, 2).to(dtype)]
    if is_last:
        levels = [level.permute(1, 2, 0).contiguous().permute(2, 0, 1) for level in levels]
    store.write(DIGEST, levels)
    found = FeatureStore.open(store.folder).read(DIGEST, "cat.jpg")
    for before, after in zip(levels, found, strict=True):
        assert after.dtype == dtype
        assert after.stride() == before.stride()
        assert torch.equal(before, after)


def test_a_batch_has_the_layout_of_its_maps() -> None:
    levels = torch.randn(4, 3, 5).permute(2, 0, 1), torch.randn(5, 4, 3)
    sample = Sample(
        image=None,
        masks=torch.zeros(1, 8, 8, dtype=torch.bool).numpy(),
        expressions=("a cat",),
        expression_ids=(1,),
        truths=(RunLengths(8, 8, b""),),
        image_path="cat.jpg",
        geometry=Geometry.letterbox(8, 8, 8),
        features=levels,
    )
    tokenizer = WordTokenizer()
    tokenizer.build(["a cat"])
    batch = collate([sample, sample], tokenizer)
    assert batch.size == (8, 8)
    assert batch.images is None
    assert batch.features is not None
    assert batch.features[0].is_contiguous(memory_format=torch.channels_last)
    assert batch.features[1].is_contiguous()
    for maps, level in zip(batch.features, levels, strict=True):
        assert torch.equal(maps, torch.stack([level, level]))
    picked = batch.select([1])
    assert picked.features is not None
    assert [maps.shape[0] for maps in picked.features] == [1, 1]
    moved = batch.to("meta")
    assert moved.features is not None
    assert {maps.device.type for maps in moved.features} == {"meta"}


def test_reading_maps_memory_instead_of_filling_it(store: FeatureStore) -> None:
    digests = [bytes([number]) * 32 for number in range(30)]
    for digest in digests:
        store.write(digest, [torch.ones(8, 512, 512)])  # 8 MB
    process = psutil.Process()
    kept = [store.read(digest, "cat.jpg") for digest in digests[:1]]
    before = process.memory_info().rss
    total = sum(float(store.read(digest, "cat.jpg")[0].sum()) for digest in digests)
    assert total == 30 * 8 * 512 * 512
    assert process.memory_info().rss - before < 40e6  # of 240 MB
    del kept


def test_another_process_is_told_where_it_lies(store: FeatureStore) -> None:
    store.write(DIGEST, [torch.ones(1, 2, 2)])
    again = pickle.loads(pickle.dumps(store))
    assert torch.equal(again.read(DIGEST, "x")[0], torch.ones(1, 2, 2))


def test_other_keys_are_refused_and_what_differs_is_named(store: FeatureStore) -> None:
    store.expect(dict(reversed([*KEY.items()])))
    other = {**KEY, "weights": "b" * 64, "image_size": 32, "fill": 0}
    with pytest.raises(ConfigError) as raised:
        FeatureStore.create(store.folder, other, {})
    message = str(raised.value)
    assert "weights is aaaaaaaaaaaa…aaaaaa there and bbbbbbbbbbbb…bbbbbb here" in message
    assert "image_size is 64 there and 32 here" in message
    assert "fill is None there and 0 here" in message
    assert "backbone" not in message.replace("refseg data features", "")


def test_the_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(ConfigError, match="holds something else"):
        FeatureStore.create(tmp_path, KEY, {})
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2, "key": {}, "made": {}}'])
def test_broken_records(store: FeatureStore, text: str) -> None:
    (store.folder / "features.json").write_text(text)
    with pytest.raises(ConfigError, match=r"features\.json cannot be read as the record"):
        FeatureStore.open(store.folder)


def test_an_absent_store(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"make it with: refseg data features"):
        FeatureStore.open(tmp_path / "nothing")


def test_missing_and_damaged_features_name_image_and_command(
    store: FeatureStore, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"no features of cat\.jpg .* refseg data features"):
        store.read(DIGEST, "cat.jpg")
    store.write(DIGEST, [torch.ones(1, 20, 20)])
    path = store.path(DIGEST)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"features of cat\.jpg in .* cannot be read"):
        store.read(DIGEST, "cat.jpg")
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(DataError, match="delete that file"):
        store.read(DIGEST, "cat.jpg")


def test_the_record_is_plain_text(store: FeatureStore) -> None:
    record = json.loads((store.folder / "features.json").read_text())
    assert record == {"format": 1, "key": KEY, "made": {"refseg": "0"}}
