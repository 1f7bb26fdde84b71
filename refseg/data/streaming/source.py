"""A data set in shards, as the data module takes data sets."""

from collections.abc import Sequence

from refseg.data.mixtures import DataSource, Mixture, Part
from refseg.data.streaming.order import WINDOW, ShardOrder
from refseg.data.streaming.shards import index_of, open_shards
from refseg.data.streaming.storage import (
    CACHE_SIZE_VARIABLE,
    address_of,
    cache_limit,
    is_remote,
)
from refseg.errors import ConfigError


def open_stream(stream: str, named: DataSource) -> Mixture:
    """The data set at an address, as a mixture of this one.

    Args:
        stream: folder or URL of the shards, as for `open_shards`.
        named: the data set that the config names; `shapes`, which it names by default, may be any.

    Raises:
        DataError: as `open_shards`.
        ConfigError: the shards are of another data set than the one that is named.
    """
    references = open_shards(stream)
    index = index_of(address_of(stream))
    if named.name not in {"shapes", index.dataset}:
        raise ConfigError(
            f"The shards at {stream} are of {index.dataset}, but data.dataset says {named.name}; "
            "leave data.dataset out, or name the shards of that data set."
        )
    return Mixture([Part(index.dataset, DataSource(index.dataset), references)])


def cache_advice(stream: str, processes: int) -> str | None:
    """A line for the user if the cache is too small for the shards that training mixes, else None.

    Args:
        stream: folder or URL of the shards.
        processes: that train together, taken to be on one machine.
    """
    address = address_of(stream)
    if not is_remote(address):
        return None
    sizes = [shard.size for shard in index_of(address).shards]
    needed = min(sum(sizes), WINDOW * processes * max(sizes))
    if needed <= cache_limit():
        return None
    return (
        f"Training reads from {WINDOW} shards per process at a time, {needed / 1e9:.2g} GB in all, "
        f"but {cache_limit() / 1e9:.2g} GB are kept on disk, so that shards are fetched again and "
        f"again; raise the environment variable {CACHE_SIZE_VARIABLE}, or pack smaller shards."
    )


def shard_order(
    image_paths: Sequence[str], seed: int, processes: int = 1, process: int = 0
) -> ShardOrder:
    """The order of training on images that lie in shards.

    Args:
        image_paths: of each item's image.
        seed: as for `ShardOrder`, like the others.
        processes: how many share the work.
        process: the number of this one.
    """
    shards = [path.rpartition(".tar/")[0] for path in image_paths]
    return ShardOrder(shards, seed, processes, process)
