"""The commands of the page about one's own data run as they stand, on a folder as it describes."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from refseg.__main__ import main
from refseg.data import read_image

PAGE = Path(__file__).parents[1] / "docs" / "own-data.md"
QUICK = (
    *("--data.image_size=64", "--data.num_workers=0", "--trainer.max_epochs=1"),
    "--trainer.enable_progress_bar=false",
)


def commands(heading: str) -> list[list[str]]:
    """The words of each `refseg …` below a heading, in order."""
    section = PAGE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    assert section, heading
    lines = "".join(re.findall(r"```bash\n(.*?)```", section, flags=re.S)).splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines]


def write_pets(root: Path, photo: Path) -> None:
    """The folder of the page: masks as a file, a polygon and nothing; two splits."""
    folder = root / "photos" / "pets"
    (folder / "masks").mkdir(parents=True)
    for name in ("dog", "street"):
        shutil.copy(photo, folder / f"{name}.jpg")
    from PIL import Image

    height, width = read_image(photo).shape[:2]
    mask = Image.new("1", (width, height))
    mask.paste(1, (5, 5, width // 2, height // 2))
    mask.save(folder / "masks" / "dog.png")
    lines = [
        "image,expression,mask,split",
        "dog.jpg,the dog on the left,masks/dog.png,train",
        'dog.jpg,the ball,"[[10, 20, 40, 20, 40, 60]]",train',
        'street.jpg,the ball,"[[10, 20, 40, 20, 40, 60]]",val',
        "street.jpg,a unicorn,[],val",
    ]
    (folder / "annotations.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def without_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """What timm would download is random here."""
    timm = pytest.importorskip("timm")
    original = timm.create_model

    def create_model(name: str, pretrained: bool, **options: Any) -> Any:  # noqa: ANN401 - timm's
        return original(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", create_model)


@pytest.mark.slow
@pytest.mark.usefixtures("without_the_hub")
def test_from_a_folder_to_masks(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_pets(tmp_path, photo)
    (tmp_path / "new_photos").mkdir()
    shutil.copy(photo, "new.jpg")
    shutil.copy(photo, "new_photos/one.jpg")
    (tmp_path / "sentences.csv").write_text("image,expression\none.jpg,the ball\n")
    for words in commands("3. Check it before you train"):
        assert main(words) == 0, words
    trained = commands("4. Train")
    assert ["photos.yaml" in words for words in trained] == [True, True, True, False]
    for words in trained:
        assert main([*words, *QUICK]) == 0, words
    for words in commands("5. Use it"):
        assert main(words) == 0, words
    assert Path("stats.html").is_file()
    figures = json.loads(Path("runs/pets/metrics.json").read_text())["metrics"]["val"]
    assert figures.keys() >= {"overall_iou", "target_accuracy"}  # of lines that name something
