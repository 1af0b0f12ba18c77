"""Which segments of the bank a picture is made of (paper section 3.1, and ours: most of it from one photo)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from scenebrush.methods.sims.bank import Bank, Match, query_of
from scenebrush.methods.sims.config import SimsConfig
from scenebrush.methods.sims.lighting import Palette
from scenebrush.methods.sims.segments import Segment, segments_of
from scenebrush.scene.layout import Layout

COHERENCE = 0.25  # of score: what it is worth that a segment comes from the anchor
_TEMPERATURE = 0.04  # of score: how far seeds stray from the best segments


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
