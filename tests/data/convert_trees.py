"""Trees of the data sets' own shapes, drawn by the toy world, with what each scene has to become."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from scenebrush.data.toy import ToyWorld

SIZE = (64, 48)
SKY, BUILDING, POLE, ROAD, PAVEMENT, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST, VOID = range(12)

# CamVid's ids, which the toy world has, in the other sets' ids; written down by hand from their tables.
TO_CITYSCAPES = [23, 11, 17, 7, 8, 21, 20, 13, 26, 24, 33, 0]
TO_ADE20K = [3, 2, 94, 7, 12, 5, 44, 33, 21, 13, 128, 0]
TO_COCO_PIXELS = [156, 95, 114, 148, 143, 168, 11, 112, 2, 0, 1, 255]
TO_NYU40 = [22, 1, 38, 2, 20, 35, 26, 13, 3, 31, 40, 0]  # streets are no rooms; any numbers do


@dataclass(frozen=True)
class Drawn:
    """One toy scene: photo uint8 (H, W, 3), CamVid labels and instances int (H, W)."""

    photo: np.ndarray
    labels: np.ndarray
    instances: np.ndarray

    def recoded(self, table: list[int]) -> np.ndarray:
        return np.array(table)[self.labels]


def draw(seed: int) -> Drawn:
    """Returns a toy scene; its first row is void."""
    scene = ToyWorld(seed, SIZE).scene()
    labels, instances = np.array(scene.layout.label_map), np.array(scene.layout.instance_map)
    labels[0], instances[0] = VOID, 0
    return Drawn(np.array(scene.photo), labels, instances)


def save(path: Path, values: np.ndarray) -> None:
    """Writes a photo as JPEG or PNG, a map as grey, 16-bit or RGB PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if values.dtype != np.uint8:
        values = values.astype(np.uint8 if values.max() < 256 else np.uint16)
    Image.fromarray(values).save(path)


def cityscapes(root: Path) -> dict[str, Drawn]:
    made = {}
    for k, (split, city) in enumerate((("train", "aachen"), ("train", "bonn"), ("val", "lindau"))):
        stem, drawn = f"{city}_00000{k}_000019", draw(k)
        truth = root / "gtFine" / split / city
        save(root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png", drawn.photo)
        ids = drawn.recoded(TO_CITYSCAPES)
        save(truth / f"{stem}_gtFine_labelIds.png", ids)
        save(truth / f"{stem}_gtFine_instanceIds.png", np.where(objects(drawn) > 0, ids * 1000 + drawn.instances, ids))
        save(truth / f"{stem}_gtFine_color.png", drawn.photo)
        made[f"{split}/{stem}"] = drawn
    return made


def objects(drawn: Drawn) -> np.ndarray:
    """The instances of cars and people, as only they have numbers in Cityscapes."""
    return np.where(np.isin(drawn.labels, (CAR, PEDESTRIAN, BICYCLIST)), drawn.instances, 0)


def ade20k(root: Path) -> dict[str, Drawn]:
    made = {}
    for k, (folder, split, stem) in enumerate(
        (("training", "train", "ADE_train_00000001"), ("validation", "val", "ADE_val_00000001"))
    ):
        drawn = draw(k)
        save(root / "images" / folder / f"{stem}.jpg", drawn.photo)
        save(root / "annotations" / folder / f"{stem}.png", drawn.recoded(TO_ADE20K))
        made[f"{split}/{stem}"] = drawn
    (root / "sceneCategories.txt").write_text("ADE_train_00000001 street\n")
    return made


def cocostuff(root: Path) -> dict[str, Drawn]:
    made = {}
    for k, (folder, split) in enumerate((("train2017", "train"), ("train2017", "train"), ("val2017", "val"))):
        stem, drawn = f"00000000{k:04d}", draw(k)
        save(root / folder / f"{stem}.jpg", drawn.photo)
        save(root / "stuffthingmaps" / folder / f"{stem}.png", drawn.recoded(TO_COCO_PIXELS))
        made[f"{split}/{stem}"] = drawn
    return made


# One of the 32 colours for each of the 11 classes, not the one that our label set shows it in where there is another.
CAMVID_COLORS = [
    *((128, 128, 128), (64, 192, 0), (0, 0, 64), (128, 0, 192), (0, 0, 192), (192, 192, 0)),
    *((0, 64, 64), (64, 64, 128), (64, 128, 192), (192, 128, 64), (192, 0, 192), (0, 0, 0)),
]


def camvid(root: Path) -> dict[str, Drawn]:
    made = {}
    for k, (stem, split) in enumerate(
        (("0001TP_006690", "train"), ("0016E5_07959", "val"), ("Seq05VD_f00000", "test"), ("0001TP_008550", "test"))
    ):
        drawn = draw(k)
        save(root / "701_StillsRaw_full" / f"{stem}.png", drawn.photo)
        colors = np.array(CAMVID_COLORS, np.uint8)[drawn.labels]
        save(root / "LabeledApproved_full" / f"{stem}_L.png", colors)
        made[f"{split}/{stem}"] = drawn
    return made


def camvid_segnet(root: Path) -> dict[str, Drawn]:
    made = {}
    for k, split in enumerate(("train", "val", "test")):
        stem, drawn = f"0006R0_f0{k}930", draw(k)
        save(root / split / f"{stem}.png", drawn.photo)
        save(root / f"{split}annot" / f"{stem}.png", drawn.labels)
        made[f"{split}/{stem}"] = drawn
    return made


def nyuv2(root: Path) -> dict[str, Drawn]:
    made = {}
    for k, split in enumerate(("train", "test", "test")):
        drawn = draw(k)
        save(root / split / "rgb" / f"{k:04d}.png", drawn.photo)
        save(root / split / "labels_40" / f"{k:04d}.png", drawn.recoded(TO_NYU40))
        save(root / split / "depth" / f"{k:04d}.png", drawn.labels)
        made[f"{split}/{k:04d}"] = drawn
    return made


TREES: dict[str, Callable[[Path], dict[str, Drawn]]] = {
    "cityscapes": cityscapes,
    "ade20k": ade20k,
    "cocostuff": cocostuff,
    "camvid": camvid,
    "camvid_segnet": camvid_segnet,
    "nyuv2": nyuv2,
}
EXPECTED: dict[str, Callable[[Drawn], np.ndarray]] = {
    "cityscapes": lambda d: d.recoded(TO_CITYSCAPES),
    "ade20k": lambda d: d.recoded(TO_ADE20K),
    "cocostuff": lambda d: d.recoded([*TO_COCO_PIXELS[:11], 182]),
    "camvid": lambda d: d.labels,
    "camvid_segnet": lambda d: d.labels,
    "nyuv2": lambda d: d.recoded([*(n - 1 for n in TO_NYU40[:11]), 39]),
}
"""What every tree's label maps have to become."""


FACE_PARTS = {"skin": 1, "nose": 2, "eye_g": 3, "l_eye": 4, "hair": 13, "hat": 14, "cloth": 18}
"""Some of the parts with their ids, in the order in which the data set's own script paints them."""


def celebamask(root: Path) -> dict[str, np.ndarray]:
    """Writes 3 faces of 32x32 with overlapping masks of 16x16; returns their label maps, by hand."""
    made = {}
    for face, folder in ((0, 0), (1, 0), (2000, 1)):
        photo = np.random.default_rng(face).integers(0, 256, (32, 32, 3), np.uint8)
        save(root / "CelebA-HQ-img" / f"{face}.jpg", photo)
        expected = np.zeros((16, 16), np.int32)
        for k, (part, id_) in enumerate(FACE_PARTS.items()):
            if part == "hat" and face == 1:
                continue
            mask = np.zeros((16, 16), bool)
            mask[k : k + 8, k : k + 6] = True  # each covers a part of the one before
            expected[mask] = id_
            name = f"{face:05d}_{part}.png"
            save(root / "CelebAMask-HQ-mask-anno" / str(folder) / name, np.repeat(mask[:, :, None] * 255, 3, axis=2))
        made[f"{face:05d}"] = expected.repeat(2, axis=0).repeat(2, axis=1)
    return made
