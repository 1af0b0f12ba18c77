"""What one iteration of the paper's training learns from: the photo as it is learned, and an augmented copy."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from PIL import Image

from scenebrush.data.augmentation import Augmentation, draw_warp
from scenebrush.errors import InputError
from scenebrush.methods.semia.objective import Pair
from scenebrush.methods.semia.paper_schedule import SWAP
from scenebrush.methods.semia.source import Source, resized_layout
from scenebrush.scene.layout import Layout

AUGMENTATION: Final = Augmentation()  # the paper's
SHEET: Final = Augmentation(bend=1.0, bend_shift=0.05)  # bends that an eye sees
SHEET_SEED: Final = 0  # the same layouts in every picture of a fit


class Turn(NamedTuple):
    """What one iteration learns from: source and target, which are one in reconstruction mode."""

    source: Pair
    target: Pair
    reconstructs: bool


def sized(source: Source, divisor: int, *, half: bool = False) -> Source:
    """Returns a photo with its layout, perhaps at half its size, its sides cropped to multiples of `divisor`.

    Raises:
        InputError: sides of fewer than two multiples.
    """
    height, width = (side // (2 if half else 1) for side in source.shape)
    photo = source.photo
    if half:
        photo = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BOX))
    layout = resized_layout(source.layout, (width, height), lines=source.kind == "edges")
    rows, columns = (side // divisor * divisor for side in (height, width))
    if min(rows, columns) < 2 * divisor:
        raise InputError(f"the photo is {width}x{height}; expected {2 * divisor} pixels or more a side")
    return Source(photo[:rows, :columns], Layout(layout.label_map[:rows, :columns], layout.label_set), source.kind)


def draw_copy(source: Source, strength: float, rng: np.random.Generator) -> tuple[Source, bool]:
    """Returns an augmented copy of a photo and its layout, and whether source and target are to be swapped."""
    warp = draw_warp(source.shape, AUGMENTATION, strength, rng)
    layout = Layout(warp.labels(source.layout.label_map), source.layout.label_set)
    return Source(warp.picture(source.photo), layout, source.kind), bool(rng.random() < SWAP)


def sheet_layouts(layout: Layout) -> list[Layout]:
    """Returns two layouts that a fit shows its progress on: the photo's own, bent, enlarged and perhaps flipped."""
    rng = np.random.default_rng(SHEET_SEED)
    warps = [draw_warp(layout.shape, SHEET, 1.0, rng) for _ in range(2)]
    return [Layout(warp.labels(layout.label_map), layout.label_set) for warp in warps]
