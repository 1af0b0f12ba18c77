"""Segments of many photos in the light of one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np

from scenebrush.canvas.color_transfer import TransferName, transferred
from scenebrush.errors import InputError
from scenebrush.methods.sims.bank import Bank, SegmentRecord, StoredSegment
from scenebrush.methods.sims.order_pairs import SKY

_MOST_COLORS = 3000
_LEAST_LIGHT = 400  # pixels of a class that tell of the light
_NO_COLORS = np.zeros((0, 3), np.uint8)
Palette = Mapping[int, np.ndarray]
"""Colours of a photo by class id: uint8 (N, 3) each."""


class Lighting:
    """Transfers colours of segments towards those of one photo, class by class.

    Args:
        bank: where segments come from.
        anchor: the donor, `split/stem`, whose colours the others take on; None = no one's.
        palette: colours to transfer to instead of the anchor's; None = the anchor's.
        strength: 0 to 1; 0 = colours stay as they are.
        transfer: how the colours of stuff are transferred.
    """

    def __init__(
        self, bank: Bank, anchor: str | None, palette: Palette | None, *, strength: float, transfer: TransferName
    ) -> None:
        self.bank, self.label_set, self.anchor = bank, bank.label_set, anchor
        self.strength, self.transfer, self.has_palette = strength, transfer, palette is not None
        self._palette = {} if palette is None else {c: _few(p, c) for c, p in palette.items()}
        self._lights = dict[str, tuple[np.ndarray, np.ndarray]]()
        self._of_donor = dict[str, list[SegmentRecord]]()

    def recoloured(self, stored: StoredSegment) -> np.ndarray:
        """A segment's colours in the light of the picture: stuff as the same stuff there, things as all stuff there."""
        record = stored.record
        if not self.strength or (record.donor == self.anchor and not self.has_palette):
            return stored.color
        by: TransferName
        if self.label_set.by_id[record.class_id].kind == "stuff":
            source, target, by = stored.color[stored.mask], self._colors(record.class_id), self.transfer
        else:  # a red car is no other red car's colour; what the light does to it, it does to the road as well
            source, target, by = *self._light(record.donor), "relit"
        if not len(target):
            return stored.color
        color = stored.color.copy()
        some = _few(source, record.id)
        color[stored.mask] = transferred(color[stored.mask], some, target, by=by, strength=self.strength)
        return color

    def _colors(self, class_id: int) -> np.ndarray:
        """Some pixels of a class in the light that is wanted, uint8 (N, 3)."""
        if class_id not in self._palette:
            known = self.anchor is not None and not self.has_palette
            self._palette[class_id] = self._donors_colors(self.anchor or "", class_id) if known else _NO_COLORS
        return self._palette[class_id]

    def _light(self, donor: str) -> tuple[np.ndarray, np.ndarray]:
        """Pixels of the stuff that a donor's photo and the light wanted have in common, as many of each class."""
        if donor not in self._lights:
            theirs, ours = [_NO_COLORS], [_NO_COLORS]
            for class_id in self.label_set.of_kind("stuff"):
                if self.label_set.by_id[class_id].name in SKY:
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


def _few(pixels: np.ndarray, seed: int) -> np.ndarray:
    """Some of many pixels (N, 3): enough for a mean and a covariance."""
    if len(pixels) <= _MOST_COLORS:
        return pixels
    chosen: np.ndarray = pixels[np.random.default_rng(seed).integers(len(pixels), size=_MOST_COLORS)]
    return chosen
