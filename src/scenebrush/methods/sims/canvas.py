"""The canvas of a layout: segments retrieved, chosen, aligned, recoloured, ordered, pasted (paper section 3).

Ours beside the paper's: donors are chosen together, so that most of a picture comes from one photo's light; segments
keep to the layout (`SimsConfig.footprint`); what they leave open of stuff is filled by further segments and then by
copies of the same class, as in a photo with a hole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from scenebrush.canvas.collage import MISSING, Collage, Laid, Piece, boundary_band, lay
from scenebrush.canvas.color_transfer import TransferName, transferred
from scenebrush.canvas.copying import fill
from scenebrush.canvas.plan import Parts
from scenebrush.errors import InputError, ModelError
from scenebrush.methods.sims.affine import forward_matrix
from scenebrush.methods.sims.alignment import TransformationNetwork, align, align_by_moments
from scenebrush.methods.sims.bank import Bank, Match, SegmentRecord, StoredSegment, query_of
from scenebrush.methods.sims.config import SimsConfig
from scenebrush.methods.sims.networks import SimsNetworks
from scenebrush.methods.sims.order_pairs import SKY, coarse_order
from scenebrush.methods.sims.ordering import fronts
from scenebrush.methods.sims.segments import Segment, segments_of
from scenebrush.scene.layout import Layout

COHERENCE = 0.25  # of score: what it is worth that a segment comes from the anchor
_TEMPERATURE = 0.04  # of score: how far seeds stray from the best segments
_MOST_COLORS = 3000
_LEAST_LIGHT = 400  # pixels of a class that tell of the light
_NO_COLORS = np.zeros((0, 3), np.uint8)
_LITTLE = 0.35  # of a place that one segment leaves open, up to which no further one is pasted
_LAYERS = 3  # segments that are tried one after another on one place
_PLAIN = Parts(facades=False)
Palette = Mapping[int, np.ndarray]
"""Colours of a photo by class id: uint8 (N, 3) each."""


@dataclass(frozen=True, eq=False)
class Found:
    """A segment of the layout and the bank's best for it, best first; `number` is its own in `segments_of(layout)`."""

    segment: Segment
    matches: tuple[Match, ...]
    number: int = 0


@dataclass(frozen=True, eq=False)
class Chosen:
    """A segment of the layout, and in which order those found for it are tried: numbers of `Found.matches`."""

    found: Found
    ranks: tuple[int, ...]

    @property
    def match(self) -> Match:
        """The one that is pasted first."""
        return self.found.matches[self.ranks[0]]


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


@dataclass(frozen=True)
class Making:
    """How a canvas is made, beside the model's configuration.

    Args:
        seed: 0 = the best segments; another draws among the best.
        candidates: how many of the best segments of each place are looked at.
        picks: of single objects, which of the best is pasted, 0 = the best: number in `segments_of(layout,
            least_area=...)`, as `retrieve` asks for them -> rank; beyond the last one it is the last.
        exclude_donors: scenes, `split/stem`, that may not serve.
        coherence: how much it counts that a segment comes from the anchor's photo; 0 = as in the paper.
        harmonise: strength, 0 to 1, of the colour transfer to the anchor's colours of the same class.
        complete: fill what is left open of stuff by further segments and copies.
        elide: take pixels along boundaries out again, for the network to invent.
        palette: colours to transfer to, class by class, instead of the anchor's.
    """

    seed: int = 0
    candidates: int = 12
    picks: dict[int, int] = field(default_factory=dict)
    exclude_donors: frozenset[str] = frozenset()
    coherence: float = COHERENCE
    harmonise: float = 0.7
    complete: bool = True
    elide: bool = True
    palette: Palette | None = None


def assemble(
    layout: Layout, bank: Bank, config: SimsConfig, networks: SimsNetworks | None, making: Making | None = None
) -> Assembly:
    """Returns the canvas of a layout.

    Args:
        layout: of the bank's label set, of any size.
        bank: where segments come from.
        config: the model's.
        networks: transformation and ordering network; None = alignment by moments and the coarse order alone.
        making: how.

    Raises:
        ModelError: the layout has other classes than the bank.
        InputError: the bank is empty.
    """
    making = making if making is not None else Making()
    if [(c.id, c.name) for c in layout.label_set.classes] != [(c.id, c.name) for c in bank.label_set.classes]:
        raise ModelError(
            f"bank {bank.path} has the classes of {bank.label_set.name!r}, the label map those of"
            f" {layout.label_set.name!r}; give a map or a bank of the other's"
        )
    found, lacking = retrieve(layout, bank, config, making)
    anchor = choose_anchor(found, making)
    order = coarse_order(layout.label_set)
    chosen = sorted((choose(one, anchor, making) for one in found), key=lambda c: _depth(c, order))
    painter = Painter(layout, bank, config, networks, making, anchor)
    for one in chosen:
        painter.paint(one)
    return painter.finish(tuple(chosen), lacking)


def retrieve(layout: Layout, bank: Bank, config: SimsConfig, making: Making) -> tuple[list[Found], tuple[str, ...]]:
    """Returns the segments of a layout that are large enough with the best of the bank, and the classes it lacks."""
    least = max(1, round(config.least_area * layout.label_map.size))
    found, lacking = [], dict[str, None]()
    for number, segment in enumerate(segments_of(layout, least_area=least)):
        query = query_of(layout, segment, bank.match_size)
        matches = bank.find(query, making.candidates, exclude_donors=making.exclude_donors)
        if matches:
            found.append(Found(segment, tuple(matches), number))
        else:
            lacking[layout.label_set.by_id[segment.class_id].name] = None
    return found, tuple(lacking)


def choose_anchor(found: Sequence[Found], making: Making) -> str | None:
    """Returns the donor whose segments serve best over the whole picture: area times score, summed."""
    worth = dict[str, float]()
    for one in found:
        for match in one.matches:
            gain = one.segment.area * match.score
            worth[match.record.donor] = worth.get(match.record.donor, 0.0) + gain
    if not worth:
        return None
    ranked = sorted(worth, key=lambda donor: (-worth[donor], donor))
    if not making.seed:
        return ranked[0]
    best = ranked[: making.candidates]
    weights = np.array([worth[donor] for donor in best]) ** 2
    return str(np.random.default_rng(making.seed).choice(best, p=weights / weights.sum()))


def choose(found: Found, anchor: str | None, making: Making) -> Chosen:
    """Returns the order in which the segments found are tried: by score, and whether they are the anchor's."""
    scores = np.array([match.score for match in found.matches])
    scores += [making.coherence * (match.record.donor == anchor) for match in found.matches]
    if making.seed:
        scores += _TEMPERATURE * np.random.default_rng((making.seed, found.number)).gumbel(size=len(scores))
    ranks = list(np.argsort(-scores, kind="stable"))
    if found.number in making.picks:
        pick = min(making.picks[found.number], len(ranks) - 1)
        ranks.remove(pick)
        ranks.insert(0, pick)
    return Chosen(found, tuple(int(rank) for rank in ranks))


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
        self._palette = {} if making.palette is None else {c: _few(p, c) for c, p in making.palette.items()}
        self._lights = dict[str, tuple[np.ndarray, np.ndarray]]()
        self._of_donor = dict[str, list[SegmentRecord]]()

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
        piece = Piece(self._recoloured(stored), piece.mask, piece.class_id, piece.matrix)
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

    def _recoloured(self, stored: StoredSegment) -> np.ndarray:
        """A segment's colours in the light of the picture: stuff as the same stuff there, things as all stuff there."""
        record, making = stored.record, self.making
        if not making.harmonise or (record.donor == self.anchor and making.palette is None):
            return stored.color
        by: TransferName
        if self._is_stuff(record.class_id):
            source, target, by = stored.color[stored.mask], self._colors(record.class_id), self.config.transfer
        else:  # a red car is no other red car's colour; what the light does to it, it does to the road as well
            source, target, by = *self._light(record.donor), "relit"
        if not len(target):
            return stored.color
        color = stored.color.copy()
        some = _few(source, record.id)
        color[stored.mask] = transferred(color[stored.mask], some, target, by=by, strength=making.harmonise)
        return color

    def _colors(self, class_id: int) -> np.ndarray:
        """Some pixels of a class in the light that is wanted, uint8 (N, 3)."""
        if class_id not in self._palette:
            known = self.anchor is not None and self.making.palette is None
            self._palette[class_id] = self._donors_colors(self.anchor or "", class_id) if known else _NO_COLORS
        return self._palette[class_id]

    def _light(self, donor: str) -> tuple[np.ndarray, np.ndarray]:
        """Pixels of the stuff that a donor's photo and the light wanted have in common, as many of each class."""
        if donor not in self._lights:
            theirs, ours = [_NO_COLORS], [_NO_COLORS]
            for class_id in self.layout.label_set.of_kind("stuff"):
                if self.layout.label_set.by_id[class_id].name in SKY:
                    continue  # it shines itself
                here = self._colors(class_id)
                there = self._donors_colors(donor, class_id) if len(here) >= _LEAST_LIGHT else _NO_COLORS
                if len(there) >= _LEAST_LIGHT:
                    rng = np.random.default_rng(class_id)
                    theirs.append(there[rng.integers(len(there), size=_LEAST_LIGHT)])
                    ours.append(here[rng.integers(len(here), size=_LEAST_LIGHT)])
            self._lights[donor] = np.concatenate(theirs), np.concatenate(ours)
        return self._lights[donor]

    def _donors_colors(self, donor: str, class_id: int) -> np.ndarray:
        """Some pixels of a class in a donor's photo, uint8 (N, 3)."""
        if donor not in self._of_donor:
            self._of_donor[donor] = self.bank.of_donor(donor)
        found = [_NO_COLORS]
        for record in self._of_donor[donor]:
            if record.class_id == class_id:
                with suppress(InputError):  # damaged: `Bank.damage` tells; the others do
                    stored = self.bank.read(record.id)
                    found.append(stored.color[stored.mask])
        return _few(np.concatenate(found), class_id)

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


def _few(pixels: np.ndarray, seed: int) -> np.ndarray:
    """Some of many pixels (N, 3): enough for a mean and a covariance."""
    if len(pixels) <= _MOST_COLORS:
        return pixels
    chosen: np.ndarray = pixels[np.random.default_rng(seed).integers(len(pixels), size=_MOST_COLORS)]
    return chosen


def _depth(chosen: Chosen, order: dict[int, int]) -> tuple[int, int]:
    """Back to front: by class, within a class by the lower edge."""
    segment = chosen.found.segment
    return order.get(segment.class_id, len(order)), segment.box[3]


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
