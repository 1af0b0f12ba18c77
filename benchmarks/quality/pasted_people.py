"""People of one data set in another's streets: what do they do to a segmenter that is trained on the result?

    python benchmarks/quality/pasted_people.py --streets ../shared/data/camvid \\
        --people ../shared/data/coco_things --model runs/seigan/model

People come from boxes; SEIGAN cuts them out; the canvas pastes them, feet on the ground, as tall as the street's own
pedestrians are at that place; label and instance maps say so. A compact segmenter is then trained, equally long from
the same seed, on the streets alone (`plain`), on the streets and their pasted copies (`masks`), and on the same copies
with whole boxes in place of masks (`boxes`). Prints the table; writes <out>/table.md, report.json and, of the pasted
scenes, sheet.png. What is there already is not made again.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
import tyro
from PIL import Image
from scipy import ndimage, stats

from scenebrush import Editor, Scene
from scenebrush.editor import ModelCutter
from scenebrush.evaluation.label_agreement import confusion_matrix, iou, mean_iou, pixel_accuracy
from scenebrush.methods import load_segmenter
from scenebrush.scene import Layout, SceneFiles, SceneFolder, Segment, objects_of
from scenebrush.scene.files import write_text
from scenebrush.scene.objects import bounding_box
from scenebrush.scene.operations import add
from scenebrush.scene.operations.cutting import Cutter
from scenebrush.training.recipe import Recipe
from scenebrush.training.run import run_recipe

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "segmenter" / "street.yaml"
Way = Literal["plain", "masks", "boxes"]
WAYS: tuple[Way, ...] = ("plain", "masks", "boxes")
SPLIT = "train"

_PERSON, _PEDESTRIAN = "person", "pedestrian"
_LEAST = 60  # pixels: smaller people are too coarse
_UPRIGHT = 1.9, 4.0  # height to width of a whole person on foot; at 1.6 some stand behind tables
_HIDDEN = 0.3  # of a box: the share that another object's box may cover
_SOLID = 0.25, 0.85  # of a box: the share that a person's mask fills
_TALLEST, _SMALLEST = 150, 24  # pixels: people in the street
_ENLARGED = 1.25  # a person is not drawn larger than that: it would be blurred
_TRIES = 60  # places that are tried for one person
_FEWEST = 8  # pedestrians of one drive; with fewer its perspective is that of all drives

Box = tuple[int, int, int, int]
"""(x, y, width, height)"""


@dataclass(frozen=True)
class Settings:
    """What is run.

    Args:
        streets: a scene folder with `pedestrian`, `road` and `pavement`; `train` is learned from, `test` measured.
        people: a scene folder with `person` and an instance map; only the boxes of `train` are used.
        model: what cuts people out, a model of SEIGAN by name or folder.
        only: which trainings.
        photos: learn from so many photos of the streets, evenly spread; all by default.
        copies: pasted copies of each photo.
        steps: of each training.
        start_from: a segmenter by name or folder whose training goes on, at a quarter of the recipe's rate; from one
            start trainings lie much closer together than from random ones. None = from a random start.
        seeds: of the trainings; figures are means over them.
        n: photos of `test` that are measured.
        threads: CPU threads.
        sheet_only: paste, write the sheet, and stop.
        out: data, runs, table, report and sheet.
    """

    streets: Path
    people: Path
    model: str = "seigan-objects"
    only: tuple[Way, ...] = WAYS
    photos: int | None = None
    copies: int = 1
    steps: int = 1500
    start_from: str | None = None
    seeds: tuple[int, ...] = (0,)
    n: int = 193
    threads: int = 1
    sheet_only: bool = False
    out: Path = Path("out/pasted-people")


class Person(NamedTuple):
    """A person of another photo: the box around them, and what is taken out of it, by its mask or whole."""

    box: Box
    by_mask: Segment
    by_box: Segment


class Place(NamedTuple):
    """Where a person goes: the middle of the feet, (x, y), the person's height in pixels, and whether mirrored."""

    person: Person
    x: int
    y: int
    height: int
    flip: bool

    @property
    def box(self) -> Box:
        """The person's box in the street."""
        wide = max(round(self.height * self.person.box[2] / self.person.box[3]), 1)
        return self.x - wide // 2, self.y - self.height + 1, wide, self.height


class Drive(NamedTuple):
    """What the photos of one drive have in common.

    People whose feet are in a row are `slope * (row - horizon)` pixels tall; `light`, (3,), are the factors of red,
    green and blue that bring people of elsewhere nearer to the drive's own pedestrians.
    """

    slope: float
    horizon: float
    light: np.ndarray


def people_of(folder: SceneFolder, cutter: Cutter) -> Iterator[Person]:
    """Yields whole, upright people of a scene folder's boxes of whom the cutter finds a plausible mask."""
    for files in folder.iterate(SPLIT):
        layout = folder.layout(files)
        boxes = list(_boxes(layout))
        donor = Scene.without_labels(files.photo)
        for name, box in boxes:
            hidden = any(_covers(other, box) > _HIDDEN for _, other in boxes if other != box)
            if name != _PERSON or hidden or not _stands(box, layout.shape[0]):
                continue
            segment = Segment.in_box(donor, box, cutter)
            if not _SOLID[0] < segment.mask.sum() / (box[2] * box[3]) < _SOLID[1]:
                continue
            if bounding_box(segment.mask)[3] < 0.9 * box[3]:
                continue  # head or feet are missing
            whole = np.zeros_like(segment.mask)
            whole[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = True
            yield Person(box, segment, Segment(donor, whole))


def _boxes(layout: Layout) -> Iterator[tuple[str, Box]]:
    """Yields class name and box of every instance; of its shape nothing is told."""
    assert layout.instance_map is not None
    for number, window in enumerate(ndimage.find_objects(layout.instance_map), start=1):
        if window is not None:
            (top, bottom), (left, right) = ((side.start, side.stop) for side in window)
            ids = layout.label_map[window][layout.instance_map[window] == number]
            yield layout.label_set.by_id[int(ids[0])].name, (left, top, right - left, bottom - top)


def _stands(box: Box, rows: int) -> bool:
    """Returns whether a box has the shape of a person on foot, whose feet are in the photo of so many rows."""
    _, top, wide, high = box
    return high >= _LEAST and _UPRIGHT[0] <= high / wide <= _UPRIGHT[1] and top + high < rows - 2


def _covers(one: Box, other: Box) -> float:
    """Returns the share of the other box that one covers."""
    sides = [max(0, min(one[i] + one[i + 2], other[i] + other[i + 2]) - max(one[i], other[i])) for i in (0, 1)]
    return sides[0] * sides[1] / (other[2] * other[3])


def drives_of(folder: SceneFolder, scenes: Sequence[SceneFiles], people: Sequence[Person]) -> dict[str, Drive]:
    """Returns the drives by name (`drive_of`): perspective and light of the pedestrians that their own labels show."""
    seen: dict[str, list[tuple[int, int]]] = {}
    colors: dict[str, list[np.ndarray]] = {}
    for scene, drive in ((folder.load(files), drive_of(files.stem)) for files in scenes):
        rows, columns = scene.layout.shape
        for pedestrian in objects_of(scene.layout, _PEDESTRIAN):
            colors.setdefault(drive, []).append(scene.photo[pedestrian.mask])
            x, y, wide, high = pedestrian.box
            whole = x > 0 and x + wide < columns and y + high < rows
            # People who walk close together share an instance, which is too wide; parts of people are not tall enough.
            if whole and high >= 15 and 2 <= high / wide <= 4.5:
                seen.setdefault(drive, []).append((y + high - 1, high))
    everyone = [one for found in seen.values() for one in found]
    theirs = np.concatenate([person.by_mask.donor.photo[person.by_mask.mask] for person in people])
    drives = {}
    for drive in sorted({drive_of(files.stem) for files in scenes}):
        found = seen.get(drive, [])
        slope, horizon = _line(found if len(found) >= _FEWEST else everyone)
        ours = np.concatenate(colors.get(drive) or [theirs])  # no pedestrian: light stays
        # The root: half of the difference is light, half is what they wear (coats here, sportswear there). Pasting fits
        # colours to the surroundings as well. `canvas.color_transfer.relit` keeps a and b, and by dusk clothes glow.
        drives[drive] = Drive(slope, horizon, np.sqrt(ours.mean(axis=0) / theirs.mean(axis=0)))
    return drives


def drive_of(stem: str) -> str:
    """Returns the drive that a photo belongs to, "0016E5" of "0016E5_08640": its camera keeps height and tilt."""
    return stem.split("_")[0]


def _line(found: Sequence[tuple[int, int]]) -> tuple[float, float]:
    rows, heights = np.array(found, float).T
    slope, start, *_ = stats.siegelslopes(heights, rows)
    return float(slope), float(-start / slope)


def places(layout: Layout, people: Sequence[Person], drive: Drive, rng: np.random.Generator) -> list[Place]:
    """Returns where one to three people go, the farthest first; fewer where there is no room.

    Feet are on pavement, or on road so near to it that the person could step back; nobody hides a thing or a post.
    """
    ids = {name: layout.label_set.find(name).id for name in ("pavement", "road", "pole")}
    pavement = layout.label_map == ids["pavement"]
    taken = layout.label_set.is_kind(layout.label_map, "thing") | (layout.label_map == ids["pole"])
    if not pavement.any():
        return []
    to_pavement = np.where(layout.label_map == ids["road"], ndimage.distance_transform_edt(~pavement), np.inf)
    to_pavement[pavement] = 0
    found: list[Place] = []
    count = int(rng.integers(1, 4))
    for _ in range(count * _TRIES):
        if len(found) == count:
            break
        person = people[int(rng.integers(len(people)))]
        height = round(float(np.exp(rng.uniform(np.log(_SMALLEST), np.log(_TALLEST)))))
        row = round(drive.horizon + height / drive.slope)
        if height > _ENLARGED * person.box[3] or not 0 <= row < layout.shape[0] - 1:
            continue
        columns = np.flatnonzero(to_pavement[row] <= 0.15 * height)
        if not len(columns):
            continue
        place = Place(person, int(rng.choice(columns)), row, height, bool(rng.random() < 0.5))
        x, y, wide, high = place.box
        inside = min(x, y) >= 0 and x + wide <= layout.shape[1]
        hidden = any(max(_covers(place.box, other.box), _covers(other.box, place.box)) > 0.3 for other in found)
        if inside and not hidden and not taken[y : y + high, x : x + wide].any():
            found.append(place)
    return sorted(found, key=lambda place: place.y)


def pasted(street: Scene, found: Sequence[Place], way: Way, light: np.ndarray) -> Scene:
    """Returns a street with people in it, in its light; label and instance maps say so."""
    editor = Editor(street, "canvas")
    for place in found:
        taken = place.person.by_mask if way == "masks" else place.person.by_box
        lit = np.rint(taken.donor.photo * light).clip(0, 255).astype(np.uint8)
        segment = Segment(Scene(lit, taken.donor.layout), taken.mask)
        x, y, wide, high = bounding_box(segment.mask)
        left, top, box_wide, box_high = place.person.box
        scale = place.height / box_high
        # From the middle of the box's lower edge, which comes to lie at the feet, to the middle of what is taken out.
        across = (x + wide / 2) - (left + box_wide / 2)
        up = (top + box_high) - (y + high / 2)
        at = place.x + scale * (-across if place.flip else across), place.y - scale * up
        editor.apply(partial(add, class_=_PEDESTRIAN, segment=segment, at=at, scale=scale, flip=place.flip))
    return editor.render().scene


def write_data(settings: Settings, way: Way, scenes: Sequence[SceneFiles], people: Sequence[Person]) -> SceneFolder:
    """Returns the scene folder of one training, <out>/data/<way>: the streets, and with people the pasted copies."""
    streets = SceneFolder.open(settings.streets)
    folder = SceneFolder.create(settings.out / "data" / way, streets.label_set)
    there = set(folder.stems(SPLIT)) if SPLIT in folder.splits else set()
    drives = drives_of(streets, scenes, people)
    for files in scenes:
        if files.stem not in there:
            folder.copy_into(files, SPLIT)
        for copy in range(settings.copies if way != "plain" else 0):
            stem = f"{files.stem}_pasted{copy}"
            if stem in there:
                continue
            street = streets.load(files)
            rng = np.random.default_rng(zlib.crc32(stem.encode()))  # the same people at the same places in all ways
            drive = drives[drive_of(files.stem)]
            if found := places(street.layout, people, drive, rng):
                made = pasted(street, found, way, drive.light)
                folder.write(SPLIT, stem, made, like=street.file, suffix=files.photo.suffix)
    return folder


def write_sheet(folders: Sequence[SceneFolder], path: Path, count: int = 12) -> None:
    """Writes pasted scenes of all ways and the maps of the last one, a row each, to a picture."""
    stems = [stem for stem in folders[0].stems(SPLIT) if "_pasted" in stem]
    rows = []
    for index in np.linspace(0, len(stems) - 1, min(count, len(stems))).astype(int):
        scenes = [folder.scene(SPLIT, stems[index]) for folder in folders]
        colors = np.zeros((256, 3), np.uint8)
        for one in scenes[0].layout.label_set.classes:
            colors[one.id] = one.color
        rows.append(np.hstack([*(scene.photo for scene in scenes), colors[scenes[0].layout.label_map]]))
    Image.fromarray(np.vstack(rows)).save(path)


def train(settings: Settings, way: Way, seed: int) -> Path:
    """Returns the model folder of one training, made if it is not there."""
    run = settings.out / "runs" / f"{way}-{seed}"
    if not (run / "model" / "config.json").is_file():
        data = Recipe.load(RECIPE).model_dump()
        stage = {**data["stages"][0], "steps": settings.steps}
        # Read at one size: three would make measuring three times as long, and are the same for all.
        config = {**data["config"], "scales": [1.0]}
        data |= {"config": config, "seed": seed, "ema": 0.99, "stages": [stage], "start_from": settings.start_from}
        if settings.start_from is not None:
            data["optimizer"]["generator"] /= 4
        recipe = Recipe.parse(data, way)
        print(run, flush=True)
        run_recipe(recipe, settings.out / "data" / way, run, resume=True)
    return run / "model"


def measure(settings: Settings, way: Way, seed: int) -> dict[str, float]:
    """Returns the figures of one training on the streets' `test`.

    IoU of classes, mIoU and pixel accuracy, as `scenebrush compare --task segment` counts them; and of all pixels read
    as pedestrian the share that is right, of all pedestrian pixels the share that is found.
    """
    path = settings.out / "measured" / f"{way}-{seed}.json"
    if not path.is_file():
        model = load_segmenter(train(settings, way, seed))
        streets = SceneFolder.open(settings.streets)
        known = tuple(one.id for one in streets.label_set.classes if one.kind != "void")
        matrix = np.zeros((len(known), len(known) + 1), np.int64)
        for files in list(streets.iterate("test"))[: settings.n]:
            scene = streets.load(files)
            asked = scene.layout.label_map
            told = np.isin(asked, known)
            matrix += confusion_matrix(asked[told], model.segment(scene.photo)[told], known)
        names = [streets.label_set.by_id[one].name for one in known]
        figures = {"mIoU": mean_iou(matrix), "accuracy": pixel_accuracy(matrix)}
        figures |= {name: float(value) for name, value in zip(names, iou(matrix), strict=True)}
        one = names.index(_PEDESTRIAN)
        figures["right"] = float(matrix[one, one] / max(matrix[:, one].sum(), 1))
        figures["found"] = float(matrix[one, one] / max(matrix[one].sum(), 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(figures, indent=1) + "\n")
    read: dict[str, float] = json.loads(path.read_text())
    return read


def table(figures: Mapping[Way, Sequence[Mapping[str, float]]]) -> str:
    """Returns the figures as Markdown: means over the seeds, and how far the seeds lie apart."""
    names = {"IoU of pedestrian": _PEDESTRIAN, "found": "found", "right": "right", "bicyclist": "bicyclist"}
    names |= {"mIoU": "mIoU", "pixel accuracy": "accuracy"}
    lines = ["| trained on | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for way, runs in figures.items():
        cells = []
        for name in names.values():
            values = [run[name] for run in runs]
            spread = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
            cells.append(f"{np.mean(values):.3f}{spread}")
        lines.append(f"| {way} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(settings: Settings) -> None:
    """Pastes, trains, measures."""
    torch.set_num_threads(settings.threads)
    streets = SceneFolder.open(settings.streets)
    scenes = list(streets.iterate(SPLIT))
    if settings.photos is not None:
        scenes = [scenes[i] for i in np.linspace(0, len(scenes) - 1, settings.photos).astype(int)]
    people = list(people_of(SceneFolder.open(settings.people), ModelCutter(settings.model)))
    print(f"{len(people)} people for {len(scenes)} streets", flush=True)
    folders = {way: write_data(settings, way, scenes, people) for way in settings.only}
    with_people = [folder for way, folder in folders.items() if way != "plain"]
    if with_people:
        write_sheet(with_people, settings.out / "sheet.png")
    if settings.sheet_only:
        return
    # Seed by seed, so that what is cut short has every way equally often.
    measured = [(way, seed, measure(settings, way, seed)) for seed in settings.seeds for way in settings.only]
    figures = {way: [each for name, _, each in measured if name == way] for way in settings.only}
    text = table(figures)
    (settings.out / "table.md").write_text(text + "\n", encoding="utf-8")
    pastes = {way: sum("_pasted" in stem for stem in folder.stems(SPLIT)) for way, folder in folders.items()}
    report = {"streets": len(scenes), "people": len(people), "pasted": pastes, "steps": settings.steps}
    report |= {"start_from": settings.start_from, "seeds": settings.seeds, "figures": figures}
    write_text(settings.out / "report.json", json.dumps(report, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
