"""Our fit of one photo: how to copy it is learned from the photo itself.

Parts of the photo are hidden and filled by copying from the rest (`lessons.py`); what counts how much in copying is
changed a little, tried, and kept where the holes come closer to the truth, again and again. What is held out decides in
the end whether the settings found are used, or those for all photos. SemIA's self-supervision, without a network: one
that went over the copies was tried, and did not beat them (README.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from scenebrush.canvas.analogy import AnalogySettings
from scenebrush.losses.likeness import likeness
from scenebrush.methods.semia.compact_method import settings_of, settings_tensors
from scenebrush.methods.semia.config import SemiaConfig
from scenebrush.methods.semia.folder import save_model
from scenebrush.methods.semia.lessons import Filled, Lessons, hole_distances
from scenebrush.methods.semia.optimizer_state import below
from scenebrush.methods.semia.source import Source

LESSON_SIDE: Final = 384  # pixels of the longer side that lessons are made at, at most: they cost a second each
LEARNED, HELD_OUT = 4, 3  # lessons
RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "guide": (0.2, 20.0),
    "place": (0.05, 5.0),
    "coherence": (0.1, 8.0),
    "reach": (4.0, 32.0),
}
CHOICES: Final[Mapping[str, tuple[int, ...]]] = {"patch": (3, 5, 7), "last_patch": (1, 3, 5)}
BOLD, CAREFUL = 0.8, 0.25  # how far numbers are changed, in their logarithms, at the beginning and in the end
SURE: Final = 1.0  # standard errors of the mean gain


class Verdict(NamedTuple):
    """What learning was good for: mean distances to the truth of the held-out holes, for all photos and learned.

    The settings that were learned are used where they come closer by more than `margin`, `SURE` standard errors.
    """

    learned_helps: bool
    for_all_photos: float
    learned: float
    margin: float
    holes: int


class CompactPupil:
    """A `Pupil`: learns what counts how much when one photo is copied.

    Args:
        source: the photo.
        config: kind "compact"; it has no sizes of its own.
        seed: decides what is hidden, and what is tried.
    """

    total: int | None = None

    def __init__(self, source: Source, config: SemiaConfig, *, seed: int = 0) -> None:
        self.source, self.config, self.seed = source, config, seed
        self.lessons = Lessons(source.at_most(LESSON_SIDE), learned=LEARNED, held_out=HELD_OUT, seed=seed)
        self.distance = likeness()
        self.settings = AnalogySettings()
        self.loss = math.inf
        self._tested: dict[AnalogySettings, tuple[list[Filled], np.ndarray]] = {}

    def iterate(self, iteration: int, share: float) -> Mapping[str, float]:
        """Tries settings near the best so far; see `Pupil`. The loss is the best's distance on the lessons."""
        tried = self.settings
        if math.isfinite(self.loss):
            rng = np.random.default_rng((self.seed, 2, iteration))
            tried = varied(self.settings, BOLD + (CAREFUL - BOLD) * share, rng)
        if math.isfinite(self.loss) and tried == self.settings:  # the draw changed nothing: the same would come out
            return {"loss": self.loss, "tried": self.loss}
        found = float(self.lessons.distances(self.lessons.learned, tried, self.distance).mean())
        if found < self.loss:
            self.settings, self.loss = tried, found
        return {"loss": self.loss, "tried": found}

    def verdict(self) -> Verdict:
        """Returns what learning was good for, by what is held out."""
        after, before = self._held_out(self.settings)[1], self._held_out(AnalogySettings())[1]
        gains = before - after
        margin = SURE * float(gains.std(ddof=1)) / math.sqrt(len(gains)) if len(gains) > 1 else math.inf
        return Verdict(bool(gains.mean() > margin), float(before.mean()), float(after.mean()), margin, len(gains))

    def _held_out(self, settings: AnalogySettings) -> tuple[list[Filled], np.ndarray]:
        """What is held out, filled, and the distance of each hole to the truth; kept, since it is asked for often."""
        if settings not in self._tested:
            filled = self.lessons.fill(self.lessons.held_out, settings)
            photo = self.lessons.source.photo
            distances = np.concatenate([hole_distances(self.distance, lesson, photo) for lesson in filled])
            known = {s: found for s, found in self._tested.items() if s == AnalogySettings()}
            self._tested = {**known, settings: (filled, distances)}
        return self._tested[settings]

    @property
    def used(self) -> AnalogySettings:
        """The settings that a model of now has."""
        return self.settings if self.verdict().learned_helps else AnalogySettings()

    def picture(self) -> np.ndarray:
        """Returns a sheet of the held-out lessons: what is hidden, the copy, the truth; uint8 (n * H, 3 * W, 3)."""
        photo, rows = self.lessons.source.photo, []
        for filled in self._held_out(self.used)[0]:
            shown = np.where(filled.hidden[..., None], np.uint8(128), photo)
            rows.append(np.concatenate([shown, filled.picture, photo], 1))
        return np.concatenate(rows)

    def state_dict(self) -> dict[str, Tensor]:
        """Returns all that a fit goes on from, as plain tensors."""
        settings = {f"settings/{name}": value for name, value in settings_tensors(self.settings).items()}
        return {"loss": torch.tensor(self.loss, dtype=torch.float64), **settings}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes what `state_dict` returned; `ValueError` for what does not fit."""
        if "loss" not in state:
            raise ValueError("no 'loss' in it")
        self.settings = settings_of(below(state, "settings/"))
        self.loss = float(state["loss"])

    def export(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Writes the model folder."""
        training = {
            **facts,
            **self.verdict()._asdict(),
            "measure": self.distance.name,
            "settings": asdict(self.used),
        }
        save_model(folder, self.config, self.source, settings_tensors(self.used), training, card(self.source))


def varied(settings: AnalogySettings, far: float, rng: np.random.Generator) -> AnalogySettings:
    """Returns settings near others: one or two changed, numbers by a factor of about exp(`far`)."""
    names = rng.choice([*RANGES, *CHOICES], int(rng.integers(1, 3)), replace=False)
    changes: dict[str, Any] = {}
    for name in names.tolist():
        if name in CHOICES:
            changes[name] = int(rng.choice([value for value in CHOICES[name] if value != getattr(settings, name)]))
        else:
            least, most = RANGES[name]
            changes[name] = float(np.clip(getattr(settings, name) * math.exp(rng.normal(0, far)), least, most))
    return replace(settings, **changes)


def card(source: Source) -> str:
    """Returns the model card of a fit."""
    height, width = source.shape
    return f"""# One photo, learned by scenebrush fit

Draws one photo of {width}x{height} pixels in other layouts, made of its own pixels. What was learned is how to copy it:
`config.json` has the settings, and under `training` how far the held-out parts of the photo came out from the truth.

- Data and licence: the photo, `photo.png`, and its label map. What is drawn has the photo's licence.
- Limits: what the photo does not show cannot be drawn.
"""
