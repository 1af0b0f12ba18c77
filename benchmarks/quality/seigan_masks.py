"""How well objects are cut out of their boxes, as mean IoU on true masks: the box itself, an ellipse, GrabCut, models.

    python benchmarks/quality/seigan_masks.py --data ../shared/data/coco_things --model runs/seigan/model

Prints a table, and writes it as JSON with --json. GrabCut needs OpenCV (the `measure` extra); without it, its rows are
left out. It often finds nothing at all in a box, so it is also shown with the box taken where it finds less than a
twentieth of it. Every object of the classes whose box is large enough counts once, at the size of its crop.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from scenebrush.data.box_crops import MeasuredCrop, MeasuringCrops
from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.evaluation.mask_iou import mask_iou
from scenebrush.methods.seigan.config import SeiganConfig
from scenebrush.methods.seigan.folder import load_networks
from scenebrush.methods.seigan.trainee import photos_tensor, planes_tensor

Cutter = Callable[[MeasuredCrop], np.ndarray]


def the_box(measured: MeasuredCrop) -> np.ndarray:
    """Returns the box as mask."""
    return measured.crop.box


def ellipse(measured: MeasuredCrop) -> np.ndarray:
    """Returns the ellipse that touches the box's sides."""
    box = measured.crop.box
    rows, columns = np.flatnonzero(box.any(1)), np.flatnonzero(box.any(0))
    v = (np.arange(box.shape[0]) - rows.mean()) / (len(rows) / 2)
    u = (np.arange(box.shape[1]) - columns.mean()) / (len(columns) / 2)
    return box & (np.hypot(v[:, None], u[None]) <= 1)


def grabcut() -> Cutter | None:
    """Returns GrabCut from the box, 5 iterations; None where OpenCV is not installed."""
    try:
        import cv2
    except ImportError:
        return None

    def cut(measured: MeasuredCrop) -> np.ndarray:
        box = measured.crop.box
        rows, columns = np.flatnonzero(box.any(1)), np.flatnonzero(box.any(0))
        rectangle = (int(columns[0]), int(rows[0]), len(columns), len(rows))
        if box.all():
            return box
        mask = np.zeros(box.shape, np.uint8)
        cv2.setRNGSeed(0)
        pixels = np.ascontiguousarray(measured.crop.photo[..., ::-1])
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(pixels, mask, rectangle, *models, 5, cv2.GC_INIT_WITH_RECT)
        return (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)

    return cut


def or_box(cutter: Cutter | None) -> Cutter | None:
    """Returns the same, but the box where it finds less than a twentieth of it."""
    if cutter is None:
        return None

    def cut(measured: MeasuredCrop) -> np.ndarray:
        mask, box = cutter(measured), measured.crop.box
        return box if mask.sum() < box.sum() / 20 else mask

    return cut


def model(folder: Path) -> Cutter:
    """Returns the masks of a model folder's segmentation network."""
    networks, _ = load_networks(folder)

    def cut(measured: MeasuredCrop) -> np.ndarray:
        with torch.inference_mode():
            mask = networks.segmenter(photos_tensor([measured.crop.photo]), planes_tensor([measured.crop.box]))
        return mask[0, 0].numpy()

    return cut


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a scene folder with instance maps")
    parser.add_argument("--split", default="test")
    parser.add_argument("--model", type=Path, action="append", default=[], help="a model folder; may be given again")
    parser.add_argument("--classes", nargs="*", help="class names; default: those of the first model, or all things")
    parser.add_argument("--size", type=int, help="side of the crops; default: the first model's, or 96")
    parser.add_argument("--json", type=Path, help="write the table here too")
    arguments = parser.parse_args()

    known = load_networks(arguments.model[0])[0].config if arguments.model else SeiganConfig()
    classes = known.classes if arguments.classes is None else tuple(arguments.classes)
    crops = MeasuringCrops(
        SplitInMemory(arguments.data, arguments.split),
        classes,
        size=arguments.size or known.size,
        context=known.context,
        least_side=known.least_side,
    )
    measured = [crops[i] for i in range(len(crops))]
    truth = np.stack([one.mask for one in measured])
    cutters: dict[str, Cutter | None] = {"box = mask": the_box, "ellipse in the box": ellipse, "GrabCut": grabcut()}
    cutters["GrabCut, or the box"] = or_box(grabcut())
    cutters |= {str(folder): model(folder) for folder in arguments.model}
    table = {}
    print(f"{len(measured)} objects of {arguments.data.name} {arguments.split}, crops of {crops.size}")
    print(f"{'masks':<40} {'mean IoU':>8} {'median':>7} {'share of box':>12}")
    for name, cutter in cutters.items():
        if cutter is None:
            continue
        masks = np.stack([cutter(one).astype(np.float32) for one in measured])
        values = np.asarray(mask_iou(masks, truth))
        boxes = np.stack([one.crop.box for one in measured])
        share = float((masks.sum((1, 2)) / boxes.sum((1, 2))).mean())
        table[name] = {"mean_iou": float(values.mean()), "median_iou": float(np.median(values)), "share": share}
        print(f"{name[-40:]:<40} {values.mean():>8.3f} {np.median(values):>7.3f} {share:>12.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"objects": len(measured), "masks": table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
