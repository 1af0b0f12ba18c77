"""Makes a scene folder of six photographs, their label maps, and three target layouts of each.

    python examples/analogy/make.py OUT

The photographs come with scikit-learn and scikit-image; they are copied byte for byte. The maps were drawn by us.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from importlib import resources
from pathlib import Path

HERE = Path(__file__).resolve().parent
SPLIT = "test"
PHOTOS = {
    "china": ("sklearn.datasets.images", "china.jpg"),
    "flower": ("sklearn.datasets.images", "flower.jpg"),
    "astronaut": ("skimage.data", "astronaut.png"),
    "cat": ("skimage.data", "chelsea.png"),
    "coffee": ("skimage.data", "coffee.png"),
    "rocket": ("skimage.data", "rocket.jpg"),
}
"""For each stem: the package that its photo comes with, and the file there."""


def label_map_of(stem: str) -> Path:
    """Returns the path of a photo's label map; china's is the demo's, whose ids the joint label set keeps."""
    if stem == "china":
        return Path(str(resources.files("scenebrush"))) / "demo" / "china.labels.png"
    return HERE / "labels" / f"{stem}.png"


def make(out: Path) -> int:
    """Writes the scene folder and returns the number of its target layouts.

    Photos, maps and targets go to `test/images`, `test/labels` and `test/targets`, the label set to `classes.json`.

    Raises:
        OSError: the folder cannot be written.
    """
    folders = {name: out / SPLIT / name for name in ("images", "labels", "targets")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(HERE / "classes.json", out / "classes.json")
    for stem, (package, name) in PHOTOS.items():
        photo = Path(str(resources.files(package))) / name
        shutil.copyfile(photo, folders["images"] / f"{stem}{photo.suffix}")
        shutil.copyfile(label_map_of(stem), folders["labels"] / f"{stem}.png")
    targets = [HERE / target["file"] for target in json.loads((HERE / "targets.json").read_text(encoding="utf-8"))]
    for path in targets:
        shutil.copyfile(path, folders["targets"] / path.name)
    return len(targets)


def main(arguments: list[str] | None = None) -> int:
    """Makes the folder that the command line names; 0, or 2 with one line of what is wrong."""
    parser = argparse.ArgumentParser(description="Makes a scene folder of six photographs and their target layouts.")
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder, made if it is not there")
    out: Path = parser.parse_args(arguments).out
    try:
        count = make(out)
    except OSError as error:
        sys.stderr.write(f"error: {out} cannot be written ({error.strerror}); choose another folder\n")
        return 2
    sys.stdout.write(f"{out}: {len(PHOTOS)} scenes, {count} target layouts\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
