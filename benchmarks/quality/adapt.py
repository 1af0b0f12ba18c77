"""What `--adapt` is worth: the same holes of the same photos before and after learning from the photo.

    SCENEBRUSH_ASSETS=../shared/weights python benchmarks/quality/adapt.py --splits ../shared/data/camvid/test \
        ../shared/data/street_facades/test --photos 20 2 --demo --seconds 15 --model sesame-street --out out/adapt

Per photo, boxes over objects ("add") and over background ("erase") are test holes, no two on one place; of an object's
class the photo shows another one elsewhere, for nobody learns a class from a photo without it. The photo that the model
learns from shows the canvas there, unlabelled, so that neither the truth nor the canvas is taken for a truth; the model
is told the holes and what they ask for, as `scenebrush edit --adapt` tells it.

Prints one line a photo and one table: LPIPS (AlexNet) of the canvas alone, of the model as it is (with new classes: the
mean of the known ones of their kind) and of what `--adapt` gives, be it the adapted model or not, with paired
intervals over photos. Writes <out>/adapt.json and a sheet of holes: visible, canvas, before, after, truth.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import tyro
from PIL import Image
from scipy import ndimage

from scenebrush.canvas import fill
from scenebrush.data.measuring import measuring_windows
from scenebrush.data.split_in_memory import LabelledPhoto, SplitInMemory
from scenebrush.data.windows import Window
from scenebrush.demo.edits import demo_scene
from scenebrush.errors import InputError
from scenebrush.evaluation.edit_cases import edit_case, render
from scenebrush.evaluation.lpips import Lpips, lpips
from scenebrush.evaluation.statistics import paired_difference
from scenebrush.methods import load_model
from scenebrush.methods.sesame import adaptation
from scenebrush.methods.sesame.dataset import object_map
from scenebrush.methods.sesame.lessons import in_photo
from scenebrush.methods.sesame.method import SesameEditor
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene

LEAST_OBJECT = 20  # pixels of a test object's longer side


@dataclass(frozen=True)
class Settings:
    """What is measured.

    Args:
        splits: folders <scene folder>/<split>.
        photos: of each split, spread evenly; the last number holds for the rest.
        holes: of each task in each photo, at most.
        demo: the demo's photo as well.
        seconds: of learning per photo.
        cpu_seconds: they are CPU time over `threads`, for a machine that does other work as well.
        vgg: False learns and judges without VGG, as a plain installation does.
    """

    splits: tuple[Path, ...] = ()
    photos: tuple[int, ...] = (20,)
    holes: int = 3
    demo: bool = False
    seconds: float = 15.0
    cpu_seconds: bool = False
    vgg: bool = True
    model: str = "sesame-street"
    size: int = 128
    seed: int = 0
    threads: int = 2
    out: Path = Path("out/adapt")


@dataclass(frozen=True)
class Subject:
    """A photo, where it is from, and its test holes."""

    source: str
    photo: LabelledPhoto
    label_set: LabelSet
    windows: list[Window]


def main(settings: Settings) -> None:
    """Measures, prints, writes."""
    torch.set_num_threads(settings.threads)
    if settings.cpu_seconds:
        adaptation.time = SimpleNamespace(monotonic=lambda: time.process_time() / settings.threads)
    model, canvas, network = load_model(settings.model), load_model("canvas"), Lpips.load("alex")
    if not isinstance(model, SesameEditor):
        raise SystemExit(f"model {settings.model!r} cannot adapt")
    if not settings.vgg:
        os.environ["SCENEBRUSH_ASSETS"] = str(settings.out / "nothing")
    settings.out.mkdir(parents=True, exist_ok=True)
    rows, sheet = [], []
    for subject in subjects(settings):
        cases = [edit_case(window, subject.label_set) for window in subject.windows]
        truth = np.stack([case.truth for case in cases])
        scene, edit = to_learn_from(subject)
        result = model.adapt(scene, [edit], seconds=settings.seconds, seed=settings.seed)
        editors = {"canvas": canvas, "before": model.with_label_set(subject.label_set), "after": result.model}
        pictures = {name: render(editor, cases).pictures for name, editor in editors.items()}
        row = {"source": subject.source, "photo": subject.photo.stem, "tasks": [w.kind for w in subject.windows]}
        row |= {name: lpips(made, truth, network).tolist() for name, made in pictures.items()}
        row |= {name: getattr(result, name) for name in ("measure", "steps", "kept", "margin")}
        row |= {"held_out_before": result.before, "held_out_after": result.after}
        rows.append(row)
        print(line(row), flush=True)
        sheet += [
            np.hstack([c.scene.photo, *(made[i] for made in pictures.values()), truth[i]]) for i, c in enumerate(cases)
        ]
        Image.fromarray(np.vstack(sheet)).save(settings.out / "adapt.png")
        facts = {"settings": {k: str(v) for k, v in vars(settings).items()}, "photos": rows}
        (settings.out / "adapt.json").write_text(json.dumps(facts, indent=1) + "\n")
    print(table(rows, settings))


def subjects(settings: Settings) -> list[Subject]:
    """Returns the photos that have room for test holes."""
    found = []
    counts = (*settings.photos, *[settings.photos[-1]] * len(settings.splits))
    for folder, number in zip(settings.splits, counts, strict=False):
        split = SplitInMemory(folder.parent, folder.name)
        chosen = np.linspace(0, len(split) - 1, number).round().astype(int)
        found += [(f"{folder.parent.name}/{folder.name}", split.photos[i], split.label_set) for i in np.unique(chosen)]
    if settings.demo:
        scene = demo_scene()
        photo = LabelledPhoto("china", scene.photo, scene.layout.label_map, object_map(scene.layout))
        found.append(("demo", photo, scene.layout.label_set))
    measured = [Subject(*each, test_windows(each[1], each[2], settings)) for each in found]
    return [subject for subject in measured if subject.windows]


def test_windows(photo: LabelledPhoto, label_set: LabelSet, settings: Settings) -> list[Window]:
    """Returns the test holes of one photo: distinct, and of each object's class another one stays."""
    alone = SplitInMemory.of([photo], label_set)
    left = Counter(o.class_id for o in alone.objects if max(o.box[2] - o.box[0], o.box[3] - o.box[1]) >= LEAST_OBJECT)
    chosen: list[Window] = []
    taken = np.zeros(photo.label_map.shape, bool)
    size = min(settings.size, min(taken.shape) // 16 * 16)
    for task in ("add", "erase"):
        number = 0
        for window in candidates(alone, task, 10 * settings.holes, settings.seed, size):
            place = in_photo(window, photo.label_map.shape)
            if number == settings.holes or (place & taken).any() or (task == "add" and left[window.class_id] < 2):
                continue
            left[window.class_id] -= 1
            taken |= ndimage.binary_dilation(place, np.ones((5, 5), bool))
            chosen.append(window)
            number += 1
    return chosen


def candidates(alone: SplitInMemory, task: str, number: int, seed: int, size: int) -> list[Window]:
    """Returns windows that may lie on one another; none where the photo has no fitting place."""
    try:
        return measuring_windows(alone, "", task, number, seed, size, least_object=LEAST_OBJECT)
    except InputError:
        return []


def to_learn_from(subject: Subject) -> tuple[Scene, Edit]:
    """Returns the photo's scene with the canvas in all test holes, unlabelled, and the edit that asks for them."""
    photo, label_set = subject.photo, subject.label_set
    hidden = np.zeros(photo.label_map.shape, bool)
    for window in subject.windows:
        hidden |= in_photo(window, photo.label_map.shape)
    asked = Layout(photo.label_map, label_set, photo.instance_map)
    unknown = label_set.ignore_id if label_set.ignore_id is not None else label_set.of_kind("void")[0]
    label_map = np.where(hidden, unknown, photo.label_map)
    shown = Layout(label_map, label_set, np.where(hidden, 0, photo.instance_map))
    return Scene(fill(photo.photo, asked, asked, hidden).photo, shown), Edit(hidden, asked)


def line(row: dict[str, object]) -> str:
    """Returns what one photo gave."""
    means = {name: float(np.mean(row[name])) for name in ("canvas", "before", "after")}
    figures = f"LPIPS canvas {means['canvas']:.4f}, {means['before']:.4f} -> {means['after']:.4f}"
    held_out = f"held out {row['held_out_before']:.4f} -> {row['held_out_after']:.4f}"
    learned = f"{row['steps']} steps, {'kept' if row['kept'] else 'not kept'}"
    return f"{row['source']} {row['photo']}: {figures}; {held_out} (margin {row['margin']:.4f}, {learned})"


def table(rows: Sequence[dict[str, object]], settings: Settings) -> str:
    """Returns a Markdown table: one line a source and task."""
    lines = [
        "| photos | task | holes | kept | canvas | before | after | after - before [95 %] | after - canvas [95 %] |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    sources = list(dict.fromkeys(row["source"] for row in rows))
    foreign = [s for s in sources if not str(s).startswith("camvid")]
    sets = [(str(s), [s]) for s in sources] + ([("all but camvid", foreign)] if len(foreign) > 1 else [])
    for name, members in sets:
        own = [row for row in rows if row["source"] in members]
        kept = f"{sum(bool(row['kept']) for row in own)} of {len(own)}"
        for task in ("add", "erase", "both"):
            values = {k: pick(own, k, task) for k in ("canvas", "before", "after")}
            if len(values["after"]) == 0:
                continue
            groups = [row["photo"] for row in own for t in row["tasks"] if task in (t, "both")]
            gaps = [difference(values["after"], values[k], groups, settings) for k in ("before", "canvas")]
            means = " | ".join(f"{v.mean():.4f}" for v in values.values())
            lines.append(f"| {name} | {task} | {len(groups)} | {kept} | {means} | {gaps[0]} | {gaps[1]} |")
    return "\n".join(lines)


def pick(rows: Sequence[dict[str, object]], name: str, task: str) -> np.ndarray:
    """Returns the figures of one task, (N,)."""
    return np.array([v for row in rows for v, t in zip(row[name], row["tasks"], strict=True) if task in (t, "both")])


def difference(first: np.ndarray, second: np.ndarray, groups: Sequence[object], settings: Settings) -> str:
    """Returns the mean of first - second with its interval over photos, of one photo over holes."""
    rng = np.random.default_rng(settings.seed)
    over = groups if len(set(groups)) > 1 else None
    gap = paired_difference(first, second, rng, groups=over)
    return f"{gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]{'*' if gap.significant else ''}"


if __name__ == "__main__":
    main(tyro.cli(Settings))
