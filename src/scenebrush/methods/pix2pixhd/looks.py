"""Which features every object of a layout gets: from a photo's objects, from styles, by number or drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from scenebrush.layers.layouts import IDS_PER_CLASS, class_of, object_map
from scenebrush.methods.base import Style
from scenebrush.methods.layout_arrays import LayoutTensors, layout_tensors, photo_tensor
from scenebrush.methods.pix2pixhd.config import Pooling
from scenebrush.methods.pix2pixhd.encoder import ObjectFeatures
from scenebrush.methods.pix2pixhd.networks import Pix2PixHDNetworks
from scenebrush.methods.pix2pixhd.styles import StyleBook

_HIDDEN: Final = 2**20 * IDS_PER_CLASS  # the object of all pixels that do not count: of a class that no label set has


@dataclass(frozen=True, eq=False)
class PhotoLooks:
    """How the objects of one photo look.

    Args:
        objects: the means of its visible objects.
        object_map: int64 (H, W), its objects; those that are not visible have an id of no class.
    """

    objects: ObjectFeatures
    object_map: Tensor

    @classmethod
    def of(cls, networks: Pix2PixHDNetworks, style: Style) -> PhotoLooks:
        """Returns the looks of a style's photo, which has a layout."""
        assert style.photo is not None and style.layout is not None
        divisor = max(networks.config.divisor, 1)
        height, width = style.layout.shape
        label_map, instance_map = layout_tensors(style.layout, divisor)
        objects = object_map(label_map, instance_map if networks.config.pooling == "instance" else None)
        counted = torch.zeros(objects.shape[2:], dtype=torch.bool)
        counted[:height, :width] = True if style.visible is None else torch.from_numpy(style.visible)
        objects = torch.where(counted, objects, _HIDDEN)
        encoded = networks.encode(photo_tensor(style.photo, divisor), objects)
        seen = encoded.ids != _HIDDEN
        kept = ObjectFeatures(
            encoded.means[seen], encoded.ids[seen], encoded.pictures[seen], encoded.pixels[seen], encoded.row_map
        )
        return cls(kept, objects[0, 0, :height, :width])

    def shared_with(self, objects: Tensor) -> Tensor:
        """Returns which of the photo's objects are also those of another map (H, W): same id, same place, bool (N,)."""
        if objects.shape != self.object_map.shape:
            return torch.zeros(len(self.objects.ids), dtype=torch.bool)
        return torch.isin(self.objects.ids, torch.unique(objects[objects == self.object_map]))


def features(
    layout: LayoutTensors,
    book: StyleBook,
    *,
    looks: PhotoLooks | None = None,
    by_class: Mapping[int, int] | None = None,
    seed: int | None = None,
    pooling: Pooling = "instance",
) -> Tensor:
    """Returns the generator's features, float32 (1, F, H, W), of a layout.

    Every object that lies in the photo too looks as it does there. The others take the look of one of the photo's
    objects of their class, or where it has none, one of the class's styles: the largest or most frequent, or one that
    the seed draws. `by_class` {class index: style} goes before all that, in the numbering of `book`.
    """
    by_class = by_class or {}
    if looks is None:
        return book.feature_map(*layout, by_class=by_class, seed=seed, pooling=pooling)
    seen = StyleBook.of_photo(looks.objects)
    shown = {c: v for c, v in seen.centers.items() if c not in by_class}
    centers = {**book.centers, **shown}
    counts = {c: (1,) * len(v) for c, v in centers.items()}
    mixed = StyleBook(seen.num_features, centers, counts)
    drawn = mixed.feature_map(*layout, by_class=by_class, seed=seed, pooling=pooling)
    objects = object_map(layout.label_map, layout.instance_map if pooling == "instance" else None)[0, 0]
    own = looks.shared_with(objects) & ~torch.isin(class_of(looks.objects.ids), torch.tensor(sorted(by_class)))
    return _with_own(drawn, objects, looks.objects.ids[own], looks.objects.means[own])


def _with_own(drawn: Tensor, objects: Tensor, ids: Tensor, means: Tensor) -> Tensor:
    """Returns features (1, F, H, W) with the means (N, F) of the objects `ids` (N,), ascending, put in."""
    if not len(ids):
        return drawn
    row = torch.searchsorted(ids, objects.contiguous()).clamp(max=len(ids) - 1)
    mine = ids[row] == objects
    return torch.where(mine[None, None], means.float()[row].permute(2, 0, 1)[None], drawn)
