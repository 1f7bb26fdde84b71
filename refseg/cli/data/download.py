"""`refseg data download`: the files of a data set, from a mirror or from what the user has."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from refseg.cli.parsing.argument_types import Folder, Option
from refseg.errors import ConfigError, DownloadError

if TYPE_CHECKING:
    from refseg.data.catalog import KnownFile


def download(
    names: Sequence[str],
    /,
    *,
    root: Folder,
    with_images: bool = False,
    given: Annotated[Sequence[Path], Option(names=("--from",), metavar="PATH")] = (),
    unpack_images: bool = False,
) -> None:
    """Bring the files of a data set to their places under a folder.

    They come from what you have already, else from the first mirror that gives them whole. What is
    in place already is checked and left alone. A download that breaks off goes on from there when
    the command is run again. `refseg data list` names the data sets.

    Args:
        names: data sets, or sets of images such as train2014
        root: folder of the data; made if absent
        with_images: also the photographs that the data sets lie on
        given: archives, files or folders that you have; images in them are linked, not copied
        unpack_images: unpack train2014.zip too, which otherwise is read as it is

    Examples:
        refseg data download refcoco --root data
        refseg data download refcoco refcoco+ refcocog --root data --with_images
        refseg data download refcoco --root data --from ~/Downloads/refcoco.zip
        refseg data download train2014 --root data --from /datasets/coco/train2014
    """
    from refseg.data.catalog import KnownDataset, known
    from refseg.data.downloads import Delivery
    from refseg.data.presence import find_images, images_of

    for path in given:
        if not path.exists():
            raise ConfigError(f"--from {path}: there is no such file or folder.")
    wanted = [known(name) for name in dict.fromkeys(names)]
    datasets = [item for item in wanted if isinstance(item, KnownDataset)]
    images = {found.name: found for dataset in datasets if (found := images_of(dataset))}
    if with_images:
        wanted += [item for item in images.values() if item not in wanted]
    delivery = Delivery(root, given, unpack_images)
    for dataset in datasets:
        if not dataset.files:
            delivery.listener.line(f"{dataset.name}: {dataset.source}; there is nothing to fetch")
    missing = delivery.deliver(*wanted)
    for path in given:
        if path not in delivery.taken:
            delivery.listener.line(f"--from {path}: nothing was taken from it", important=True)
    if missing:
        raise DownloadError(by_hand(missing, root))
    for item in images.values():
        if item not in wanted and find_images(root, item) is None:
            delivery.listener.line(
                f"The images, {item.title}, are not there yet: add --with_images, and --from PATH "
                "if you have them.",
                important=True,
            )


def by_hand(missing: Sequence["KnownFile"], root: Path) -> str:
    """What to tell a user when no mirror gave some files."""
    from refseg.data.downloads import Partial, download_path

    lines = [f"No mirror gave {', '.join(file.name for file in missing)}. To go on by hand:"]
    for file in missing:
        place = root if file.is_archive else root / file.folder
        lines.append(f"  get {file.name} and put it into {place}")
    lines.append("or tell where it is with --from PATH, then run the command again.")
    for file in missing:
        partial = Partial.of(download_path(root, file))
        if partial.size:
            lines.append(
                f"{partial.path} has the first {partial.size:,} bytes: to go on from there later, "
                "run the command again."
            )
    lines.append("Copies are named on these pages:")
    lines += [f"  {page}" for page in dict.fromkeys(p for file in missing for p in file.pages)]
    return "\n".join(lines)
