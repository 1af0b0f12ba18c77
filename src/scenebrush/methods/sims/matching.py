"""What is compared: masks and contexts at match resolution, of segments in the bank and of queries."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from scenebrush.errors import InputError
from scenebrush.methods.sims.segments import Box, Segment, enlarged, segments_of
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

MATCH_SIZE = (256, 512)
"""(H, W) at which the paper compares."""
LEAST_AREA = 24
"""Pixels at match resolution; what is smaller is neither kept nor searched for."""
CELLS = 4
"""A box is cut into CELLS x CELLS cells, in which pixels are counted for the bounds."""
BINS = 16
"""Classes are counted in so many bins: the n-th class of the label set in bin n mod BINS."""
NO_CLASS = -1
"""Void and unlabelled pixels of a frame: they agree with nothing."""
_LARGEST = 1 << 20


@dataclass(frozen=True, eq=False)
class Frame:
    """A layout at match resolution, with the tables that its segments share.

    Args:
        labels: int32 (H, W), class ids, `NO_CLASS` where nothing is labelled.
        label_set: the classes.
        size: (height, width) of the layout itself.
    """

    labels: np.ndarray
    label_set: LabelSet
    size: tuple[int, int]

    @classmethod
    def of(cls, layout: Layout, match_size: tuple[int, int]) -> Self:
        """Returns the layout resized by nearest neighbour at pixel centres, whatever its size and shape."""
        rows, columns = (centers(n, m) for n, m in zip(layout.shape, match_size, strict=True))
        labels = layout.label_map[np.ix_(rows, columns)].astype(np.int32)
        nothing = [*layout.label_set.of_kind("void")]
        if layout.label_set.ignore_id is not None:
            nothing.append(layout.label_set.ignore_id)
        labels[np.isin(labels, nothing)] = NO_CLASS
        return cls(labels, layout.label_set, layout.shape)

    @property
    def match_size(self) -> tuple[int, int]:
        """(H, W) of `labels`."""
        return self.labels.shape[0], self.labels.shape[1]

    @cached_property
    def bins(self) -> np.ndarray:
        """int32 (H + 1, W + 1, BINS): `bins[y, x, b]` = pixels of bin b above row y and left of column x."""
        height, width = self.match_size
        table = np.zeros((height + 1, width + 1, BINS), np.int32)
        counts = table[1:, 1:]
        counts += bin_of_class(self.label_set)[self.labels][..., None] == np.arange(BINS)
        np.cumsum(counts, axis=1, out=counts)
        np.cumsum(counts, axis=0, out=counts)
        return table

    @cached_property
    def rows_of_class(self) -> tuple[np.ndarray, np.ndarray]:
        """What runs of a context are counted with.

        Returns:
            plane of each class id, intp (largest id + 1,), 0 = the frame has none of it, and uint16
            (planes, H + 1, W + 1): how many pixels of the plane's class stand left of column x in row y; plane 0 and
            row H are empty.
        """
        present = np.unique(self.labels)
        present = present[present != NO_CLASS]
        planes = np.zeros(max(self.label_set.ids) + 1, np.intp)
        planes[present] = np.arange(1, len(present) + 1)
        height, width = self.match_size
        table = np.zeros((len(present) + 1, height + 1, width + 1), np.uint16)  # widths are below 2**15
        for plane, class_id in enumerate(present.tolist(), start=1):
            np.cumsum(self.labels == class_id, axis=1, dtype=np.uint16, out=table[plane, :height, 1:])
        return planes, table


@dataclass(frozen=True, eq=False)
class Shape:
    """A segment at match resolution.

    Args:
        class_id: its class.
        box: tight around its mask; (0, 0, 0, 0) where no pixel is left of it.
        context_box: `box` enlarged by a quarter of its width and height, within the frame.
        mask: bool, within `box`.
        frame: what it is part of.
    """

    class_id: int
    box: Box
    context_box: Box
    mask: np.ndarray
    frame: Frame

    @classmethod
    def of(cls, segment: Segment, frame: Frame) -> Self:
        """Returns a segment of the frame's layout at match resolution."""
        x0, y0, x1, y1 = segment.box
        rows, columns = (centers(n, m) for n, m in zip(frame.size, frame.match_size, strict=True))
        top, bottom = np.searchsorted(rows, (y0, y1))
        left, right = np.searchsorted(columns, (x0, x1))
        mask = segment.mask[np.ix_(rows[top:bottom] - y0, columns[left:right] - x0)]
        filled_rows, filled_columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(filled_rows):
            return cls(segment.class_id, (0, 0, 0, 0), (0, 0, 0, 0), np.zeros((0, 0), bool), frame)
        (first_row, last_row), (first, last) = filled_rows[[0, -1]], filled_columns[[0, -1]]
        mask = mask[first_row : last_row + 1, first : last + 1]
        box = int(left + first), int(top + first_row), int(left + last + 1), int(top + last_row + 1)
        return cls(segment.class_id, box, enlarged(box, frame.match_size), mask, frame)

    @cached_property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def context(self) -> np.ndarray:
        """int32 (h, w): the frame's labels within the context box."""
        x0, y0, x1, y1 = self.context_box
        return self.frame.labels[y0:y1, x0:x1]

    @cached_property
    def context_size(self) -> int:
        """Labelled pixels of the context."""
        return int(np.count_nonzero(self.context != NO_CLASS))

    @cached_property
    def filled(self) -> np.ndarray:
        """int32 (h + 1, w + 1): pixels of the mask above row y and left of column x of the box."""
        table = np.zeros((self.mask.shape[0] + 1, self.mask.shape[1] + 1), np.int32)
        np.cumsum(np.cumsum(self.mask, axis=1, dtype=np.int32), axis=0, out=table[1:, 1:])
        return table

    def runs(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the runs of the mask and of the context, each uint16 (n, 4): row, first column, end column, class."""
        inside = np.where(self.mask, self.class_id, NO_CLASS)
        return runs_of(inside, self.box[:2]), runs_of(self.context, self.context_box[:2])

    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns pixels in each cell, of the mask (CELLS, CELLS) and of the context by bin (CELLS, CELLS, BINS)."""
        x0, y0, x1, y1 = self.box
        rows, columns = cell_edges(y0, y1) - y0, cell_edges(x0, x1) - x0
        mask = np.diff(np.diff(self.filled[np.ix_(rows, columns)], axis=0), axis=1)
        x0, y0, x1, y1 = self.context_box
        corners = self.frame.bins[np.ix_(cell_edges(y0, y1), cell_edges(x0, x1))]
        return mask, np.diff(np.diff(corners, axis=0), axis=1)


@dataclass(frozen=True, eq=False)
class Query:
    """A segment to look for.

    Args:
        segment: in the layout's own pixels.
        shape: the same at match resolution.
    """

    segment: Segment
    shape: Shape

    @property
    def label_set(self) -> LabelSet:
        """The layout's classes."""
        return self.shape.frame.label_set

    @property
    def match_size(self) -> tuple[int, int]:
        """(H, W) at which it can be compared."""
        return self.shape.frame.match_size


def queries_of(
    layout: Layout, match_size: tuple[int, int] = MATCH_SIZE, *, least_area: int = LEAST_AREA
) -> list[Query]:
    """Returns a query for each segment of a layout, in the order of `segments_of`.

    Args:
        layout: of any size.
        match_size: the bank's.
        least_area: pixels at match resolution; smaller segments are left out.
    """
    frame = Frame.of(layout, check_match_size(match_size))
    queries = [Query(segment, Shape.of(segment, frame)) for segment in segments_of(layout)]
    return [query for query in queries if query.shape.area >= least_area]


def query_of(layout: Layout, segment: Segment, match_size: tuple[int, int] = MATCH_SIZE) -> Query:
    """Returns the query for one segment of a layout; for several, `queries_of` is faster."""
    frame = Frame.of(layout, check_match_size(match_size))
    return Query(segment, Shape.of(segment, frame))


def check_match_size(match_size: tuple[int, int]) -> tuple[int, int]:
    """Returns it; `InputError` where there are more pixels than a bank can count."""
    height, width = match_size
    if not (height > 0 and width > 0 and height * width <= _LARGEST and max(height, width) < 1 << 15):
        raise InputError(f"match size {match_size} will not do; give (height, width) of at most {_LARGEST} pixels")
    return height, width


def bin_of_class(label_set: LabelSet) -> np.ndarray:
    """Returns the bin of each class id, int (largest id + 2,); the last, for `NO_CLASS`, is -1."""
    bins = np.full(max(label_set.ids) + 2, -1)
    bins[list(label_set.ids)] = np.arange(len(label_set.ids)) % BINS
    return bins


def cell_edges(start: int, end: int) -> np.ndarray:
    """Returns where the cells of start..end begin and end, int (CELLS + 1,)."""
    return start + (end - start) * np.arange(CELLS + 1) // CELLS


def runs_of(labels: np.ndarray, corner: tuple[int, ...]) -> np.ndarray:
    """Returns the runs of one class along the rows, uint16 (n, 4): row, first column, end column, class.

    Args:
        labels: int (h, w), `NO_CLASS` where no run is.
        corner: (x, y) of `labels` in the frame.
    """
    height, width = labels.shape
    flat = np.full((height, width + 1), NO_CLASS, np.int32)  # a column of nothing ends every row's last run
    flat[:, :width] = labels
    flat = flat.ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=NO_CLASS))
    ends = np.append(starts[1:], flat.size)
    classes = flat[starts]
    starts, ends, classes = starts[classes != NO_CLASS], ends[classes != NO_CLASS], classes[classes != NO_CLASS]
    rows = starts // (width + 1)
    columns = starts - rows * (width + 1)
    runs = np.stack([rows + corner[1], columns + corner[0], columns + corner[0] + ends - starts, classes], axis=1)
    return runs.astype(np.uint16)


def labels_of(runs: np.ndarray, box: Box) -> np.ndarray:
    """Returns what `runs_of` was made from, int32 (h, w) within the box."""
    x0, y0, x1, y1 = box
    labels = np.full((y1 - y0) * (x1 - x0), NO_CLASS, np.int32)
    rows, starts, ends, classes = runs.astype(np.intp).T
    lengths = ends - starts
    first = (rows - y0) * (x1 - x0) + starts - x0
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    labels[np.repeat(first, lengths) + within] = np.repeat(classes, lengths)
    return labels.reshape(y1 - y0, x1 - x0)


def centers(size: int, match: int) -> np.ndarray:
    """Returns which of `size` pixels lies under the centre of each of `match` pixels."""
    return ((2 * np.arange(match) + 1) * size) // (2 * match)
