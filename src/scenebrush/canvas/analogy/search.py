"""PatchMatch: for every patch of the target a near patch of the source, by descriptors, class-bound.

All pixels move at once (each tries what its neighbours have, then random places in shrinking windows), so that numpy
does the work; Barnes et al. 2009 scan pixel by pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_FITS = np.float32(1e-6)  # a match that costs no more is as good as the photo itself: it stays
_POOL = 256  # pixels of a class that are tried where searching found none
_FOREIGN = np.float32(1e4)  # cost of a source pixel of another class


@dataclass(frozen=True, eq=False)
class Sides:
    """Source and target of a search, at one size; N pixels in the source, M in the target.

    Args:
        source: float32 (N, D), descriptors, in reading order.
        target: float32 (M, D).
        source_classes: int (N,), below 0 = no pixel that may be taken.
        target_classes: int (M,), -1 = any class will do.
        shape: (H, W) of the source.
        target_shape: (H, W) of the target.
        places: float32 (M, 4): row, column that are wanted, and how far from them is far.
        place_cost: what it costs to be far.
        use: float32 (N,) or None: what each source pixel costs more for being used so often.
    """

    source: np.ndarray
    target: np.ndarray
    source_classes: np.ndarray
    target_classes: np.ndarray
    shape: tuple[int, int]
    target_shape: tuple[int, int]
    places: np.ndarray
    place_cost: float
    use: np.ndarray | None = None

    def costs(self, pixels: np.ndarray | slice, found: np.ndarray) -> np.ndarray:
        """Returns what it costs, float32, that these target pixels take the source pixels `found` (flat indices)."""
        gap = self.target[pixels] - self.source[found]
        cost = np.einsum("nd,nd->n", gap, gap)
        wanted = self.places[pixels]
        rows, columns = np.divmod(found, self.shape[1])
        far = np.square((rows - wanted[:, 0]) / wanted[:, 2]) + np.square((columns - wanted[:, 1]) / wanted[:, 3])
        cost += np.float32(self.place_cost) * np.minimum(far, 1).astype(np.float32)
        classes = self.target_classes[pixels]
        own = self.source_classes[found]
        cost += _FOREIGN * (((classes >= 0) & (classes != own)) | (own < 0))
        if self.use is not None:
            cost += self.use[found]
        return np.asarray(cost, np.float32)


def start(sides: Sides, rng: np.random.Generator) -> np.ndarray:
    """Returns a first field, int64 (M,): the wanted place where its class is right, else a random one of the class."""
    rows = np.rint(sides.places[:, 0]).astype(np.int64).clip(0, sides.shape[0] - 1)
    columns = np.rint(sides.places[:, 1]).astype(np.int64).clip(0, sides.shape[1] - 1)
    found = rows * sides.shape[1] + columns
    wrong = (sides.target_classes >= 0) & (sides.source_classes[found] != sides.target_classes)
    for class_id in np.unique(sides.target_classes[wrong]):
        here = np.flatnonzero(wrong & (sides.target_classes == class_id))
        found[here] = rng.choice(np.flatnonzero(sides.source_classes == class_id), len(here))
    return np.asarray(found)


def improve(sides: Sides, found: np.ndarray, rng: np.random.Generator, *, rounds: int, coherence: float) -> np.ndarray:
    """Returns a better field, int64 (M,).

    A match costs `coherence` times as much more as the share of its four neighbours that do not go on where it does
    (Hertzmann et al. 2001 and Ashikhmin 2001 favour coherent matches for the same reason: whole pieces are copied).

    Args:
        sides: what is searched, and for what.
        found: int (M,), the field so far, flat indices into the source.
        rng: of the random search.
        rounds: of propagation and random search.
        coherence: >= 0.
    """
    field = _Field(sides, found, np.float32(coherence / 4))
    wanted = np.rint(sides.places[:, 0]) * sides.shape[1] + np.rint(sides.places[:, 1])
    wanted = wanted.astype(np.int64).clip(0, len(sides.source) - 1)
    field.offer(field.active, wanted[field.active])
    for _ in range(rounds):
        for step in (4, 1, 2, 1):
            for down, across in rng.permutation(np.array([[step, 0], [-step, 0], [0, step], [0, -step]])):
                field.propagate(int(down), int(across))
        window = max(sides.shape)
        while window >= 1:
            field.look_around(window, rng)
            window //= 3
    return field.found


def corrected(sides: Sides, found: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns the field, int64 (M,), without matches of another class than asked for.

    Searching at random does not always meet a class that is a few pixels of the photo. Such a match is replaced by the
    best of all pixels of its class, or of `_POOL` where there are more. A field without them is returned as it is.
    """
    wrong = (sides.target_classes >= 0) & (sides.source_classes[found] != sides.target_classes)
    if not wrong.any():
        return found
    found = found.copy()
    for class_id in np.unique(sides.target_classes[wrong]):
        here = np.flatnonzero(wrong & (sides.target_classes == class_id))
        pool = np.flatnonzero(sides.source_classes == class_id)
        if len(pool) > _POOL:
            pool = rng.choice(pool, _POOL, replace=False)
        least = np.full(len(here), np.inf, np.float32)
        for candidate in pool:
            costs = sides.costs(here, np.full(len(here), candidate))
            better = costs < least
            found[here[better]], least[better] = candidate, costs[better]
    return found


class _Field:
    """The matches of all target pixels, and what they cost."""

    def __init__(self, sides: Sides, found: np.ndarray, incoherence: np.float32) -> None:
        self.sides, self.found, self.incoherence = sides, found.copy(), incoherence
        self.costs = sides.costs(slice(None), found)
        self.open = self.costs > _FITS
        self.active = np.flatnonzero(self.open)
        height, width = sides.target_shape
        self.neighbours = [
            (_neighbours(height, width, down, across), down * sides.shape[1] + across)
            for down, across in ((1, 0), (-1, 0), (0, 1), (0, -1))
        ]

    def offer(self, pixels: np.ndarray, candidates: np.ndarray) -> None:
        """Takes the candidates that are better than what the pixels have."""
        new = self.sides.costs(pixels, candidates)
        near = new < self.costs[pixels] * (1 + 4 * self.incoherence)
        pixels, candidates, new = pixels[near], candidates[near], new[near]
        worse = self._apart(pixels, candidates) * new < self._apart(pixels, self.found[pixels]) * self.costs[pixels]
        chosen = pixels[worse]
        self.found[chosen], self.costs[chosen] = candidates[worse], new[worse]

    def propagate(self, down: int, across: int) -> None:
        """Offers every pixel to go on from the match of the neighbour at (row - down, column - across)."""
        shape = self.sides.shape
        width = self.sides.target_shape[1]
        pixels = _shifted(*self.sides.target_shape, down, across)
        pixels = pixels[self.open[pixels]]
        there = self.found[pixels - down * width - across]
        rows, columns = there // shape[1] + down, there % shape[1] + across
        inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
        self.offer(pixels[inside], rows[inside] * shape[1] + columns[inside])

    def look_around(self, window: int, rng: np.random.Generator) -> None:
        """Offers every pixel a random place within `window` of its match."""
        shape = self.sides.shape
        rows, columns = np.divmod(self.found[self.active], shape[1])
        rows = rows + rng.integers(-window, window + 1, len(rows))
        columns = columns + rng.integers(-window, window + 1, len(columns))
        inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
        self.offer(self.active[inside], rows[inside] * shape[1] + columns[inside])

    def _apart(self, pixels: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """1, and more for each neighbour that does not go on where the candidates do."""
        apart = np.ones(len(pixels), np.float32)
        for neighbours, step in self.neighbours:
            there = neighbours[pixels]
            apart += self.incoherence * ((there >= 0) & (self.found[there] != candidates + step))
        return apart


def _neighbours(height: int, width: int, down: int, across: int) -> np.ndarray:
    """Of every pixel the flat index of the neighbour at (row + down, column + across), -1 where there is none."""
    numbers = np.pad(np.arange(height * width).reshape(height, width), 1, constant_values=-1)
    there: np.ndarray = numbers[1 + down : 1 + down + height, 1 + across : 1 + across + width].reshape(-1)
    return there


def _shifted(height: int, width: int, down: int, across: int) -> np.ndarray:
    """Flat indices of the pixels whose neighbour (row - down, column - across) lies in the picture."""
    rows = np.arange(max(0, down), height + min(0, down))
    columns = np.arange(max(0, across), width + min(0, across))
    return (rows[:, None] * width + columns).reshape(-1)
