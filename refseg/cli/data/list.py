"""`refseg data list`: the known data sets, and what of them is present."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from refseg.cli.parsing.argument_types import Folder

if TYPE_CHECKING:
    from rich.table import Table

    from refseg.data.catalog import ImageSet, KnownDataset, SplitSize
    from refseg.data.formats import Format
    from refseg.data.presence import ImagesPresent

_MOST_FILES = 4


def list_datasets(names: Sequence[str] = (), /, *, root: Folder | None = None) -> None:
    """List the known data sets with their partitions, splits and published sizes.

    With --root, also what of them lies under a folder, and your own sets that lie there.

    Args:
        names: only these data sets
        root: folder of the data

    Examples:
        refseg data list
        refseg data list --root data
        refseg data list refcoco referit --root data
        refseg data list mine --root data
    """
    from rich.console import Console

    from refseg.data.catalog import CATALOG, IMAGE_SETS, KnownDataset, known
    from refseg.errors import DataError

    if root is not None and not root.is_dir():
        raise DataError(f"--root {root}: there is no such folder.")
    names = list(dict.fromkeys(names))
    own = own_datasets(root) if root is not None else {}
    chosen = [known(name) for name in names if name not in own]
    chosen = chosen if names else [*CATALOG.values(), *IMAGE_SETS.values()]
    datasets = [item for item in chosen if isinstance(item, KnownDataset)]
    wanted = {item.image_set for item in datasets} | {item.name for item in chosen}
    image_sets = [item for name, item in IMAGE_SETS.items() if name in wanted]
    console = Console()
    if datasets:
        console.print(sizes(datasets))
    if root is None:
        console.print(terms([*datasets, *image_sets]), highlight=False, soft_wrap=True)
        return
    if chosen:
        table, remedies = presence(root, datasets, image_sets)
        console.print(table)
        for remedy in remedies:
            console.print(remedy, highlight=False, soft_wrap=True)
    shown = {name: form for name, form in own.items() if not names or name in names}
    if shown:
        console.print()
        console.print(own_table(root, shown))
        check = f"refseg data verify NAME --root {shlex.quote(str(root))}"
        console.print(f"{check} checks one of them.", highlight=False, markup=False, soft_wrap=True)


def _table(title: str, *columns: str, right: int = 0) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE)
    for number, column in enumerate(columns):
        last = number >= len(columns) - right
        table.add_column(column, justify="right" if last else "left", overflow="fold")
    return table


def sizes(datasets: "Sequence[KnownDataset]") -> "Table":
    """The published sizes of every split; a dash where no source was found."""
    columns = ("data set", "split by", "split", "references", "images", "expressions")
    table = _table("Known data sets, as published", *columns, right=3)
    for dataset in datasets:
        for partition, splits in dataset.partitions.items():
            rows = {split: _numbers(size) for split, size in splits.items()}
            if not any(number != "–" for numbers in rows.values() for number in numbers):
                rows = {", ".join(splits): ("–", "–", "–")}
            for row, (split, numbers) in enumerate(rows.items()):
                first = ("", "") if row else (dataset.name, partition)
                table.add_row(*first, split, *numbers)
            table.add_section()
    return table


def _numbers(size: "SplitSize") -> tuple[str, ...]:
    numbers = (size.references, size.images, size.expressions)
    return tuple("–" if number is None else f"{number:,}" for number in numbers)


def terms(items: "Sequence[KnownDataset | ImageSet]") -> str:
    """Under which terms each is published, and where it is described."""
    lines = ["Terms and sources", ""]
    for item in items:
        lines += [f"  {item.name:<15}{item.licence}", f"  {'':<15}{item.source}"]
    return "\n".join(lines)


def presence(
    root: Path, datasets: "Sequence[KnownDataset]", image_sets: "Sequence[ImageSet]"
) -> "tuple[Table, list[str]]":
    """What is present under a root, and the commands that bring the rest."""
    from refseg.data.presence import find_images, find_partitions, has_parquet, images_of

    table = _table(f"Under {root}", "data set", "split by", "annotations", "images")
    fetch = f"refseg data download {{}} --root {shlex.quote(str(root))}"
    remedies = []
    absent_images = {}
    for dataset in datasets:
        parquet = has_parquet(root, dataset)
        image_set = images_of(dataset)
        images = "drawn on first use"
        if image_set is not None:
            found = find_images(root, image_set, dataset.name)
            images = _images(root, image_set, found)
            if found is None or found.problem:
                absent_images[image_set.name] = image_set
        partitions = find_partitions(root, dataset)
        for number, (partition, absent) in enumerate(partitions.items()):
            state = _annotations(dataset.needs[partition], absent, parquet)
            table.add_row("" if number else dataset.name, partition, state, images)
            images = ""
        if any(partitions.values()) and not parquet:
            remedies.append(fetch.format(dataset.name))
    used = {dataset.image_set for dataset in datasets}
    for image_set in image_sets:
        if image_set.name not in used:
            found = find_images(root, image_set)
            table.add_row(image_set.name, "", "", _images(root, image_set, found))
            if found is None or found.problem:
                absent_images[image_set.name] = image_set
    remedies += [fetch.format(name) for name in absent_images]
    if remedies:
        remedies = ["For what is missing (--from PATH takes what you have):", *remedies]
    return table, remedies


def own_datasets(root: Path) -> "dict[str, Format]":
    """The folders under a root that a reader takes and that are no known data set.

    A folder with the name of a known data set counts where it has none of that set's files, but
    others that can be read.
    """
    from refseg.data.catalog import CATALOG
    from refseg.data.formats import datasets_under
    from refseg.data.presence import find_partitions, has_parquet

    def is_known(name: str) -> bool:
        if name not in CATALOG:
            return False
        dataset = CATALOG[name]
        absent = find_partitions(root, dataset)
        return has_parquet(root, dataset) or any(
            len(names) < len(dataset.needs[partition]) for partition, names in absent.items()
        )

    return {name: form for name, form in datasets_under(root).items() if not is_known(name)}


def own_table(root: Path, datasets: "Mapping[str, Format]") -> "Table":
    """One's own data sets, as `--data.dataset` names them, and what they are read from."""
    from rich.markup import escape

    from refseg.data.formats import FOLDER, GREFCOCO, REFER

    table = _table(f"Your own sets under {root}", "data set", "format", "annotations")
    for name, form in datasets.items():
        files = form.find(root, name)
        state = escape(", ".join(str(path.relative_to(root)) for path in files[:_MOST_FILES]))
        if len(files) > _MOST_FILES:
            state += f" and {len(files) - _MOST_FILES:,} more"
        if form in (REFER, GREFCOCO) and not (root / name / "instances.json").is_file():
            state += " [yellow]without instances.json[/yellow]"
        elif form is FOLDER and len(files) > 1:
            state += " [yellow](keep one of them)[/yellow]"
        table.add_row(escape(name), form.title, state)
    return table


def _annotations(needs: "Sequence[str]", absent: "Sequence[str]", parquet: bool) -> str:
    if not needs:
        return "drawn on first use"
    if not absent:
        return "[green]complete[/green]"
    if parquet:
        return "[green]parquet[/green]"
    if len(absent) == len(needs):
        return "[dim]absent[/dim]"
    return f"[yellow]without {', '.join(absent)}[/yellow]"


def _images(root: Path, image_set: "ImageSet", found: "ImagesPresent | None") -> str:
    if found is None:
        return "[dim]absent[/dim]"
    place = found.place.relative_to(root)
    if found.problem:
        return f"[red]{place}: broken archive[/red]"
    color = "green" if found.images >= image_set.enough else "yellow"
    count = f"{found.images:,} of {image_set.images:,}"
    return f"[{color}]{count}[/{color}] in {place}"
