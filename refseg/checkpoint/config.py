"""The config in a checkpoint, read without believing it."""

from collections.abc import Mapping
from typing import Any

import yaml

from refseg.checkpoint.values import shown
from refseg.errors import CheckpointError

_LONGEST = 2**17  # characters; that of `rmi.yaml` has 4,500
_DEEPEST = 40
_MOST = 100_000


class _Loader(yaml.SafeLoader):
    """Refuses what stands for far more than is written, and what is nested without an end."""

    depth = 0
    total = 0

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.sizes: dict[int, int] = {}  # of the values that have a name, aliases written out

    def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401 - as in yaml
        is_alias, before = self.check_event(yaml.AliasEvent), self.total
        self.total += 1
        self.depth += 1
        if self.depth > _DEEPEST:
            raise yaml.YAMLError(f"it is nested more than {_DEEPEST} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        if is_alias:  # of what it is itself a part of, it has no size yet
            self.total += self.sizes.get(id(node), _MOST)
        self.sizes[id(node)] = self.total - before
        if self.total > _MOST:
            raise yaml.YAMLError(f"it has more than {_MOST:,} values, written out")
        return node


def config_in(checkpoint: Mapping[str, Any], source: object) -> dict[str, Any] | None:
    """The whole config of the run that wrote a checkpoint; None where it holds none.

    Args:
        checkpoint: as it was read.
        source: of it, for the message.

    Raises:
        CheckpointError: what stands there is no config.
    """
    text = checkpoint.get("refseg", {}).get("config")
    if text is None:
        return None
    if not isinstance(text, str) or len(text) > _LONGEST:
        got = "a longer text" if isinstance(text, str) else shown(text)
        raise _no_config(source, f"expected a text of at most {_LONGEST:,} characters, got {got}")
    try:
        content = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _no_config(source, " ".join(str(error).split())[:300]) from None
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise _no_config(source, f"expected options by their names, got {shown(content)}")
    return content


def _no_config(source: object, reason: str) -> CheckpointError:
    return CheckpointError(
        f"The config in {source} cannot be read ({reason}); name one with --config."
    )


def section(
    content: Mapping[str, Any], name: str, source: object, *, may_be_file: bool = False
) -> Mapping[str, Any]:
    """One section of a config; empty where there is none, or where it may be a file and is one.

    Raises:
        CheckpointError: it holds no options.
    """
    found = content.get(name, {})
    if may_be_file and isinstance(found, str):
        return {}
    if not isinstance(found, Mapping):
        raise CheckpointError(
            f"The config in {source} has no options in `{name}`; name one with --config."
        )
    return found
