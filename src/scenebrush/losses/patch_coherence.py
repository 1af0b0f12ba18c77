"""Patch coherence: every patch of a picture should be found in the photo it was made from (SemIA; Simakov et al. 2008).

For some patches of the picture's VGG features the nearest patches of the photo's are searched, exactly and in all
places, and the picture is drawn towards them. Completeness is the same the other way round: what the photo has is to be
found in the picture. The search works on feature maps, so those of the photo are computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor

from scenebrush.errors import InputError
from scenebrush.layers.vgg import VGG

MATCHES: Final = 5
_QUERIES_AT_ONCE: Final = 8  # 8 queries of 3x3 in a map of 184x280 are 15 MB of distances


class PatchLevel(NamedTuple):
    """One map that is compared: VGG's layer, the patches' side, and how many are asked for each time."""

    layer: str
    patch: int
    queries: int


LEVELS: Final = (PatchLevel("relu1_1", 3, 10), PatchLevel("relu2_1", 1, 5))
"""SemIA's."""


class Matches(NamedTuple):
    """What was found for Q queries: `places` int64 (Q, K, 2), (top, left), the nearest first; `distances` (Q, K), the
    absolute differences summed over the patch."""

    places: Tensor
    distances: Tensor


class PatchCoherence:
    """The loss on several levels of features: the mean over all queries of the mean over their matches.

    Args:
        vgg: whose features are compared; it decides whether pictures are normalised as ImageNet is (SemIA: not).
        levels: layers, patches and numbers of queries.
        matches: how many nearest patches each query is drawn towards.
        completeness: weight of the other direction, with as many queries; 0 = off, as in SemIA.
        every_place: search the last row and column of places too, which the released code leaves out.
    """

    def __init__(
        self,
        vgg: VGG,
        levels: Sequence[PatchLevel] = LEVELS,
        *,
        matches: int = MATCHES,
        completeness: float = 0.0,
        every_place: bool = True,
    ) -> None:
        self.vgg = vgg
        self.levels = tuple(levels)
        self.matches = matches
        self.completeness = completeness
        self.every_place = every_place

    def features(self, picture: Tensor) -> list[Tensor]:
        """Returns the maps of a picture (1, 3, H, W) in [-1, 1], one (1, C, h, w) float32 per level."""
        maps: list[Tensor] = self.vgg(picture, [level.layer for level in self.levels])
        return [features.float() for features in maps]

    def __call__(
        self,
        picture: Sequence[Tensor],
        photo: Sequence[Tensor],
        generator: torch.Generator | None = None,
        *,
        picture_labels: Tensor | None = None,
        photo_labels: Tensor | None = None,
        queries: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """Returns the loss of a picture's `features` given the photo's; gradients flow into both.

        Args:
            picture, photo: what `features` gave; the sizes may differ.
            generator: draws the queries' places; None = torch's own.
            picture_labels, photo_labels: class ids (H, W) at the pictures' size: only patches of the query's class, at
                their middles, are searched, and all where the photo has too few of it. None = all.
            queries: places of the picture's patches per level instead of drawn ones, int64 (Q, 2).
        """
        given = [None] * len(self.levels) if queries is None else list(queries)
        loss = self._one_way(picture, photo, picture_labels, photo_labels, generator, given)
        if self.completeness:
            drawn = [None] * len(self.levels)
            back = self._one_way(photo, picture, photo_labels, picture_labels, generator, drawn)
            loss = loss + self.completeness * back
        return loss

    def _one_way(
        self,
        asking: Sequence[Tensor],
        searched: Sequence[Tensor],
        asking_labels: Tensor | None,
        searched_labels: Tensor | None,
        generator: torch.Generator | None,
        given: Sequence[Tensor | None],
    ) -> Tensor:
        """Returns the mean over the queries of all levels."""
        total, count = asking[0].new_zeros(()), 0
        for level, own, others, places in zip(self.levels, asking, searched, given, strict=True):
            queries = draw_queries(own, level.patch, level.queries, generator) if places is None else places
            labels = None
            if asking_labels is not None and searched_labels is not None:
                labels = _resized(asking_labels, own), _resized(searched_labels, others)
            found = find_matches(
                own,
                others,
                queries,
                patch=level.patch,
                count=self.matches,
                every_place=self.every_place,
                labels=labels,
            )
            total = total + len(queries) * distance(own, others, queries, found, level.patch)
            count += len(queries)
        return total / count


def draw_queries(features: Tensor, patch: int, count: int, generator: torch.Generator | None = None) -> Tensor:
    """Returns random places (top, left) of patches that lie in `features` (1, C, h, w), int64 (count, 2)."""
    height, width = features.shape[2:]
    if min(height, width) < patch:
        raise InputError(f"features are {width}x{height}, smaller than a patch of {patch}; take a larger picture")
    device = features.device if generator is None else generator.device
    sides = (height - patch + 1, width - patch + 1)
    drawn = [torch.randint(side, (count,), generator=generator, device=device) for side in sides]
    return torch.stack(drawn, 1).to(features.device)


@torch.no_grad()
def find_matches(
    asking: Tensor,
    searched: Tensor,
    queries: Tensor,
    *,
    patch: int,
    count: int = MATCHES,
    every_place: bool = True,
    labels: tuple[Tensor, Tensor] | None = None,
) -> Matches:
    """Returns the nearest patches of `searched` for the patches of `asking` at the places `queries`, by summed L1.

    The distance of two patches is the sum of their pixels' distances: each pixel of a query is compared with all pixels
    of the map, and the results are added up, shifted. No patch is ever cut out of the map.

    Args:
        asking, searched: features (1, C, h, w); the sizes may differ.
        queries: int64 (Q, 2), (top, left) in `asking`.
        patch: side of the patches.
        count: how many to find.
        every_place: False: without the last row and column of places, as the released code has it.
        labels: class ids of both maps, (h, w) each: see `PatchCoherence.__call__`.

    Raises:
        InputError: fewer than `count` places to search.
    """
    _, channels, height, width = searched.shape
    rows, columns = height - patch + int(every_place), width - patch + int(every_place)
    if rows < 1 or columns < 1 or rows * columns < count:
        raise InputError(
            f"features of {width}x{height} have no {count} patches of {patch} to search; take a larger picture"
        )
    pixels = searched[0].float().flatten(1).t().contiguous()  # (h * w, C)
    found: list[Matches] = []
    for some in torch.split(queries, _QUERIES_AT_ONCE):
        wanted = patches_at(asking, some, patch).float().permute(0, 2, 3, 1).reshape(-1, channels)  # (q * p * p, C)
        gaps = torch.cdist(wanted, pixels, p=1).view(len(some), patch, patch, height, width)
        total = gaps.new_zeros(len(some), rows, columns)
        for i in range(patch):
            for j in range(patch):
                total += gaps[:, i, j, i : i + rows, j : j + columns]
        if labels is not None:
            _leave_out_other_classes(total, some, patch, labels, count)
        distances, numbers = total.flatten(1).topk(count, largest=False)
        found.append(Matches(torch.stack([numbers // columns, numbers % columns], 2), distances))
    return Matches(torch.cat([m.places for m in found]), torch.cat([m.distances for m in found]))


def distance(asking: Tensor, searched: Tensor, queries: Tensor, found: Matches, patch: int) -> Tensor:
    """Returns the mean absolute difference of the queries' patches from those found for them; gradients into both."""
    own = patches_at(asking, queries, patch).float()[:, None]  # (Q, 1, C, p, p)
    others = patches_at(searched, found.places.flatten(0, 1), patch).float()
    return (own - others.view(*found.places.shape[:2], *own.shape[2:])).abs().mean()


def patches_at(features: Tensor, places: Tensor, patch: int) -> Tensor:
    """Returns the patches (N, C, p, p) of `features` (1, C, h, w) at `places` (N, 2), (top, left)."""
    steps = torch.arange(patch, device=features.device)
    rows = places[:, 0, None, None] + steps[:, None]  # (N, p, 1)
    columns = places[:, 1, None, None] + steps[None, :]  # (N, 1, p)
    return features[0][:, rows, columns].transpose(0, 1)


def _leave_out_other_classes(
    total: Tensor, queries: Tensor, patch: int, labels: tuple[Tensor, Tensor], count: int
) -> None:
    """Makes the distance (q, rows, columns) to patches of another class than the query's infinite, in place.

    A query whose class has fewer than `count` patches keeps all.
    """
    own, others = labels
    middle = patch // 2
    wanted = own[queries[:, 0] + middle, queries[:, 1] + middle]
    classes = others[middle : middle + total.shape[1], middle : middle + total.shape[2]]
    other = classes[None] != wanted[:, None, None]
    enough = (~other).flatten(1).sum(1) >= count
    total.masked_fill_(other & enough[:, None, None], torch.inf)


def _resized(label_map: Tensor, features: Tensor) -> Tensor:
    """Returns the class ids (h, w) at the size of `features`, by nearest neighbour."""
    height, width = features.shape[2:]
    rows, columns = (
        torch.arange(small, device=label_map.device) * large // small
        for small, large in zip((height, width), label_map.shape, strict=True)
    )
    return label_map[rows[:, None], columns]
