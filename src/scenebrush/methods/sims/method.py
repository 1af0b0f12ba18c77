"""What SIMS can do: whole pictures from layouts and holes in photos, made of a memory bank's segments."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from scenebrush.errors import InputError, ModelError
from scenebrush.methods.base import Style
from scenebrush.methods.layout_arrays import check_label_set, class_indices, photo_tensor, picture
from scenebrush.methods.sims.bank import Bank, Match
from scenebrush.methods.sims.canvas import assemble
from scenebrush.methods.sims.choosing import Making
from scenebrush.methods.sims.folder import load_networks
from scenebrush.methods.sims.lighting import Palette
from scenebrush.methods.sims.networks import SimsNetworks
from scenebrush.methods.sims.painting import Assembly
from scenebrush.methods.sims.patching import candidates, patch
from scenebrush.methods.sims.placing import layout_from_text
from scenebrush.methods.sims.segments import segments_of
from scenebrush.methods.sims.sheet import assembly_sheet
from scenebrush.methods.sims.training_canvas import classes_with_unknown, shown
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene

BANK_VARIABLE = "SCENEBRUSH_BANK"
"""Names the memory bank where no other is given."""


class SimsModel:
    """Makes pictures of real segments; a `SegmentSynthesizer` and an `Editor`.

    Args:
        networks: trained, in evaluation mode.
        label_set: the classes that they know, in the order of their indices.
        bank: where segments come from; None = it has to be given before anything is made (`use_bank`).
        name: for messages and tables.
    """

    def __init__(
        self, networks: SimsNetworks, label_set: LabelSet, bank: Bank | None = None, *, name: str = "sims"
    ) -> None:
        self.networks, self.label_set, self.name = networks, label_set, name
        self._bank: Bank | None = None
        self.finished = True
        """Whether the synthesis network finishes the canvas; off shows what it is for."""
        self.complete = True
        """Whether stuff that segments leave open is filled by further segments and copies."""
        self.coherent = True
        """Whether donors are chosen and coloured together."""
        self.transformed = True
        """Whether the transformation network aligns segments; off: their moments do. Nor is the ordering one asked."""
        if bank is not None:
            self.use_bank(bank)

    @property
    def bank(self) -> Bank:
        """The memory bank, by default the one that `SCENEBRUSH_BANK` names; `ModelError` where none was given."""
        if self._bank is None and os.environ.get(BANK_VARIABLE):
            self.use_bank(os.environ[BANK_VARIABLE])
        if self._bank is None:
            raise ModelError(
                f"model {self.name!r} makes pictures of a memory bank's segments and has no bank; build one with"
                f" 'scenebrush bank build FOLDER -o BANK' and give --bank BANK, or set {BANK_VARIABLE}"
            )
        return self._bank

    def use_bank(self, bank: Bank | str | Path) -> None:
        """Takes segments from this bank from now on; `ModelError` if it has other classes."""
        bank = bank if isinstance(bank, Bank) else Bank.open(bank)
        if [(c.id, c.name) for c in bank.label_set.classes] != [(c.id, c.name) for c in self.label_set.classes]:
            raise ModelError(
                f"bank {bank.path} has the classes of {bank.label_set.name!r}, model {self.name!r} those of"
                f" {self.label_set.name!r}; build a bank from data of the model's classes"
            )
        self._bank = bank

    def synthesize(self, layout: Layout, *, seed: int = 0, style: Style | None = None) -> np.ndarray:
        """Returns the picture of a layout; see `methods.base.Synthesizer`.

        Seed 0 takes the best segments, others draw among the best. A class's style K is its (K + 1)-th best segment
        at each place; a style photo, with its layout, gives its colours class by class.
        """
        return self.finish(self.assemble(layout, seed=seed, style=style))

    def varies(self, style: Style | None = None) -> bool:
        """Returns whether seeds change the picture: they do."""
        return True

    def assemble(
        self, layout: Layout, *, seed: int = 0, style: Style | None = None, exclude_donors: frozenset[str] = frozenset()
    ) -> Assembly:
        """Returns the canvas of a layout; arguments as in `synthesize`, `exclude_donors` as in `Making`."""
        check_label_set(self.name, self.label_set, layout)
        making = replace(self.making(seed), exclude_donors=exclude_donors, palette=self._palette(style))
        if style is not None and style.classes:
            making = replace(making, picks=self._picks(layout, style))
        return assemble(layout, self.bank, self.networks.config, self._aligner(), making)

    def making(self, seed: int = 0) -> Making:
        """Returns how canvases are made, as the switches stand."""
        if self.coherent:
            return Making(seed=seed, complete=self.complete)
        return Making(seed=seed, complete=self.complete, coherence=0.0, harmonise=0.0)

    def synthesize_openly(
        self, layout: Layout, *, seed: int = 0, style: Style | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns what `synthesize` does, and a sheet of how it came about; see `methods.base.SegmentSynthesizer`."""
        assembly = self.assemble(layout, seed=seed, style=style)
        made = self.finish(assembly)
        return made, assembly_sheet(assembly, self.bank, layout, made)

    def lacks(self, layout: Layout) -> tuple[str, ...]:
        """Returns the classes that the bank has no segment of; see `methods.base.SegmentSynthesizer`."""
        check_label_set(self.name, self.label_set, layout)
        there = set(np.unique(layout.label_map).tolist())
        known = (c for c in layout.label_set.classes if c.id in there and c.kind != "void")
        return tuple(c.name for c in known if not self.bank.count(c.id))

    def layout_from_text(self, text: str, size: tuple[int, int], *, seed: int = 0) -> Layout:
        """Returns a layout of what a text names; see `methods.base.SegmentSynthesizer`."""
        return layout_from_text(text, self.bank, self.label_set, size, seed)

    def finish(self, assembly: Assembly) -> np.ndarray:
        """Returns the picture that the synthesis network makes of a canvas, uint8 (H, W, 3)."""
        collage = assembly.collage
        if not self.finished:
            return np.where((collage.owner >= 0)[..., None], collage.color, np.uint8(128))
        present = collage.owner >= 0
        return self.finish_canvas(collage.color, present, collage.elided, assembly.layout, assembly.unknown)

    @torch.inference_mode()
    def finish_canvas(
        self, color: np.ndarray, present: np.ndarray, elided: np.ndarray, layout: Layout, unknown: np.ndarray
    ) -> np.ndarray:
        """Returns the finished picture of a canvas, uint8 (H, W, 3); arguments as in `Assembly` and `Collage`."""
        config = self.networks.config
        canvas, seen = shown(color, present, elided, white=config.elided_white)
        indices = class_indices(layout.label_map, layout.label_set)
        labels = classes_with_unknown(indices, unknown, config.num_classes)
        divisor = config.divisor
        pads = tuple((0, -side % divisor) for side in layout.shape)
        finished = self.networks.finish(
            torch.from_numpy(np.pad(labels, pads, mode="edge"))[None],
            photo_tensor(canvas, divisor),
            torch.from_numpy(np.pad(seen, pads, mode="edge"))[None, None].float(),
        )
        return picture(finished.image, layout.shape)

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        """Returns the photo after the edit; see `methods.base.Editor.edit`.

        Stuff comes from the photo itself where it is visible there, things and other stuff from the bank; the network
        finishes the hole. Seed K takes the (K + 1)-th best segment of each object: so one steps through them.
        """
        check_label_set(self.name, self.label_set, edit.layout)
        if not edit.hole.any():
            return scene.photo
        if edit.hole.all():
            return self.synthesize(edit.layout, seed=seed)
        patched = patch(scene, edit, self.bank, self.networks.config, self._aligner(), rank=seed)
        if not self.finished:
            return patched.color
        unknown = np.zeros(edit.hole.shape, bool)
        made = self.finish_canvas(patched.color, patched.present, patched.elided, edit.layout, unknown)
        return np.where(edit.hole[..., None], made, scene.photo)

    def candidates(self, scene: Scene, edit: Edit, *, k: int = 10) -> list[Sequence[Match]]:
        """Returns, for each object that an edit asks the bank for, the k best segments: what seeds step through."""
        return candidates(scene, edit, self.bank, k)

    def _aligner(self) -> SimsNetworks | None:
        return self.networks if self.transformed else None

    def _palette(self, style: Style | None) -> Palette | None:
        """The colours of a style photo, class by class."""
        if style is None or style.photo is None:
            return None
        if style.layout is None:
            raise InputError(
                f"model {self.name!r} takes the colours of a style photo class by class and needs its label map;"
                " give --style-labels MAP"
            )
        check_label_set(self.name, self.label_set, style.layout)
        visible = np.ones(style.layout.shape, bool) if style.visible is None else style.visible
        labels = style.layout.label_map
        return {int(c): style.photo[(labels == c) & visible] for c in np.unique(labels[visible])}

    def _picks(self, layout: Layout, style: Style) -> dict[int, int]:
        """Which of the best each segment of a class with a style gets."""
        for name, rank in style.classes.items():
            if rank >= (most := self.making().candidates):
                raise InputError(
                    f"style {name}={rank} is none of model {self.name!r}; it has 0 to {most - 1}, the best segments"
                )
        least = max(1, round(self.networks.config.least_area * layout.label_map.size))
        asked = {self.label_set.find(name).id: rank for name, rank in style.classes.items()}
        segments = segments_of(layout, least_area=least)
        return {i: asked[s.class_id] for i, s in enumerate(segments) if s.class_id in asked}


def load(folder: Path | None) -> SimsModel:
    """Returns the model of a folder; its bank is to be given (`use_bank`), or named by `SCENEBRUSH_BANK`."""
    if folder is None:
        raise ModelError("sims is no model by itself; name a model folder")
    networks, label_set = load_networks(folder)
    return SimsModel(networks, label_set, name=folder.name)
