"""The picture of `scenebrush compose` in the documentation: photos of installed packages, boxes drawn by hand.

    python benchmarks/quality/compose_sheet.py --out docs/images

Writes compose.jpg. Above: a flower in its box, cut out, in another photo, and its own photo filled. Below, `--swap`: a
cup in its box, cut out, and both photos with their objects exchanged. Photos: flower.jpg (vultilion) and china.jpg
(danielbuechele), both on Flickr, CC BY 2.0, of scikit-learn; coffee.png (Rachel Michetti, CC0) of scikit-image.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image, ImageDraw
from skimage import data
from sklearn.datasets import load_sample_image

from scenebrush.data.holes import Box
from scenebrush.methods import load_model
from scenebrush.methods.seigan.compose import compose_photos, swap_photos
from scenebrush.methods.seigan.method import SeiganEditor

FLOWER_BOX, CUP_BOX = (169, 84, 449, 360), (75, 15, 483, 385)
_SIZE = 420, 280
_TILE = 10


@dataclass(frozen=True)
class Settings:
    """What is made.

    Args:
        model: of SEIGAN.
        out: where the sheet goes.
    """

    model: str = "seigan-objects"
    out: Path = Path("docs/images")


def main(settings: Settings) -> None:
    """Writes the sheet."""
    model = load_model(settings.model)
    assert isinstance(model, SeiganEditor)
    flower, china = (load_sample_image(f"{name}.jpg") for name in ("flower", "china"))
    cup = data.coffee()
    added = compose_photos(model.networks, flower, FLOWER_BOX, china, (500, 340), scale=0.5)
    with_cup, with_flower = swap_photos(model.networks, (flower, cup), (FLOWER_BOX, CUP_BOX))
    rows = [
        [boxed(flower, FLOWER_BOX), on_tiles(added.cut_out), added.picture, added.inpainted],
        [boxed(cup, CUP_BOX), on_tiles(with_flower.cut_out), with_cup.picture, with_flower.picture],
    ]
    sheet = np.concatenate([np.concatenate([small(picture) for picture in row], 1) for row in rows])
    settings.out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(settings.out / "compose.jpg", quality=86)


def boxed(photo: np.ndarray, box: Box) -> np.ndarray:
    """Returns a photo with a box drawn on it."""
    image = Image.fromarray(photo)
    ImageDraw.Draw(image).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), outline="white", width=3)
    return np.asarray(image)


def on_tiles(cut_out: np.ndarray) -> np.ndarray:
    """Returns uint8 (H, W, 4) RGBA before the tiles that stand for nothing, uint8 (H, W, 3)."""
    rows, columns = np.mgrid[: cut_out.shape[0], : cut_out.shape[1]] // _TILE
    tiles = np.where((rows + columns) % 2, 255, 205)[..., None]
    opacity = cut_out[..., 3:] / 255
    return np.rint(cut_out[..., :3] * opacity + tiles * (1 - opacity)).astype(np.uint8)


def small(picture: np.ndarray) -> np.ndarray:
    """Returns a picture at the size of the sheet's."""
    return np.asarray(Image.fromarray(picture).resize(_SIZE, Image.Resampling.LANCZOS))


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
