"""Cutting scenes into segments that a bank can take: what worker processes do."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from scenebrush.methods.sims.invariant import grid_of
from scenebrush.methods.sims.matching import LEAST_AREA, MATCH_SIZE, Frame, Shape
from scenebrush.methods.sims.segments import Segment, segments_of
from scenebrush.methods.sims.shards import BOXES, COUNTS, grids_dtype
from scenebrush.scene.layout import Layout


@dataclass(frozen=True, eq=False)
class CutDonor:
    """A scene cut into segments, ready to be written; row i of each array is segment i.

    Args:
        name: `split/stem`.
        digest: what tells this scene from others, whatever its name.
        size: (W, H) of the photo.
        class_ids: int (n,).
        photo_boxes: int (n, 4), in the photo.
        instances: int (n,), 0 = a connected component.
        boxes, cells, grids: the search records (`shards`); id, donor and first run are left to the writer.
        runs: bytes of the runs of each, masks before contexts.
        colours: a PNG of each, or nothing.
    """

    name: str
    digest: str
    size: tuple[int, int]
    class_ids: np.ndarray
    photo_boxes: np.ndarray
    instances: np.ndarray
    boxes: np.ndarray
    cells: np.ndarray
    grids: np.ndarray
    runs: Sequence[bytes]
    colours: Sequence[bytes]


def cut(
    name: str,
    digest: str,
    layout: Layout,
    photo: np.ndarray | None,
    *,
    match_size: tuple[int, int] = MATCH_SIZE,
    least_area: int = LEAST_AREA,
) -> CutDonor:
    """Returns a scene cut into segments.

    Args:
        name: `split/stem`.
        digest: what tells this scene from others.
        layout: what to cut.
        photo: uint8 (H, W, 3) of the layout's size; None = segments without colour, for searching alone.
        match_size: (H, W) at which is compared.
        least_area: pixels there; smaller segments are left out.
    """
    frame = Frame.of(layout, match_size)
    pairs = [(segment, Shape.of(segment, frame)) for segment in segments_of(layout)]
    pairs = [(segment, shape) for segment, shape in pairs if shape.area >= least_area]
    boxes, cells = np.zeros(len(pairs), BOXES), np.zeros(len(pairs), COUNTS)
    grids = np.zeros(len(pairs), grids_dtype(layout.label_set))
    runs = list[bytes]()
    for i, (_, shape) in enumerate(pairs):
        mask_runs, context_runs = shape.runs()
        boxes[i] = (
            *(0, 0, shape.box, shape.context_box, shape.area, shape.context_size),
            *(0, len(mask_runs), len(context_runs)),
        )
        cells[i] = shape.cells()
        grids[i] = grid_of(shape)
        runs.append(mask_runs.tobytes() + context_runs.tobytes())
    return CutDonor(
        name,
        digest,
        (layout.shape[1], layout.shape[0]),
        np.array([segment.class_id for segment, _ in pairs], int),
        np.array([segment.box for segment, _ in pairs], int).reshape(-1, 4),
        np.array([segment.instance for segment, _ in pairs], int),
        boxes,
        cells,
        grids,
        runs,
        [b"" if photo is None else encode_color(photo, segment) for segment, _ in pairs],
    )


def encode_color(photo: np.ndarray, segment: Segment) -> bytes:
    """Returns a PNG, RGBA: the photo within the segment's box, its mask as alpha, black where the mask is not."""
    crop = np.zeros((*segment.mask.shape, 4), np.uint8)
    crop[..., :3] = photo[segment.window] * segment.mask[..., None]
    crop[..., 3] = segment.mask * np.uint8(255)
    file = io.BytesIO()
    Image.fromarray(crop).save(file, "png", compress_level=1)
    return file.getvalue()
