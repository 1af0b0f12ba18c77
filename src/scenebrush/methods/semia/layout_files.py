"""Layouts in files: class ids, drawings in colours, and lines."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from scenebrush.errors import InputError
from scenebrush.methods.semia.source import LayoutKind, Source
from scenebrush.scene.files import MAX_MEGAPIXELS, open_picture, read_label_map, unknown_colors, unknown_ids
from scenebrush.scene.files.drawings import cluster_colors, labels_of
from scenebrush.scene.files.edge_maps import edge_map, read_line_drawing
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

EDGES = "edges"
"""In place of a map: its lines are found in the photo."""

_DARK, _LIGHT = 48, 207  # levels: a drawing of lines is darker, or lighter, nearly everywhere
_BETWEEN = 0.25  # of it may lie between, on the rims of its lines


class FoundLayout(NamedTuple):
    """A photo's layout, and what it was made from."""

    layout: Layout
    kind: LayoutKind


def read_source_layout(
    labels: str | Path,
    photo: np.ndarray,
    label_set: LabelSet | None = None,
    *,
    max_megapixels: float | None = MAX_MEGAPIXELS,
) -> FoundLayout:
    """Returns the layout that a photo is learned with.

    Args:
        labels: a map of class ids (with `label_set`), a drawing in colours (a class for each, found here; or with the
            classes of `label_set`), a drawing of lines in black and white, or the word `edges`.
        photo: uint8 (H, W, 3), to find edges in.
        label_set: the classes.
        max_megapixels: the largest picture to open.

    Raises:
        InputError: what can be none of these, or cannot be read.
        LabelError: ids or colours that are not the label set's.
    """
    if is_edges(labels):
        if label_set is not None:
            raise InputError(f"--labels {EDGES} has classes of its own, edge and area; leave out --label-set")
        return FoundLayout(edge_map(photo), "edges")
    opened = _Opened.read(labels, max_megapixels)
    if label_set is not None:
        if opened.colored and (opened.lossy or unknown_colors(opened.pixels, label_set)):
            labels_drawn = labels_of(opened.pixels, label_set, source=str(labels))
            return FoundLayout(Layout(labels_drawn, label_set), "drawing")
        label_map = read_label_map(labels, label_set, max_megapixels=max_megapixels)
        return FoundLayout(Layout(label_map, label_set), "labels")
    if opened.is_line_drawing:
        return FoundLayout(read_line_drawing(labels, max_megapixels=max_megapixels), "edges")
    if not opened.colored:
        raise InputError(f"{labels} holds class ids; say of which label set with --label-set SET")
    return FoundLayout(cluster_colors(opened.pixels).layout, "drawing")


def is_edges(labels: str | Path) -> bool:
    """Returns whether this is the word `edges`, and no file of that name."""
    return str(labels) == EDGES and not Path(labels).is_file()


def read_target_layout(path: str | Path, source: Source, *, max_megapixels: float | None = MAX_MEGAPIXELS) -> Layout:
    """Returns the layout in a file, made as the source's was; a map of its class ids is read in any case.

    Raises:
        InputError: a file that cannot be read.
        LabelError: ids or colours that are not the source's.
    """
    label_set = source.layout.label_set
    if source.kind != "labels":
        opened = _Opened.read(path, max_megapixels)
        ids = opened.ids
        if ids is None or unknown_ids(ids, label_set):
            if source.kind == "edges":
                return Layout(read_line_drawing(path, max_megapixels=max_megapixels).label_map, label_set)
            return Layout(labels_of(opened.pixels, label_set, source=str(path)), label_set)
    return Layout(read_label_map(path, label_set, max_megapixels=max_megapixels), label_set)


class _Opened(NamedTuple):
    """A picture: uint8 (H, W, 3) pixels, the integers of its one channel (H, W) if it may be a map of ids."""

    pixels: np.ndarray
    ids: np.ndarray | None
    colored: bool
    lossy: bool

    @classmethod
    def read(cls, path: str | Path, max_megapixels: float | None) -> _Opened:
        with open_picture(path, max_megapixels) as image:
            lossy = image.format in ("JPEG", "MPO")
            pixels = np.asarray(image.convert("RGB"))
            integers = image.mode in ("L", "P") or image.mode.startswith("I")
            ids = np.asarray(image).astype(np.int32) if integers and not lossy else None
            grey = image.mode in ("1", "L") or image.mode.startswith("I") or _is_grey(pixels)
            return cls(pixels, ids, not grey, lossy)

    @property
    def is_line_drawing(self) -> bool:
        """Whether nearly all is black or white, and both are there; small class ids beside 255 are not."""
        if self.colored:
            return False
        levels = self.pixels[..., 0]
        dark, light = levels[levels <= _DARK], levels[levels >= _LIGHT]
        if not dark.size or not light.size or dark.size + light.size < (1 - _BETWEEN) * levels.size:
            return False
        drawn = dark.size + light.size < levels.size or light.min() < 255 or dark.min() == dark.max()
        return self.lossy or bool(drawn)


def _is_grey(pixels: np.ndarray) -> bool:
    wide = pixels.astype(np.int16)
    return bool((np.abs(wide[..., :2] - wide[..., 1:]) <= 8).all())
