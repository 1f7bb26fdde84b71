"""Messages from worker processes."""

from collections.abc import Callable

import pytest
from torch.utils.data import DataLoader, Dataset

from refseg.data.worker_errors import original_message
from refseg.errors import DataError

MESSAGE = "cat.jpg is broken: expected this,\ngot that; download it again."
ONE_LINE = r"cat.jpg is broken: expected this,\ngot that; download it again."


class _Broken(Dataset[int]):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        try:
            raise OSError("cannot read")
        except OSError:
            raise DataError(MESSAGE)  # noqa: B904  # a chained error is what is tested


@pytest.mark.parametrize("num_workers", [0, 1])
def test_message_survives_the_worker(num_workers: int) -> None:
    with pytest.raises(DataError) as caught:
        list(DataLoader(_Broken(), num_workers=num_workers))
    assert original_message(caught.value) == ONE_LINE


@pytest.mark.parametrize("change", [str.strip, lambda text: f"Caught {text}"])
def test_other_messages_stay(change: Callable[[str], str]) -> None:
    assert original_message(DataError(change(MESSAGE))) == change(ONE_LINE)
