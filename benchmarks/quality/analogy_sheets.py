"""The pictures of docs/tutorials/analogy.md: photos of installed packages in other layouts, each by a fit of its own.

    SCENEBRUSH_ASSETS=../shared/weights python benchmarks/quality/analogy_sheets.py --fits out/fits --out docs/images

A fit that is there already is used as it is (`out/fits/china-fit` and so on, as the tutorial names them).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image

from scenebrush.demo.sheet import sheet
from scenebrush.methods.semia.method import SemiaModel, load

SKETCHES, DRAWINGS = Path("examples/analogy/sketches"), Path("examples/analogy/drawings")
FITS: dict[str, tuple[str, str | None]] = {
    "china": ("china.jpg", None),
    "flower": ("flower.jpg", None),
    "rocket": ("rocket.jpg", None),
    "cat": ("cat.png", None),
    "astronaut": ("astronaut.png", None),
    "sketch": ("coffee.png", str(SKETCHES / "coffee.png")),
    "coffee": ("coffee.png", str(DRAWINGS / "coffee.png")),
}
"""Name -> its photo, and its layout where that is no map of ids."""
CREDITS = {
    "china": "Photo: danielbuechele (flickr), CC BY 2.0, drawn anew by scenebrush",
    "uses": "Photos: dahlia by vultilion (flickr), CC BY 2.0; rocket by SpaceX, cat by Stefan van der Walt, coffee by"
    " Rachel Michetti, CC0; drawn anew by scenebrush",
    "drawing": "Photo: Rachel Michetti, CC0, drawn anew by scenebrush",
}


@dataclass(frozen=True)
class Settings:
    """Where things are.

    Args:
        fits: the folder of the fits, and of the scene folder `scenes`.
        out: where the pictures go.
        seconds: how long a fit that is not there yet learns.
    """

    fits: Path
    out: Path = Path("docs/images")
    seconds: float = 60


def main(settings: Settings) -> None:
    """Fits what is missing and draws the four pictures."""
    scenes = settings.fits / "scenes"
    if not scenes.is_dir():
        settings.fits.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "examples/analogy/make.py", str(scenes)], check=True)
    models = {name: fitted(name, scenes, settings) for name in FITS}
    targets = scenes / "test" / "targets"
    china = [drawn(models["china"], targets / f"china-{k}.png") for k in (1, 2, 3)]
    source = models["china"].source
    layouts = [("The photo", source.photo), ("Its label map", colors(models["china"], None))]
    layouts += [(f"china-{k}.png", layout) for k, (layout, _) in enumerate(china, start=1)]
    save([(c, half(p)) for c, p in layouts], 5, CREDITS["china"], settings.out / "analogy-china-layouts.jpg")
    captions = ("1. A wider island, a pavilion on it", "2. No tree on the right", "3. A storey less")
    pictures = [(c, p) for c, (_, p) in zip(captions, china, strict=True)]
    save(pictures, 3, CREDITS["china"], settings.out / "analogy-china.jpg", width=1500)
    uses = [
        ("Manipulate: two flowers", drawn(models["flower"], targets / "flower-2.png")),
        ("Remove: the towers beside the rocket", drawn(models["rocket"], targets / "rocket-3.png")),
        ("Edit a face: wider eyes", drawn(models["cat"], targets / "cat-1.png")),
        ("From a sketch: a smaller cup", drawn(models["sketch"], SKETCHES / "coffee-2.png")),
    ]
    photos = [models[name].source.photo for name in ("flower", "rocket", "cat", "sketch")]
    cells = [("", fitting(photo)) for photo in photos]
    cells += [("", fitting(layout)) for _, (layout, _) in uses]
    cells += [(caption, fitting(picture)) for caption, (_, picture) in uses]
    save(cells, 4, CREDITS["uses"], settings.out / "analogy-uses.jpg")
    layout, picture = drawn(models["coffee"], DRAWINGS / "coffee-1.png")
    cells = [("The photo", models["coffee"].source.photo), ("A drawing of it", colors(models["coffee"], None))]
    cells += [("Another drawing", layout), ("The photo in its colours", picture)]
    save([(c, half(p)) for c, p in cells], 4, CREDITS["drawing"], settings.out / "analogy-drawing.jpg")


def fitted(name: str, scenes: Path, settings: Settings) -> SemiaModel:
    """Returns a fit, made if it is not there."""
    folder = settings.fits / f"{name}-fit"
    if not folder.is_dir():
        photo, labels = FITS[name]
        where = scenes / "test" / "images" / photo
        given = ["--labels", labels or str(scenes / "test" / "labels" / f"{where.stem}.png")]
        given += [] if labels else ["--label-set", str(scenes / "classes.json")]
        time = ["--time-budget", f"{settings.seconds:g}s"]
        subprocess.run(
            [sys.executable, "-m", "scenebrush", "fit", str(where), *given, *time, "-o", str(folder)], check=True
        )
    return load(folder)


def drawn(model: SemiaModel, target: Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns a target layout in its colours, and its picture."""
    layout = model.read_layout(target)
    return layout.label_set.colors(layout.label_map), model.synthesize(layout)


def colors(model: SemiaModel, target: Path | None) -> np.ndarray:
    """Returns the layout that a model learned, in its colours."""
    layout = model.source.layout if target is None else model.read_layout(target)
    return layout.label_set.colors(layout.label_map)


def half(picture: np.ndarray) -> np.ndarray:
    """Returns a picture at half its size."""
    image = Image.fromarray(picture)
    return np.asarray(image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS))


def fitting(picture: np.ndarray, size: tuple[int, int] = (384, 256)) -> np.ndarray:
    """Returns the middle of a picture in this (width, height)."""
    image = Image.fromarray(picture)
    scale = max(size[0] / image.width, size[1] / image.height)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    left, top = (image.width - size[0]) // 2, (image.height - size[1]) // 2
    return np.asarray(image.crop((left, top, left + size[0], top + size[1])))


def save(
    cells: Sequence[tuple[str, np.ndarray]], columns: int, credit: str, path: Path, width: int | None = None
) -> None:
    """Writes captioned pictures as one JPEG, perhaps scaled to a width."""
    page = Image.fromarray(sheet(cells, columns, credit))
    if width is not None:
        page = page.resize((width, round(page.height * width / page.width)), Image.Resampling.LANCZOS)
    page.save(path, quality=88)


if __name__ == "__main__":
    main(tyro.cli(Settings))
