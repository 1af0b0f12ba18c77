"""Time of an edit whose surroundings alone are drawn again, against drawing the whole picture; and how close it comes.

    python benchmarks/speed/pix2pixhd_local.py [--runs 5] [--width 24] [--norm batch] [--out local.json]
    python benchmarks/speed/pix2pixhd_local.py --model runs/facades/model --labels house.png

Random weights and a made-up street, or a model folder and a label map of its classes. Runs are interleaved. "whole"
draws the new picture as `SynthesisEditor` does at the start, with the maps kept; "synthesize" without. Differences are
means over pixels and channels in steps of 255, of the local picture from the whole new one.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro
from timing import Timing, interleaved, machine, street

from scenebrush.errors import ScenebrushError
from scenebrush.methods.base import Drawing
from scenebrush.methods.pix2pixhd.config import Pix2PixHDConfig
from scenebrush.methods.pix2pixhd.method import Pix2PixHDSynthesizer, load
from scenebrush.methods.pix2pixhd.networks import build_networks
from scenebrush.scene import operations, read_label_map
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.object_keys import mask_of, object_keys
from scenebrush.scene.objects import bounding_box, numbered
from scenebrush.scene.scene import Scene

CAR = 8  # in camvid


@dataclass(frozen=True)
class Settings:
    """What is timed. The defaults are the network of `recipes/pix2pixhd/facades.yaml`.

    Args:
        runs: runs of each.
        threads: torch's CPU threads.
        size: of the made-up street, width and height in pixels.
        width: of the network with random weights.
        num_downsamplings: of its global generator.
        num_blocks: of its global generator.
        num_enhancers: of the network with random weights.
        norm: of the network with random weights.
        model: a model folder in place of random weights.
        labels: a label map of the model's classes, in place of the street.
        out: a JSON file to write, or None.
    """

    runs: int = 5
    threads: int = 1
    size: tuple[int, int] = (1024, 512)
    width: int = 24
    num_downsamplings: int = 3
    num_blocks: int = 6
    num_enhancers: int = 1
    norm: Literal["instance", "batch"] = "batch"
    model: Path | None = None
    labels: Path | None = None
    out: Path | None = None


def main(settings: Settings) -> None:
    """Times and prints."""
    torch.set_num_threads(settings.threads)
    model = load(settings.model) if settings.model else random_model(settings)
    before = numbered(layout_of(settings, model.label_set))
    after, added = with_another(before)
    start = model.draw(before, model.looks(before))
    looks = model.looks(after)
    jobs = {
        "synthesize": lambda: model.synthesize(after),
        "whole": lambda: model.draw(after, looks),
        "local": lambda: model.redraw(start, after, looks),
    }
    times = interleaved(jobs, settings.runs)
    local, whole = model.redraw(start, after, looks), model.draw(after, looks)
    report(settings, times, differences(start, local, whole, added))


def random_model(settings: Settings) -> Pix2PixHDSynthesizer:
    """Returns a model for camvid with random weights whose pictures have contrast."""
    torch.manual_seed(0)
    camvid = LabelSet.load("camvid")
    config = Pix2PixHDConfig(
        num_classes=len(camvid.classes),
        num_features=3,
        width=settings.width,
        num_downsamplings=settings.num_downsamplings,
        num_blocks=settings.num_blocks,
        num_enhancers=settings.num_enhancers,
        norm=settings.norm,
    )
    networks = build_networks(config)
    with torch.no_grad():
        for weight in networks.parameters():
            if weight.ndim > 1:
                weight.normal_(0, (2 / weight[0].numel()) ** 0.5)
        for head in networks.generator.heads.values():
            head.weight.mul_(0.3)
    return Pix2PixHDSynthesizer(networks.eval().requires_grad_(False), camvid)


def layout_of(settings: Settings, label_set: LabelSet) -> Layout:
    """Returns the layout that is edited: the label map's, or a street with a row of cars."""
    if settings.labels:
        return Layout(read_label_map(settings.labels, label_set), label_set)
    width, height = settings.size
    _, label_map = street(width, height)
    for x in range(width // 20, width - width // 12, width // 7):
        label_map[height * 3 // 4 : height * 5 // 6, x : x + width // 14] = CAR
    return Layout(label_map, label_set)


def with_another(layout: Layout) -> tuple[Layout, np.ndarray]:
    """Returns the layout with one object more, and where that is, bool (H, W).

    It is of the class of which there are most objects, and as large as the middle one of them.
    """
    keys = [key for key in object_keys(layout) if key[1]]
    ids, counts = np.unique([class_id for class_id, _ in keys], return_counts=True)
    class_id = int(ids[counts.argmax()])
    boxes = sorted(
        (bounding_box(mask_of(layout, key)) for key in keys if key[0] == class_id), key=lambda b: b[2] * b[3]
    )
    x, y, width, height = boxes[len(boxes) // 2]
    scene = Scene(np.zeros((*layout.shape, 3), np.uint8), layout)
    middle = (layout.shape[1] / 2, y + height / 2)
    after = operations.add(scene, class_id, box=(x, y, width, height), at=middle).layout
    return after, (after.instance_map != layout.instance_map) | (after.label_map != layout.label_map)


def differences(start: Drawing, local: Drawing, whole: Drawing, added: np.ndarray) -> dict[str, float]:
    """Returns the share of the picture that was drawn, what the edit changed and how far that is from the whole."""
    drawn = np.zeros(added.shape, bool)
    for x, y, width, height in local.boxes:
        drawn[y : y + height, x : x + width] = True

    def apart(one: Drawing, other: Drawing, where: np.ndarray) -> float:
        return float(np.abs(one.picture[where].astype(float) - other.picture[where]).mean())

    return {
        "share drawn": float(drawn.mean()),
        "the edit, in the object": apart(start, whole, added),
        "local from whole, in the object": apart(local, whole, added),
        "local from whole, in the part": apart(local, whole, drawn),
        "local from whole, elsewhere": apart(local, whole, ~drawn) if (~drawn).any() else 0.0,
    }


def report(settings: Settings, times: dict[str, Timing], found: dict[str, float]) -> None:
    """Prints the table and the differences, writes the JSON."""
    print(f"{machine()}, torch {torch.__version__}, {settings.threads} threads, median of {settings.runs}\n")
    print("| what | wall s | CPU s | CPU / whole |\n|---|---|---|---|")
    for name, timing in times.items():
        ratio = timing.median_cpu / times["whole"].median_cpu
        print(f"| {name} | {timing.median_wall:.3f} | {timing.median_cpu:.3f} | {ratio:.3f} |")
    print("\n" + "\n".join(f"{name}: {value:.3f}" for name, value in found.items()))
    if settings.out:
        document = {"machine": machine(), "found": found, "runs": {n: vars(t) for n, t in times.items()}}
        settings.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main(tyro.cli(Settings, description=__doc__))
    except ScenebrushError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
