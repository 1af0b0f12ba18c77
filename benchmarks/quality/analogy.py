"""Models of one photo: SemIA as in the paper, ours, and an editor that adapts, on ten photos at equal time.

    SCENEBRUSH_ASSETS=../shared/weights python benchmarks/quality/analogy.py --camvid ../shared/data/camvid \
        --seconds 120 --out out/analogy

Six photos of installed packages with our own layouts (`examples/analogy`), and four of CamVid's test photos whose
layouts are changed by scenebrush's own operations: the largest car erased, the same car moved, trees made lower. Every
model learns every photo for `--seconds` on one core, at 256 pixels; then `scenebrush compare --task analogy` makes a
table of each folder. A fit that is there already is not made again, so that a run that was stopped goes on.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from scipy import ndimage

from scenebrush.scene import Layout, Scene
from scenebrush.scene.files import write_label_map, write_photo

SIZE = 256
PHOTOS = (0, 45, 93, 162)  # of CamVid's test photos, by name: they have a car of some size, whole, and trees


@dataclass
class Arguments:
    """What is learned, for how long, and where to."""

    camvid: Path
    """CamVid as a scene folder."""
    out: Path
    """The folder of the results."""
    seconds: float = 120.0
    """How long every model learns every photo."""
    paper: bool = True
    """Also learn with the paper's networks."""
    adapt: bool = True
    """Also adapt sesame-street."""


def main(arguments: Arguments) -> None:
    """Makes folders, fits and tables."""
    packages, streets = arguments.out / "packages", arguments.out / "streets"
    if not packages.is_dir():
        _run([sys.executable, "examples/analogy/make.py", str(packages)])
    if not streets.is_dir():
        make_streets(arguments.camvid, streets)
    for folder in (packages, streets):
        fits = {"ours": arguments.out / f"ours-{folder.name}"}
        learn(folder, fits["ours"], arguments.seconds)
        if arguments.paper:
            fits["paper"] = arguments.out / f"paper-{folder.name}"
            learn(folder, fits["paper"], arguments.seconds, "--paper")
        models = [f"{name}={path}" for name, path in fits.items()]
        models += [f"ours-edit={fits['ours']}?edit=on", "canvas", "unchanged"]
        if arguments.adapt:
            models.append(f"adapted=sesame-street?adapt={arguments.seconds:g}")
        table = arguments.out / f"table-{folder.name}"
        _run(
            [
                sys.executable,
                "-m",
                "scenebrush",
                "compare",
                *models,
                "--data",
                str(folder),
                "--task",
                "analogy",
                "-o",
                str(table),
            ]
        )


def learn(folder: Path, fits: Path, seconds: float, *flags: str) -> None:
    """Fits every photo of a scene folder."""
    fits.mkdir(parents=True, exist_ok=True)
    for photo in sorted((folder / "test" / "images").iterdir()):
        if (fits / photo.stem).is_dir():
            continue
        labels = ["--labels", str(folder / "test" / "labels" / f"{photo.stem}.png")]
        classes = ["--label-set", str(folder / "classes.json")]
        numbers = ["--time-budget", f"{seconds:g}s", "--threads", "1", "--size", str(SIZE)]
        _run(
            [
                sys.executable,
                "-m",
                "scenebrush",
                "fit",
                str(photo),
                *labels,
                *classes,
                *numbers,
                *flags,
                "-o",
                str(fits / photo.stem),
            ]
        )


def make_streets(camvid: Path, out: Path) -> None:
    """Writes a scene folder of four streets with three target layouts each."""
    names = sorted((camvid / "test" / "images").iterdir())
    for part in ("images", "labels", "targets"):
        (out / "test" / part).mkdir(parents=True)
    (out / "classes.json").write_bytes((camvid / "classes.json").read_bytes())
    for number in PHOTOS:
        photo = names[number]
        scene = Scene.open(photo, camvid / "test" / "labels" / f"{photo.stem}.png", "camvid")
        layout = Layout(scene.layout.label_map, scene.layout.label_set)
        write_photo(out / "test" / "images" / f"{photo.stem}.png", scene.photo)
        write_label_map(out / "test" / "labels" / f"{photo.stem}.png", layout.label_map, layout.label_set)
        for k, target in enumerate(targets(Scene(scene.photo, layout)), start=1):
            path = out / "test" / "targets" / f"{photo.stem}-{k}.png"
            write_label_map(path, target.label_map, target.label_set)


def targets(scene: Scene) -> list[Layout]:
    """Returns three layouts: the largest car erased, the same car moved, and the trees lowered by a seventh."""
    labels = scene.layout.label_map
    car, tree, sky = (scene.layout.label_set.find(name).id for name in ("car", "tree", "sky"))
    numbers, count = ndimage.label(labels == car)
    areas = ndimage.sum_labels(labels == car, numbers, range(1, count + 1))
    largest = np.argwhere(numbers == 1 + int(np.argmax(areas)))
    row, column = (int(v) for v in largest[len(largest) // 2])
    shift = labels.shape[1] // 8 if column < labels.shape[1] / 2 else -(labels.shape[1] // 8)
    lowered = labels.copy()
    down = labels.shape[0] // 14
    trees = labels == tree
    kept = np.zeros_like(trees)
    kept[down:] = trees[:-down]
    lowered[trees & ~kept] = sky
    return [
        scene.erase(at=(column, row)).layout,
        scene.move((column, row), by=(shift, 0)).layout,
        Layout(lowered, scene.layout.label_set),
    ]


def _run(command: list[str]) -> None:
    print("$", " ".join(command), flush=True)
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
