"""Chosen segments painted into a canvas: aligned, recoloured, one over the other (paper sections 3.2 to 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenebrush.canvas.collage import MISSING, Collage, Laid, Piece, boundary_band, lay
from scenebrush.canvas.copying import fill
from scenebrush.canvas.plan import Parts
from scenebrush.methods.sims.affine import forward_matrix
from scenebrush.methods.sims.alignment import TransformationNetwork, align, align_by_moments
from scenebrush.methods.sims.bank import Bank, Match, StoredSegment
from scenebrush.methods.sims.choosing import Chosen, Making
from scenebrush.methods.sims.config import SimsConfig
from scenebrush.methods.sims.lighting import Lighting
from scenebrush.methods.sims.networks import SimsNetworks
from scenebrush.methods.sims.ordering import fronts
from scenebrush.methods.sims.segments import Segment
from scenebrush.scene.layout import Layout

_LITTLE = 0.35  # of a place that one segment leaves open, up to which no further one is pasted
_LAYERS = 3  # segments that are tried one after another on one place
_PLAIN = Parts(facades=False)


@dataclass(frozen=True, eq=False)
class Assembly:
    """A canvas.

    Args:
        collage: pixels, whose they are, what is elided.
        chosen: which segments it is made of, in the order of painting.
        layout: what it shows: the layout asked for, or the revised one where segments bring their own footprint.
        unknown: bool (H, W), where the revised layout does not know the class.
        copied: bool (H, W), pixels copied within the canvas.
        lacking: names of classes that the bank has no segment of; their place is left to the network.
        anchor: the donor, `split/stem`, that most comes from; None = none.
    """

    collage: Collage
    chosen: tuple[Chosen, ...]
    layout: Layout
    unknown: np.ndarray
    copied: np.ndarray
    lacking: tuple[str, ...] = ()
    anchor: str | None = None


class Painter:
    """Paints chosen segments one over the other; arguments as in `assemble`.

    `anchor` is the donor whose colours the others take on, `collage` what is painted on.
    """

    def __init__(
        self,
        layout: Layout,
        bank: Bank,
        config: SimsConfig,
        networks: SimsNetworks | None,
        making: Making,
        anchor: str | None,
        collage: Collage | None = None,
    ) -> None:
        self.layout, self.bank, self.config, self.making = layout, bank, config, making
        self.networks = networks
        self.collage = Collage(layout.shape) if collage is None else collage
        self.painted = dict[int, Segment]()
        self.anchor = anchor
        self.lighting = Lighting(bank, anchor, making.palette, strength=making.harmonise, transfer=config.transfer)

    def paint(self, chosen: Chosen, *, within: np.ndarray | None = None) -> None:
        """Paints the best segment, and where it leaves a place open, the next best; only on `within`, bool (H, W)."""
        segment = chosen.found.segment
        whole = segment.whole_mask(self.layout.shape)
        if within is not None or self.config.footprint == "layout":
            self._inside(chosen, whole, whole if within is None else whole & within)
        else:
            self._over(self.laid(chosen.match, whole), segment)

    def _inside(self, chosen: Chosen, wanted: np.ndarray, open_places: np.ndarray) -> None:
        segment, is_stuff = chosen.found.segment, self._is_stuff(chosen.found.segment.class_id)
        for rank in chosen.ranks[: _LAYERS if self.making.complete and is_stuff else 1]:
            laid = self.laid(chosen.found.matches[rank], wanted)
            number = self.collage.paint(laid, segment.class_id, open_places)
            self.painted[number] = segment
            open_places = open_places & (self.collage.owner != number)
            if np.count_nonzero(open_places) <= _LITTLE * wanted.sum():
                break  # holes where the donor had a car: copies of what lies around them look less pasted

    def _is_stuff(self, class_id: int) -> bool:
        """Whether what one segment leaves open may be filled by another: two halves of cars make no car."""
        return self.layout.label_set.by_id[class_id].kind == "stuff"

    def laid(self, match: Match, wanted: np.ndarray) -> Laid:
        """Returns a segment of the bank at its place, aligned and recoloured."""
        stored = self.bank.read(match.record.id)
        piece = _piece(stored, self.layout.shape)
        piece = Piece(self.lighting.recoloured(stored), piece.mask, piece.class_id, piece.matrix)
        plain = lay(piece, self.layout.shape)
        color = np.zeros((*self.layout.shape, 3), np.uint8)
        color[plain.window] = np.rint(plain.color).clip(0, 255)
        mask = plain.whole_mask(self.layout.shape)
        if not mask.any():
            return plain
        network = self.networks.transformation if self.networks is not None else None
        affine = _affine(network, color, mask, wanted, self.layout)
        if affine is None:
            return plain
        matrix = forward_matrix(affine, self.layout.shape)
        whole = np.vstack([matrix, [0, 0, 1]]) @ np.vstack([piece.matrix, [0, 0, 1]])
        return lay(Piece(piece.color, piece.mask, piece.class_id, whole[:2]), self.layout.shape)

    def finish(self, chosen: tuple[Chosen, ...], lacking: tuple[str, ...]) -> Assembly:
        """Fills what is left, elides, and revises the layout where footprints are the segments' own."""
        layout, unknown = self._revised()
        owner = self.collage.owner.copy()
        copied = np.zeros(self.layout.shape, bool)
        if self.making.complete and len(self.painted):
            copied = self._copied(layout, unknown)
        if self.making.elide:
            band = boundary_band(owner, self.config.elision_band * self.layout.shape[0])
            drawn = np.random.default_rng((self.making.seed, 1)).random(self.layout.shape)
            self.collage.elide(band & (drawn < self.config.elision_share))
        return Assembly(self.collage, chosen, layout, unknown, copied, lacking, self.anchor)

    def _over(self, laid: Laid, segment: Segment) -> None:
        """Paints a segment with its own footprint: over what it hides, under what the ordering network puts in front.

        The released script tests this the wrong way round and mixes two ways of counting; this follows the paper.
        """
        own = laid.whole_mask(self.layout.shape)
        hidden = [int(n) for n in np.unique(self.collage.owner[own]) if n != MISSING]
        others = [n for n in hidden if self.painted[n].class_id != segment.class_id]
        shown = Segment(segment.class_id, (0, 0, own.shape[1], own.shape[0]), own)
        if others and self.networks is not None:
            pairs = [(shown, self._as_painted(n)) for n in others]
            for number, winner in zip(others, fronts(self.networks.ordering, self.layout, pairs), strict=True):
                if winner != segment.class_id:
                    own &= self.collage.owner != number
        self.painted[self.collage.paint(laid, segment.class_id, own)] = segment

    def _as_painted(self, number: int) -> Segment:
        mask = self.collage.owner == number
        return Segment(self.painted[number].class_id, (0, 0, mask.shape[1], mask.shape[0]), mask)

    def _revised(self) -> tuple[Layout, np.ndarray]:
        """The layout that the canvas shows; classes that only the layout knows stay where they are stuff."""
        nothing = np.zeros(self.layout.shape, bool)
        if self.config.footprint == "layout":
            return self.layout, nothing
        labels, shown = self.layout.label_map, self.collage.class_map
        stuff = self.layout.label_set.is_kind(labels, "stuff")
        unknown = (shown < 0) & ~stuff
        revised = np.where(shown >= 0, shown, labels)
        return Layout(revised, self.layout.label_set), unknown

    def _copied(self, layout: Layout, unknown: np.ndarray) -> np.ndarray:
        """Fills stuff that is left open with copies of its own class on the canvas; returns where, bool (H, W)."""
        hole = (self.collage.owner == MISSING) & ~unknown
        if not hole.any() or hole.all():
            return np.zeros(hole.shape, bool)
        filled = fill(self.collage.color, layout, layout, hole, parts=_PLAIN)
        copied: np.ndarray = filled.copied & hole & layout.label_set.is_kind(layout.label_map, "stuff")
        self.collage.color[copied] = filled.photo[copied]
        self.collage.owner[copied] = self.collage.count
        self.collage.class_map[copied] = layout.label_map[copied]
        return copied


def _piece(stored: StoredSegment, shape: tuple[int, int]) -> Piece:
    """A segment of the bank where it lay in its photo, stretched to a picture of `shape`."""
    (x0, y0, _, _), (width, height) = stored.record.box, stored.record.photo_size
    wide, high = shape[1] / width, shape[0] / height
    matrix = np.array([[wide, 0, wide * (x0 + 0.5) - 0.5], [0, high, high * (y0 + 0.5) - 0.5]])
    return Piece(stored.color, stored.mask, stored.record.class_id, matrix)


def _affine(
    network: TransformationNetwork | None, color: np.ndarray, mask: np.ndarray, wanted: np.ndarray, layout: Layout
) -> np.ndarray | None:
    """The affine that fits a segment to its place, or None where it is best left as it is."""
    if network is not None:
        aligned = align(network, color, mask, wanted, layout)
        return aligned.affine if aligned.moved else None
    aligned = align_by_moments(color, mask, wanted)
    return aligned.affine if aligned.moved else None
