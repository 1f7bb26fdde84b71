"""The config in a checkpoint is read as it was written, or not at all."""

import time

import pytest
import yaml

from refseg.checkpoint.config import config_in
from refseg.errors import CheckpointError

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


def test_a_config_is_the_one_that_was_written() -> None:
    content = {"model": {"a": [1, 2.5, None, True, "x: y"]}, "data": {}}
    text = yaml.safe_dump(content)
    assert config_in({"refseg": {"config": text}}, "x.ckpt") == content
    shared = [1, 2]
    content = {"model": {"a": shared, "b": shared}, "data": {"c": [shared]}}
    assert "*" in (text := yaml.safe_dump(content))
    assert config_in({"refseg": {"config": text}}, "x.ckpt") == content
    assert config_in({"refseg": {"config": None}}, "x.ckpt") is None
    assert config_in({}, "x.ckpt") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1, 2]", "got a list"),
        ("just words", "got 'just words'"),
        (3, "got 3"),
        (["model"], "got a list"),
        ("1: 2", "by their names"),
        ("model: [", "cannot be read"),
        (BOMB, "more than 100,000 values, written out"),
        (BOMB + "model: {<<: [*a39, *a39]}", "more than 100,000 values"),
        ("model: &a {b: [*a]}", "more than 100,000 values"),
        ("model: " + "[" * 50_000, "nested"),
        ("model: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("x" * 200_000, "got a longer text"),
        ("a: 2001-99-99", "month must be"),
    ],
)
def test_what_is_no_config_ends_in_one_message(text: object, expected: str) -> None:
    start = time.process_time()
    with pytest.raises(
        CheckpointError, match=r"config in x\.ckpt .*name one with --config"
    ) as caught:
        config_in({"refseg": {"config": text}}, "x.ckpt")
    assert expected in str(caught.value)
    assert time.process_time() - start < 5
