"""What a verification found, for people and for programs."""

import json
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from refseg.data.verification import MEANINGS, SplitCount, Verification, grouped
from refseg.files import write_text

_COUNTED = ("references", "images", "expressions")
_WRONG = "bold red"


def report(
    verification: Verification, root: Path, pixels: bool, examples: int, console: Console
) -> None:
    """Print the counts, what was checked, what is wrong, and the verdict.

    Args:
        verification: what was found.
        root: the folder of the data.
        pixels: whether images were decoded.
        examples: records to show of each problem.
        console: to print on.
    """
    console.print(Text(f"{verification.source} in {root}", style="bold"), soft_wrap=True)
    if verification.counts:
        console.print(counts_table(verification))
        console.print(_checked(verification, pixels))
    if verification.notes:
        console.print(_notes(verification, examples))
    if verification.unclear:
        console.print(_unclear(verification, examples))
    if verification.is_clean:
        console.print(Text("Nothing is wrong.", style="bold green"))
        return
    console.print(problems_table(verification, examples))
    number = len(verification.findings)
    console.print(
        Text(f"{number:,} {'problem' if number == 1 else 'problems'}.", style=_WRONG)
        + Text(" --json FILE writes all of them.", style="not bold default")
    )


def counts_table(verification: Verification) -> Table:
    """References, images and expressions of each split, beside what was published."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("split")
    for name in _COUNTED:
        table.add_column(name, justify="right")
    if any(count.published for count in verification.counts):
        table.add_column("published")
    for count in verification.counts:
        cells = [_cell(count, name) for name in _COUNTED]
        table.add_row(count.split, *cells, *([_agreement(count)] if count.published else []))
    return table


def problems_table(verification: Verification, examples: int) -> Table:
    """What is wrong, how often, and the first records of each group.

    Args:
        verification: what was found.
        examples: records to show of each group.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, leading=1)
    table.add_column("what is wrong", ratio=2)
    table.add_column("times", justify="right")
    table.add_column("for example", ratio=3)
    for kind, reason, findings in grouped(verification.findings):
        # The reason of a bad record is said beside it, the counts stand in the table above.
        says_more = reason == MEANINGS[kind] and kind != "count"
        shown = Text("\n").join(
            Text(f"{finding.record}\n", style="bold") + Text(finding.message, style="not bold")
            if says_more
            else Text(finding.record, style="bold")
            for finding in findings[:examples]
        )
        if len(findings) > examples:
            shown += Text(f"\n… and {len(findings) - examples:,} more", style="dim")
        what = Text(kind, style=_WRONG) + Text(f"\n{reason}", style="not bold default")
        table.add_row(what, f"{len(findings):,}", shown)
    return table


def write_json(path: Path, verification: Verification, root: Path) -> None:
    """Write everything that was found to a JSON file.

    Args:
        path: of the file.
        verification: what was found.
        root: the folder of the data.
    """
    checked = asdict(verification) | {"is_clean": verification.is_clean, "root": str(root)}
    checked["masks"] = {
        name: getattr(verification.masks, name)
        for name in ("masks", "boxes", "without_object", "compared")
    }
    write_text(path, json.dumps(checked, indent=2, ensure_ascii=False) + "\n")


def _checked(verification: Verification, pixels: bool) -> Text:
    masks = verification.masks
    parts = [f"{verification.images:,} images ({'decoded' if pixels else 'headers only'})"]
    parts.append(f"{masks.masks:,} masks")
    if masks.compared:
        parts[-1] += f" ({masks.compared:,} areas compared with the published ones)"
    if masks.boxes:
        parts.append(f"{masks.boxes:,} boxes in place of masks")
    if masks.without_object:
        parts.append(f"{masks.without_object:,} references that name nothing")
    absent = sum(finding.kind == "image absent" for finding in verification.findings)
    if absent:
        parts[0] = f"{verification.images - absent:,} of " + parts[0]
    return Text(f"Checked: {', '.join(parts)}.")


def _notes(verification: Verification, examples: int) -> Text:
    number = len(verification.notes)
    lines = ["Noted while reading:", *verification.notes[:examples]]
    if number > examples:
        lines.append(f"… and {number - examples:,} more")
    return Text("\n  ".join(lines) + "\n", style="dim")


def _unclear(verification: Verification, examples: int) -> Text:
    number = len(verification.unclear)
    text = Text()
    for kind, _, findings in grouped(verification.unclear):
        lines = [f"{finding.record}: {finding.message}" for finding in findings[:examples]]
        if number > examples:
            lines.append(f"… and {number - examples:,} more")
        text += Text(f"Unclear, {number:,} times: {MEANINGS[kind]}. Look at them with ")
        text += Text("`refseg data preview`; where it is wrong, save the images as they are to be ")
        text += Text("seen, without an EXIF orientation.")
        text += Text("\n  ".join(["", *lines]) + "\n", style="dim")
    return text


def _cell(count: SplitCount, name: str) -> Text:
    found = getattr(count.found, name)
    expected = getattr(count.published, name, None)
    wrong = expected is not None and expected != found
    return Text(f"{found:,}", style=_WRONG if wrong else "")


def _agreement(count: SplitCount) -> Text:
    sizes = [getattr(count.published, name) for name in _COUNTED]
    if count.finding is None:
        known = sum(size is not None for size in sizes)
        return Text("the same" if known == len(sizes) else "the same, where known", style="green")
    return Text(" / ".join("–" if size is None else f"{size:,}" for size in sizes), style=_WRONG)
