"""How well objects are cut out of their boxes, as IoU on true masks: shapes, GrabCut, the evidence alone, models.

    python benchmarks/quality/seigan_masks.py --data ../shared/data/coco_things --model runs/seigan/model

Prints a table, and writes it as JSON with --json. Every object of the classes whose box is large enough counts once.
All masks are compared with the truth at the size of the crops that models see. ± is half of a 95 % bootstrap interval
that resamples whole photos; the last columns are paired differences to the box and to the best of the GrabCuts (which
is chosen on these very objects, in its favour), * where the interval leaves out 0.

GrabCut (OpenCV, the `measure` extra; else its rows are left out) begins with the box, 5 iterations. It sees the crop,
or the whole photo at its own pixels, after which its mask is brought to the crop's size. It often finds nothing at all
in a box: the rows "or box" take the box where it finds less than a twentieth of it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from scenebrush.canvas.box_evidence import box_evidence, box_place
from scenebrush.data.box_crops import MeasuredCrop, MeasuringCrops
from scenebrush.data.holes import Box
from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.evaluation.mask_iou import mask_iou
from scenebrush.evaluation.statistics import Difference, Interval, bootstrap_interval, paired_difference
from scenebrush.methods import find_model
from scenebrush.methods.seigan.config import SeiganConfig
from scenebrush.methods.seigan.folder import load_networks
from scenebrush.methods.seigan.networks import SeiganNetworks
from scenebrush.methods.seigan.trainee import photos_tensor, planes_tensor

BOX = "box = mask"
_ITERATIONS = 5  # of GrabCut
_LEAST_FOUND = 1 / 20  # of the box: GrabCut found nothing


@dataclass(frozen=True, eq=False)
class Case:
    """An object: its crop as models see it, with the true mask, and its whole photo, uint8 (H, W, 3), with its box."""

    measured: MeasuredCrop
    photo: np.ndarray
    box: Box


Cutter = Callable[[Case], np.ndarray]
"""Returns an object's mask at the size of its crop, bool or float32 in [0, 1]."""


@dataclass(frozen=True)
class Row:
    """What a way of cutting out reached: IoU, its median, the mean share of the box, and paired differences."""

    iou: Interval
    median: float
    share: float
    to_box: Difference
    to_grabcut: Difference | None


def cases_of(split: SplitInMemory, config: SeiganConfig) -> list[Case]:
    """Returns all objects of a split that a model of this configuration is measured on."""
    crops = MeasuringCrops(
        split, config.classes, size=config.size, context=config.context, least_side=config.least_side
    )
    return [Case(crops[i], split.photos[record.photo].photo, record.box) for i, record in enumerate(crops.records)]


def the_box(case: Case) -> np.ndarray:
    """Returns the box as mask."""
    return case.measured.crop.box


def ellipse(case: Case) -> np.ndarray:
    """Returns the ellipse that touches the box's sides."""
    box = case.measured.crop.box
    return np.asarray(box & (box_place(box[None])[0] >= 0))


def evidence(case: Case) -> np.ndarray:
    """Returns what the photo itself tells of the box, before anything is learned (`canvas.box_evidence`)."""
    crop = case.measured.crop
    return np.asarray((box_evidence(crop.photo[None], crop.box[None]).logits[0] > 0) & crop.box)


def model(networks: SeiganNetworks) -> Cutter:
    """Returns the soft masks of a segmentation network."""

    def cut(case: Case) -> np.ndarray:
        crop = case.measured.crop
        with torch.inference_mode():
            mask = networks.segmenter(photos_tensor([crop.photo]), planes_tensor([crop.box]))
        return np.asarray(mask[0, 0])

    return cut


def networks_of(name: str) -> SeiganNetworks:
    """Returns the networks of a SEIGAN model, by name or folder."""
    folder = find_model(name).path
    assert folder is not None
    return load_networks(folder)[0]


def grabcuts() -> dict[str, Cutter]:
    """Returns GrabCut on the crop and on the whole photo, by name; nothing where OpenCV is not installed."""
    try:
        import cv2
    except ImportError:
        return {}

    def cut(photo: np.ndarray, box: np.ndarray) -> np.ndarray:
        if box.all():
            return box
        mask = np.where(box, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
        cv2.setRNGSeed(0)
        fitted = np.zeros((1, 65)), np.zeros((1, 65))
        bgr = np.ascontiguousarray(photo[..., ::-1])
        cv2.grabCut(bgr, mask, (0, 0, 1, 1), *fitted, _ITERATIONS, cv2.GC_INIT_WITH_MASK)  # the rectangle is not read
        return np.asarray((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD))

    def on_crop(case: Case) -> np.ndarray:
        return cut(case.measured.crop.photo, case.measured.crop.box)

    def on_photo(case: Case) -> np.ndarray:
        box = np.zeros(case.photo.shape[:2], bool)
        box[case.box[1] : case.box[3], case.box[0] : case.box[2]] = True
        x0, y0, x1, y1 = case.measured.crop.window
        found = resized(cut(case.photo, box)[y0:y1, x0:x1], len(case.measured.mask))
        return np.asarray(found & case.measured.crop.box)

    return {"GrabCut, crop": on_crop, "GrabCut, whole photo": on_photo}


def resized(mask: np.ndarray, size: int) -> np.ndarray:
    """Returns a mask, bool (H, W), at (size, size): true where at least half is covered."""
    soft = Image.fromarray(mask.astype(np.float32)).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(np.array(soft) >= 0.5)


def masks_of(cases: Sequence[Case], cutter: Cutter) -> np.ndarray:
    """Returns the masks of all objects, float32 (N, S, S) in [0, 1]."""
    return np.stack([cutter(case).astype(np.float32) for case in cases])


def or_box(masks: np.ndarray, cases: Sequence[Case]) -> np.ndarray:
    """Returns masks (N, S, S), but the box where less than a twentieth of it was found."""
    boxes = masks_of(cases, the_box)
    nothing = masks.sum((1, 2)) < boxes.sum((1, 2)) * _LEAST_FOUND
    return np.where(nothing[:, None, None], boxes, masks)


def plain_masks(cases: Sequence[Case]) -> dict[str, np.ndarray]:
    """Returns the masks of all that needs no model, by name; the box comes first."""
    masks = {BOX: masks_of(cases, the_box), "ellipse in the box": masks_of(cases, ellipse)}
    for name, cutter in grabcuts().items():
        masks[name] = masks_of(cases, cutter)
        masks[f"{name}, or box"] = or_box(masks[name], cases)
    return masks | {"canvas: evidence": masks_of(cases, evidence)}


def ious(masks: np.ndarray, cases: Sequence[Case]) -> np.ndarray:
    """Returns the IoU of each mask (N, S, S) with the truth, (N,)."""
    return np.asarray(mask_iou(masks, np.stack([case.measured.mask for case in cases])))


def shares(masks: np.ndarray, cases: Sequence[Case]) -> float:
    """Returns the mean share of the box that masks (N, S, S) cover."""
    return float((masks.sum((1, 2)) / masks_of(cases, the_box).sum((1, 2))).mean())


def table_of(masks: Mapping[str, np.ndarray], cases: Sequence[Case]) -> dict[str, Row]:
    """Returns a row for each set of masks (N, S, S), by name; one of them must be `BOX`."""
    photos = [case.measured.crop.stem for case in cases]
    values = {name: ious(found, cases) for name, found in masks.items()}
    cut = [name for name in values if name.startswith("GrabCut")]
    best = max(cut, key=lambda name: values[name].mean()) if cut else None
    rows = {}
    for name, own in values.items():
        # The same resamples for all rows.
        interval = bootstrap_interval(own, np.random.default_rng(0), groups=photos)
        to_box, to_grabcut = (
            paired_difference(own, values[other], np.random.default_rng(0), groups=photos) if other else None
            for other in (BOX, best)
        )
        assert to_box is not None
        rows[name] = Row(interval, float(np.median(own)), shares(masks[name], cases), to_box, to_grabcut)
    return rows


def print_table(rows: Mapping[str, Row]) -> None:
    """Prints the rows as a Markdown table."""
    print("| masks | mean IoU | median | share of box | to the box [95%] | to the best GrabCut [95%] |")
    print("|---|---|---|---|---|---|")
    for name, row in rows.items():
        ends = [told(row.to_box), told(row.to_grabcut) if row.to_grabcut else "-"]
        start = f"| {name} | {row.iou.mean:.3f} ±{row.iou.half_width:.3f} | {row.median:.3f} | {row.share:.2f} | "
        print(start + " | ".join(ends) + " |", flush=True)


def told(gap: Difference) -> str:
    """Returns a paired difference with its interval, * where that leaves out 0."""
    return f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]{'*' if gap.significant else ''}"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a scene folder with instance maps")
    parser.add_argument("--split", default="test")
    parser.add_argument("--model", action="append", default=[], help="a model, by name or folder; may be given again")
    parser.add_argument("--classes", nargs="*", help="class names; default: those of the first model, or all things")
    parser.add_argument("--size", type=int, help="side of the crops; default: the first model's, or 96")
    parser.add_argument("--json", type=Path, help="write the table here too")
    arguments = parser.parse_args()

    loaded = {name: networks_of(name) for name in arguments.model}
    known = next(iter(loaded.values())).config if loaded else SeiganConfig()
    classes = known.classes if arguments.classes is None else tuple(arguments.classes)
    config = SeiganConfig(
        classes=classes, size=arguments.size or known.size, context=known.context, least_side=known.least_side
    )
    cases = cases_of(SplitInMemory(arguments.data, arguments.split), config)
    photos = len({case.measured.crop.stem for case in cases})
    told_data = f"{arguments.data.resolve().name}/{arguments.split}"
    print(f"**{told_data}, N = {len(cases)} objects of {photos} photos, crops of {config.size}**\n")
    masks = plain_masks(cases) | {name: masks_of(cases, model(networks)) for name, networks in loaded.items()}
    rows = table_of(masks, cases)
    print_table(rows)
    if arguments.json:
        told_rows = {name: asdict(row) for name, row in rows.items()}
        arguments.json.write_text(json.dumps({"objects": len(cases), "photos": photos, "masks": told_rows}, indent=1))


if __name__ == "__main__":
    main()
