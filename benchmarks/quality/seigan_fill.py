"""What should fill the place of an object that `scenebrush compose` took away: the canvas, or the model's inpainter?

    SCENEBRUSH_ASSETS=../shared/weights python benchmarks/quality/seigan_fill.py --data ../shared/data/coco_things \\
        --model seigan-objects

Holes in the shape of real objects (true masks) are moved to where a photo shows no object, and filled; the photo itself
is the truth. Prints PSNR and LPIPS (AlexNet) in the hole, mean over all, and how often the canvas is nearer; writes a
sheet with --sheet: photo, hole, canvas, network.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from seigan_masks import networks_of

from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.evaluation.lpips import Lpips, lpips
from scenebrush.evaluation.ssim import psnr
from scenebrush.methods.seigan.compose import Filling, without

_TRIES = 200
_FILLINGS: tuple[Filling, ...] = ("canvas", "network")


class Case(NamedTuple):
    """A photo, uint8 (H, W, 3), and a place in it to fill, float32 (H, W)."""

    photo: np.ndarray
    mask: np.ndarray


def cases(split: SplitInMemory, count: int, rng: np.random.Generator) -> list[Case]:
    """Returns photos with the shape of one of the split's objects where they show no object."""
    found: list[Case] = []
    records = [record for record in split.objects if record.area >= 600]
    for _ in range(count * _TRIES):
        if len(found) == count:
            break
        record = records[int(rng.integers(len(records)))]
        x0, y0, x1, y1 = record.box
        shape = split.photos[record.photo].instance_map[y0:y1, x0:x1] == record.instance
        photo = split.photos[int(rng.integers(len(split.photos)))]
        room = photo.size[1] - shape.shape[0], photo.size[0] - shape.shape[1]
        if min(room) < 1:
            continue
        y, x = (int(rng.integers(length)) for length in room)
        mask = np.zeros(photo.instance_map.shape, np.float32)
        mask[y : y + shape.shape[0], x : x + shape.shape[1]] = shape
        if not (photo.instance_map[mask > 0] > 0).any():
            found.append(Case(photo.photo, mask))
    return found


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a scene folder with instance maps")
    parser.add_argument("--split", default="test")
    parser.add_argument("--model", default="seigan-objects", help="a model of seigan, by name or folder")
    parser.add_argument("-n", type=int, default=60, help="holes")
    parser.add_argument("--sheet", type=Path, help="write the first ten side by side")
    arguments = parser.parse_args()

    networks = networks_of(arguments.model).requires_grad_(False)
    holes = cases(SplitInMemory(arguments.data, arguments.split), arguments.n, np.random.default_rng(0))
    network, rows = Lpips.load("alex"), []
    figures: dict[Filling, list[tuple[float, float]]] = {name: [] for name in _FILLINGS}
    for photo, mask in holes:
        made = {name: without(networks, photo, mask, name) for name in _FILLINGS}
        hole = (mask > 0)[None]
        for name, picture in made.items():
            pair = picture[None], photo[None]
            figures[name].append((psnr(*pair, hole)[0], lpips(*pair, network, holes=hole)[0]))
        rows.append([photo, np.where(hole[0, ..., None], np.uint8(128), photo), *made.values()])
    print(f"{len(holes)} holes of {arguments.data.name} {arguments.split}")
    table = {name: np.array(values) for name, values in figures.items()}
    for name, values in table.items():
        print(f"{name:<8} PSNR {values[:, 0].mean():6.2f}  LPIPS {values[:, 1].mean():.3f}")
    nearer = table["canvas"] - table["network"]
    print(f"canvas nearer: {(nearer[:, 0] > 0).mean():.0%} by PSNR, {(nearer[:, 1] < 0).mean():.0%} by LPIPS")
    if arguments.sheet:
        small = [np.concatenate([np.array(Image.fromarray(p).resize((240, 180))) for p in row], 1) for row in rows[:10]]
        Image.fromarray(np.concatenate(small)).save(arguments.sheet)


if __name__ == "__main__":
    main()
