"""The transformers library: imported late, and missed with a remedy."""

import subprocess
import sys

import pytest

from refseg.errors import ConfigError
from refseg.models.transformers_models import import_transformers


def test_transformers_is_imported_where_it_is_used() -> None:
    code = (
        "import sys, refseg.models, refseg.models.backbones, refseg.models.text_encoders,"
        " refseg.models.fusion; print([m for m in ('transformers', 'lightning', 'wandb')"
        " if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


def test_without_transformers_the_message_says_how_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match="pip install transformers"):
        import_transformers()
