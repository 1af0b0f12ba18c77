"""Which features every object of a layout gets: from a photo's objects, from styles, by number or drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from scenebrush.errors import InputError
from scenebrush.layers.layouts import IDS_PER_CLASS, class_of, instance_of, object_map
from scenebrush.methods.base import Look, Style
from scenebrush.methods.layout_arrays import UNLABELLED, LayoutTensors, layout_tensors, photo_tensor
from scenebrush.methods.pix2pixhd.config import Pooling
from scenebrush.methods.pix2pixhd.encoder import ObjectFeatures
from scenebrush.methods.pix2pixhd.networks import Pix2PixHDNetworks
from scenebrush.methods.pix2pixhd.styles import StyleBook
from scenebrush.scene.object_keys import ObjectKey

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


def looks_of_objects(layout: LayoutTensors, features: Tensor, book: StyleBook) -> dict[ObjectKey, Look]:
    """Returns how each object looks in features (1, F, H, W): {(class index, instance): style, else the features}.

    Objects of no class have none.
    """
    objects = object_map(*layout)
    ids, places = _first_places(objects.flatten())
    vectors = features[0].flatten(1)[:, places].T.float()
    looks: dict[ObjectKey, Look] = {}
    for index, instance, vector in zip(class_of(ids).tolist(), instance_of(ids).tolist(), vectors, strict=True):
        if index != UNLABELLED:
            looks[index, instance] = _style_of(book, index, vector)
    return looks


def features_of_looks(layout: LayoutTensors, looks: Mapping[ObjectKey, Look], book: StyleBook) -> Tensor:
    """Returns the generator's features, float32 (1, F, H, W), of a layout whose objects look as `looks` says.

    Those that it leaves out get their class's most frequent style, or features 0 where there is none.

    Raises:
        InputError: an object or a style that is not there, or features of another number.
    """
    ids, rows = torch.unique(object_map(*layout)[:, 0], return_inverse=True)
    keys = list(zip(class_of(ids).tolist(), instance_of(ids).tolist(), strict=True))
    unknown = looks.keys() - set(keys)
    if unknown:
        index, instance = min(unknown)
        raise InputError(f"a look was asked for object {instance} of class index {index}; the layout holds no such")
    default = [0 if book.num_styles(index) else (0.0,) * book.num_features for index, _ in keys]
    found = [_vector(book, key[0], looks.get(key, look)) for key, look in zip(keys, default, strict=True)]
    return torch.stack(found)[rows].permute(0, 3, 1, 2)


def _first_places(objects: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the ids in objects (N,), ascending, and one place of each."""
    ids, rows = torch.unique(objects, return_inverse=True)
    places = torch.zeros(len(ids), dtype=torch.long)
    places[rows] = torch.arange(len(rows))  # whichever is written last
    return ids, places


def _style_of(book: StyleBook, index: int, vector: Tensor) -> Look:
    same = [k for k in range(book.num_styles(index)) if torch.equal(book.style(index, k).float(), vector)]
    return same[0] if same else tuple(vector.tolist())


def _vector(book: StyleBook, index: int, look: Look) -> Tensor:
    if isinstance(look, int):
        return book.style(index, look).float()
    if len(look) != book.num_features:
        raise InputError(f"a look of {len(look)} features was given; this model has {book.num_features} an object")
    return torch.tensor(look, dtype=torch.float32)


def _with_own(drawn: Tensor, objects: Tensor, ids: Tensor, means: Tensor) -> Tensor:
    """Returns features (1, F, H, W) with the means (N, F) of the objects `ids` (N,), ascending, put in."""
    if not len(ids):
        return drawn
    row = torch.searchsorted(ids, objects.contiguous()).clamp(max=len(ids) - 1)
    mine = ids[row] == objects
    return torch.where(mine[None, None], means.float()[row].permute(2, 0, 1)[None], drawn)
