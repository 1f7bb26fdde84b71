"""Files of weights that are something else."""

import pickle
from pathlib import Path

import pytest
import torch

from refseg.errors import ConfigError
from refseg.models.weights.files import load_weights, read_weights


class _Danger:
    """Pickled, it would create a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    torch.save({"weight": _Danger(tmp_path / "executed")}, tmp_path / "weights.pt")
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps(_Danger(tmp_path / "executed"), protocol=2))
    for name in ("weights.pt", "pickle.pt"):
        with pytest.raises(ConfigError, match="cannot be read as a file of weights"):
            read_weights(tmp_path / name)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"something else altogether", b"PK\x03\x04cut off"])
def test_broken_files_are_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_weights(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)


@pytest.mark.parametrize("value", [[torch.zeros(1)], {"epoch": 3}, torch.zeros(2)])
def test_other_values_are_refused(tmp_path: Path, value: object) -> None:
    torch.save(value, tmp_path / "weights.pt")
    with pytest.raises(ConfigError, match="Expected a state dict"):
        read_weights(tmp_path / "weights.pt")


def test_counters_of_batch_normalisation_may_be_absent() -> None:
    """Weights converted from Caffe have none."""
    network = torch.nn.BatchNorm2d(2)
    weights = {k: torch.ones(2) for k in ("weight", "bias", "running_mean", "running_var")}
    load_weights(network, weights, "a file")
    assert network.running_mean is not None
    assert network.running_mean.tolist() == [1, 1]
