"""Where configuration files are found: in the working directory, else in the package."""

import difflib
from pathlib import Path

from refseg.errors import ConfigError
from refseg.files import as_path

_HERE = Path(__file__).resolve().parents[2]
# A wheel carries the folder inside the package; a checkout has it beside the package.
PACKAGE_CONFIGS = _HERE / "configs" if (_HERE / "configs").is_dir() else _HERE.parent / "configs"


def find_config(name: str | Path) -> Path:
    """The file that a configuration's name means.

    Args:
        name: a path; a relative one is looked for in the working directory, then among the
            configurations that come with the package.

    Raises:
        ConfigError: there is no such file in either place.
    """
    path = as_path(name)
    if path.is_file():
        return path.absolute()
    packaged = PACKAGE_CONFIGS / path
    if not path.is_absolute() and packaged.is_file():
        return packaged
    places = [str(path.absolute().parent)]
    if not path.is_absolute():
        places.append(str(packaged.parent))
    raise ConfigError(f"No config {path.name} in {' or in '.join(places)}.{_suggestions(path)}")


def _suggestions(path: Path) -> str:
    known = sorted(str(p.relative_to(PACKAGE_CONFIGS)) for p in PACKAGE_CONFIGS.rglob("*.yaml"))
    names = {name.rpartition("/")[2]: name for name in known}
    close = difflib.get_close_matches(path.name, names, n=3, cutoff=0.8)
    if close:
        return f" Did you mean {' or '.join(names[name] for name in close)}?"
    top = [name for name in known if "/" not in name]
    folders = sorted({name.partition("/")[0] + "/" for name in known if "/" in name})
    return f" The package has {', '.join([*top, *folders])}." if known else ""
