"""Shards in an object store, which moto plays on this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from refseg.data.datamodule import ReferringDataModule
from refseg.data.readers import read_references
from refseg.data.streaming.shards import open_shards
from refseg.errors import DataError

pytestmark = [
    pytest.mark.slow,
    # of the packages of the object store and of its stand-in
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def bucket(shards: Path) -> Iterator[str]:
    """The shards of `fake` in a bucket."""
    pytest.importorskip("s3fs", reason="pip install 'refseg[stream]'")
    moto = pytest.importorskip("moto.server", reason="pip install 'moto[server]'")
    import boto3

    server = moto.ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("NO_PROXY", "127.0.0.1")
        client = boto3.client("s3")
        client.create_bucket(Bucket="data")
        for path in shards.iterdir():
            client.upload_file(str(path), "data", f"sets/fake/{path.name}")
        yield "s3://data/sets/fake"
    server.stop()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_every_expression_with_the_image_of_the_folder(
    bucket: str, fake_root: Path, cache: Path, num_workers: int
) -> None:
    options = {"image_size": 16, "batch_size": 2, "num_workers": num_workers}
    data = ReferringDataModule(stream=bucket, **options)
    folder = ReferringDataModule(root=fake_root, dataset="fake", **options)
    assert open_shards(bucket).fingerprint() == read_references(fake_root, "fake").fingerprint()
    assert sum(len(batch) for batch in data.train_dataloader()) == 24
    for ours, theirs in zip(data.test_dataloader(), folder.test_dataloader(), strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert (one.images == other.images).all()
            assert one.expression_ids == other.expression_ids
    assert len(list(cache.glob("*.tar"))) == 7


def test_what_is_not_there(bucket: str, cache: Path) -> None:
    with pytest.raises(DataError, match=r"There is no s3://data/sets/none/index\.json"):
        open_shards("s3://data/sets/none")
