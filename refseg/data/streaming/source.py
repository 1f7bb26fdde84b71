"""A data set in shards, as the data module takes data sets."""

from refseg.data.mixtures import DataSource, Mixture, Part
from refseg.data.streaming.index import index_of, open_shards
from refseg.data.streaming.storage import address_of
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
