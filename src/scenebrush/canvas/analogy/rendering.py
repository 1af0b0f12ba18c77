"""Renders a photo in a new layout, coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from scenebrush.canvas.analogy.blending import even_out
from scenebrush.canvas.analogy.descriptors import Projection, patch_rows
from scenebrush.canvas.analogy.guides import guide
from scenebrush.canvas.analogy.lines import bent, follow
from scenebrush.canvas.analogy.prior import Prior, prior
from scenebrush.canvas.analogy.search import Sides, corrected, improve, start
from scenebrush.canvas.analogy.settings import AnalogySettings
from scenebrush.canvas.analogy.sheet import NOTHING, Sheet, stretched
from scenebrush.canvas.analogy.voting import vote
from scenebrush.errors import InputError
from scenebrush.scene.layout import Layout

_COARSEST = 40  # pixels of the shorter side at the coarsest size
_COARSE_PATCH, _FINE_SIZES = 7, 2  # side of the patches from the third finest size on
_COMPONENTS, _GUIDE_COMPONENTS = 32, 16  # of a patch's colours, and of its guide, at most
DEFAULT = AnalogySettings()


@dataclass(frozen=True, eq=False)
class Rendering:
    """A photo in a new layout.

    Args:
        picture: uint8 (H, W, 3).
        cost: float32 (H, W), how badly each pixel's patch fits there, 0 = as in the photo.
    """

    picture: np.ndarray
    cost: np.ndarray


@dataclass(frozen=True, eq=False)
class _Level:
    """What is copied from, at one size: the photo, and below it things at another size.

    Args:
        photo: float32 (h, w, 3), 0-1.
        label_map: int (h, w), `NOTHING` where no pixel may be taken.
        colors, guides: the projections of patches and of `guides.guide`.
        scale: what projected colours are multiplied with, so that guide and place mean the same in every photo.
        weight: what projected guides are multiplied with.
        patch: side of the patches.
        rows: float32 (h*w, D), both descriptors of every pixel.
    """

    photo: np.ndarray
    label_map: np.ndarray
    colors: Projection
    guides: Projection
    scale: np.float32
    weight: np.float32
    patch: int
    rows: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w)."""
        return self.label_map.shape[0], self.label_map.shape[1]

    def described(self, picture: np.ndarray) -> np.ndarray:
        """Returns the patches of a picture (H, W, 3) 0-1 as this level's are described, float32 (H*W, C)."""
        return self.colors(patch_rows(picture, self.patch) / np.float32(self.patch)) * self.scale

    def guided(self, features: np.ndarray) -> np.ndarray:
        """Returns what `guides.guide` told, (H*W, 3K), as this level's is described, float32 (H*W, G)."""
        return self.guides(features) * self.weight

    def voted(self, found: np.ndarray, shape: tuple[int, int], patch: int) -> np.ndarray:
        """Returns the picture, float32 (H, W, 3) 0-1, that a field of matches (H*W,) says."""
        return vote(self.photo, found, shape, patch, shown=self.label_map != NOTHING)


class Analogy:
    """A photo, made ready to be rendered in any layout of its classes.

    It keeps about 130 MB for a megapixel of the photo, and needs 700 MB while it is made; a rendering needs 1.2 GB
    for a megapixel of the target (measured with three classes; 12 bytes more a pixel for every further one).

    Args:
        photo: uint8 (H, W, 3).
        layout: its layout, of the same size.
        usable: bool (H, W), which pixels may be copied; None = all.
        settings: what counts how much.
        lines: the id of the class that is lines, where the layouts are line drawings (`lines.follow`).

    Raises:
        InputError: sizes that differ, or no usable pixel.
    """

    def __init__(
        self,
        photo: np.ndarray,
        layout: Layout,
        usable: np.ndarray | None = None,
        settings: AnalogySettings = DEFAULT,
        lines: int | None = None,
    ) -> None:
        _check(photo, layout, usable)
        self.layout = layout
        self.settings = settings
        self.lines = lines
        self.picture = photo.astype(np.float32) / 255
        self.label_map = layout.label_map.astype(np.int32)
        if usable is not None and not usable.all():
            self.label_map = np.where(usable, self.label_map, NOTHING)
            nearest = ndimage.distance_transform_edt(~usable, return_distances=False, return_indices=True)
            self.picture = self.picture[tuple(nearest)]  # what may not be copied must not mix into what may
        self.classes = np.unique(layout.label_map)
        self.levels = [self._level(step) for step in range(_count(self.label_map.shape))]

    def _level(self, halvings: int) -> _Level:
        photo, label_map = smaller(self.picture, halvings), coarser(self.label_map, halvings)
        patch = self.settings.patch if halvings < _FINE_SIZES else _COARSE_PATCH
        rows = patch_rows(photo, patch) / np.float32(patch)
        colors = Projection.of(rows, _COMPONENTS)
        projected = colors(rows)
        scale, weight = np.float32(1 / np.sqrt(projected.var(0).sum() + 1e-6)), np.float32(self.settings.guide)
        features = self._features(coarser(self.layout.label_map, halvings))
        guides = Projection.of(features, _GUIDE_COMPONENTS)
        both = np.hstack([projected * scale, guides(features) * weight])
        return _Level(photo, label_map, colors, guides, scale, weight, patch, both)

    def _features(self, label_map: np.ndarray) -> np.ndarray:
        """What a label map (H, W) says of its pixels, float32 (H*W, 3K)."""
        return guide(label_map, self.classes, self.settings.reach).reshape(label_map.size, -1)

    def render(self, target: Layout, *, seed: int = 0) -> Rendering:
        """Returns the photo in another layout of its label set; the same seed gives the same picture.

        Args:
            target: of any size; classes that the photo lacks take what fits.
            seed: of the random search.
        """
        rng = np.random.default_rng(seed)
        wanted = prior(self.layout, target)
        sheet = self._sheet(wanted, target)
        field: np.ndarray | None = None
        for halvings in reversed(range(len(self.levels))):
            level = self.levels[halvings] if sheet is None else self._with(self.levels[halvings], sheet, halvings)
            label_map, tops = coarser(target.label_map, halvings), self.levels[halvings].shape
            sides = self._sides(level, label_map, _places(wanted, sheet, halvings, tops))
            found = start(sides, rng) if field is None else _finer(field, sides)
            sides, found = self._searched(level, sides, found, halvings, rng)
            field = _field(found.reshape(label_map.shape), tops[0], level.shape[1])
        return self._painted(level, sides, corrected(sides, found, rng), target)

    def _sides(self, level: _Level, label_map: np.ndarray, places: np.ndarray) -> Sides:
        """Both sides of the search at one size, before there is a picture: the target knows its classes only."""
        guides = level.guided(self._features(label_map))
        return Sides(
            level.rows,
            np.hstack([np.zeros((label_map.size, level.colors.basis.shape[1]), np.float32), guides]),
            level.label_map.reshape(-1),
            np.where(np.isin(label_map, level.label_map), label_map, -1).reshape(-1),
            level.shape,
            (label_map.shape[0], label_map.shape[1]),
            places,
            self.settings.place,
        )

    def _searched(
        self, level: _Level, sides: Sides, found: np.ndarray, halvings: int, rng: np.random.Generator
    ) -> tuple[Sides, np.ndarray]:
        """Votes and searches in turn; returns the sides with the last vote's colours, and the field, int64 (M,)."""
        guides = sides.target[:, level.colors.basis.shape[1] :]
        for _ in range(self.settings.passes if halvings else self.settings.last_passes):
            picture = level.voted(found, sides.target_shape, level.patch)
            sides = replace(sides, target=np.hstack([level.described(picture), guides]))
            found = improve(sides, found, rng, rounds=3 if halvings else 2, coherence=self.settings.coherence)
        return sides, found

    def _painted(self, level: _Level, sides: Sides, found: np.ndarray, target: Layout) -> Rendering:
        """The picture that the finest field makes, its seams evened out."""
        cost = sides.costs(slice(None), found).reshape(target.shape)
        picture = level.voted(found, target.shape, self.settings.last_patch) * 255
        picture = even_out(
            picture, level.photo * 255, level.label_map, found.reshape(target.shape), target.label_map, cost
        )
        return Rendering(np.rint(picture).clip(0, 255).astype(np.uint8), cost)

    def _sheet(self, wanted: Prior, target: Layout) -> Sheet | None:
        """What is copied from beside the photo: things at another size, or the photo bent after a sketch."""
        if self.lines is None:
            return stretched(self.picture, self.label_map, wanted.fits, target.shape)
        bend = follow(self.label_map == self.lines, target.label_map == self.lines)
        return None if bend is None else bent(self.picture, self.label_map, bend)

    def _with(self, level: _Level, sheet: Sheet, halvings: int) -> _Level:
        """Returns the level with a sheet below its photo; the narrower one is widened by pixels that nobody takes."""
        picture, label_map = smaller(sheet.picture, halvings), coarser(sheet.label_map, halvings)
        rows = np.hstack([level.described(picture), level.guided(self._features(label_map))])
        both = _stacked(level.rows.reshape(*level.shape, -1), rows.reshape(*label_map.shape, -1), 0)
        return replace(
            level,
            photo=_stacked(level.photo, picture, 0),
            label_map=_stacked(level.label_map, label_map, NOTHING),
            rows=both.reshape(-1, both.shape[-1]),
        )


def _check(photo: np.ndarray, layout: Layout, usable: np.ndarray | None) -> None:
    """Raises `InputError` for sizes that differ, and where nothing may be copied."""
    shapes = {"photo": photo.shape[:2], **({} if usable is None else {"usable": usable.shape})}
    for name, shape in shapes.items():
        if shape != layout.shape:
            raise InputError(f"analogy: {name} is {shape}, the layout {layout.shape} (H, W); give one size")
    if usable is not None and not usable.any():
        raise InputError(f"analogy: none of the {usable.size} pixels may be copied; leave some usable")


def _stacked(above: np.ndarray, below: np.ndarray, value: float) -> np.ndarray:
    """Two arrays (H, W) or (H, W, C) one above the other, the narrower one widened by `value`."""
    width = max(above.shape[1], below.shape[1])
    parts = [
        np.pad(a, ((0, 0), (0, width - a.shape[1]), *((0, 0),) * (a.ndim - 2)), constant_values=value)
        for a in (above, below)
    ]
    return np.concatenate(parts)


def _count(shape: tuple[int, ...]) -> int:
    """How many sizes there are: the coarsest has `_COARSEST` pixels and more on its shorter side, if the photo does."""
    count = 1
    while min(shape) / 2**count >= _COARSEST:
        count += 1
    return count


def smaller(picture: np.ndarray, halvings: int) -> np.ndarray:
    """Returns a picture (H, W, C) halved so many times, means of 2x2; odd sides are rounded up."""
    for _ in range(halvings):
        height, width = picture.shape[:2]
        padded = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        picture = (padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]) / 4
    return picture


def coarser(label_map: np.ndarray, halvings: int) -> np.ndarray:
    """Returns a label map (H, W) halved so many times, of each 2x2 one pixel; odd sides are rounded up."""
    for _ in range(halvings):
        label_map = label_map[::2, ::2]
    return label_map


def _places(wanted: Prior, sheet: Sheet | None, halvings: int, source: tuple[int, int]) -> np.ndarray:
    """Rows, columns and reaches, float32 (M, 4), at one size; what comes from the sheet comes from its own place."""
    maps = np.stack([coarser(part, halvings) for part in wanted[:4]], -1) / np.float32(2**halvings)
    if sheet is not None:
        used = coarser(sheet.used, halvings)
        rows, columns = np.nonzero(used)
        maps[rows, columns, 0], maps[rows, columns, 1] = rows + source[0], columns
    maps[..., 2:] = np.maximum(maps[..., 2:], 1)
    return maps.reshape(-1, 4)


def _field(found: np.ndarray, tops: int, width: int) -> np.ndarray:
    """Matches (h, w) as rows, columns, and whether they lie in the sheet, int (h, w, 3); the photo has `tops` rows."""
    rows, columns = np.divmod(found, width)
    return np.stack([np.where(rows >= tops, rows - tops, rows), columns, rows >= tops], -1)


def _finer(field: np.ndarray, sides: Sides) -> np.ndarray:
    """The field of a level at twice its size: int (h, w, 3), rows and columns, in the photo or (1) in the sheet."""
    height, width = sides.target_shape
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    coarse = field[rows // 2, columns // 2]
    sheet = coarse[..., 2] == 1
    tops = sides.shape[0] - height if sheet.any() else sides.shape[0]
    down = (coarse[..., 0] * 2 + rows % 2).clip(0, np.where(sheet, height, tops) - 1) + sheet * tops
    across = (coarse[..., 1] * 2 + columns % 2).clip(0, sides.shape[1] - 1)
    return np.asarray(down * sides.shape[1] + across).reshape(-1)
