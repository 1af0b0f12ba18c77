"""`--adapt`: the model learns from the very photo that is about to be edited.

Random holes in the photo have a known truth. Reconstruction and a perceptual distance (`losses.likeness`); no adversary
(it was unstable on one photo: facts/two_cores). Some places of the photo are held out: they are never a target, and
only if the model draws them better afterwards, by more than the noise of the comparison, is the result kept.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scenebrush.errors import InputError
from scenebrush.losses.likeness import Likeness, likeness
from scenebrush.methods.sesame.compact import CompactGenerator
from scenebrush.methods.sesame.inputs import EditBatch, WindowArrays, collate
from scenebrush.methods.sesame.lessons import Lessons
from scenebrush.methods.sesame.networks import WindowGenerator
from scenebrush.methods.sesame.objective import crop_around_holes, hole_l1
from scenebrush.methods.sesame.preprocess import paste
from scenebrush.scene.edit import Edit
from scenebrush.scene.scene import Scene

RECONSTRUCTION, DRAWN = 3.0, 0.5  # weights of the mean absolute difference in the hole, after and before the gate
CROP = 96  # side of the square around a hole that is compared
LEARNING_RATE = 1e-4
TABLE_RATES = {".label_embedding.": 5e-3, ".gate_bias.": 5e-3}  # a row hears only of windows that hold its class
FOREIGN_RATES = {".label_embedding.": 3e-2, ".gate_bias.": 2e-1}  # where all rows are new
BATCH = 4
MOST_LOOKS = 4  # moments at which the held-out windows are looked at; the best is kept, since long learning overfits
LOOKING = 0.25  # of the time, at most, unless one look at the end takes more
# Standard errors of the held-out windows' mean gain: less is noise. Windows of one photo overlap, so that their
# standard error is too small; and where the classes are known, the model has more to lose (README.md, section Figures).
SURE = 4.0
FOREIGN_SURE = 2.0

_COPIES = 50.0  # a gate's bias at which nothing but the canvas is shown


@dataclass(frozen=True)
class Adapted:
    """What came of learning.

    Args:
        generator: the adapted generator where it is better, else the one to go on with.
        before: mean distance of the held-out windows to the truth without learning.
        after: the same with the adapted generator, better or not.
        margin: how much lower `after` has to be: `SURE` or `FOREIGN_SURE` standard errors of the mean difference.
        steps: batches learned from.
        measure: name of the distance.
    """

    generator: WindowGenerator
    before: float
    after: float
    margin: float
    steps: int
    measure: str

    @property
    def better(self) -> bool:
        """Whether the held-out holes are drawn better than before, by more than noise."""
        return self.before - self.after > self.margin


def adapt(
    generator: WindowGenerator,
    scene: Scene,
    edits: Sequence[Edit] = (),
    *,
    seconds: float,
    seed: int = 0,
    new_classes: Sequence[int] = (),
    report: Callable[[float], None] | None = None,
) -> Adapted:
    """Returns what came of training a copy of `generator` for `seconds` on this scene's photo, preparation included.

    How many steps there are depends on the machine, so two calls differ.

    Args:
        generator: knows the scene's classes, in their order (`SesameEditor.with_label_set`).
        scene: the photo and its layout.
        edits: what is to come; see `Lessons`.
        seconds: more than 0.
        seed: decides what is learned and held out.
        new_classes: indices of classes that the photo shows and the generator never saw. Where there are any, their
            rows of the tables alone learn, and fast; the canvas lends objects the look of others, and where it alone
            does better than the generator, that is what learning has to beat, and what remains where it does not.
        report: told the share of the time that has passed, 0 to 1.

    Raises:
        InputError: no time to learn in.
        ModelError: a photo that is too small.
    """
    if not seconds > 0:
        raise InputError(f"adapt: seconds is {seconds:g}; expected more than 0")
    clock, foreign = _Clock(seconds, report), bool(new_classes)
    lessons = Lessons(scene, edits, guided=generator.config.guided, lend=foreign, seed=seed)
    distance = likeness()
    test = _Test(lessons.held_out, distance, next(generator.parameters()).device)
    start = _best_start(generator, test, foreign)
    pupil = _Pupil(_open_minded(generator, new_classes), distance, new_classes)
    best = _Best(pupil.learner, test)
    clock.reserve = test.seconds
    looks = max(1, min(MOST_LOOKS, int(seconds * LOOKING / test.seconds) - 1))
    steps = 0
    for share in clock.shares():
        if share >= (best.looks + 1) / looks:
            best.look()
        pupil.learn(lessons.batch(BATCH), decay=min(1.0, 2 * (1 - share)))
        steps += 1
    if steps:
        best.look()
    if report is not None:
        report(1.0)
    return _verdict(start, best, steps, distance.name, FOREIGN_SURE if foreign else SURE)


def _best_start(generator: WindowGenerator, test: _Test, foreign: bool) -> tuple[WindowGenerator, np.ndarray]:
    """Returns what there is without learning, and its distances on the held-out windows."""
    starts = [generator]
    if foreign and generator.config.guided and isinstance(generator.network, CompactGenerator):
        starts.append(_canvas_alone(generator))
    measured = [(start, test.distances(start)) for start in starts]
    return min(measured, key=lambda pair: float(pair[1].mean()))


def _open_minded(generator: WindowGenerator, classes: Sequence[int]) -> WindowGenerator:
    """Returns a copy whose gates are at most half closed to the canvas of these classes."""
    mind = copy.deepcopy(generator)
    if isinstance(mind.network, CompactGenerator):
        with torch.no_grad():
            bias = mind.network.gate_bias.weight
            bias[list(classes)] = bias[list(classes)].clamp(min=0)
    return mind


def _canvas_alone(generator: WindowGenerator) -> WindowGenerator:
    alone = copy.deepcopy(generator)
    assert isinstance(alone.network, CompactGenerator)
    with torch.no_grad():
        alone.network.gate_bias.weight.fill_(_COPIES)
    return alone


def _verdict(start: tuple[WindowGenerator, np.ndarray], best: _Best, steps: int, measure: str, sure: float) -> Adapted:
    generator, before = start
    if best.distances is None:
        return Adapted(generator, float(before.mean()), float(before.mean()), 0.0, steps, measure)
    gains = before - best.distances
    # One window alone says nothing of its noise.
    margin = sure * float(gains.std(ddof=1)) / math.sqrt(len(gains)) if len(gains) > 1 else math.inf
    after = float(best.distances.mean())
    adapted = Adapted(generator, float(before.mean()), after, margin, steps, measure)
    if not adapted.better:
        return adapted
    best.learner.load_state_dict(best.state)
    learned = best.learner.eval().requires_grad_(False)
    return Adapted(learned, adapted.before, after, margin, steps, measure)


class _Clock:
    """Goes on until the time is up, but for what is reserved."""

    def __init__(self, seconds: float, report: Callable[[float], None] | None) -> None:
        self.seconds, self.report = seconds, report
        self.began, self.reserve = time.monotonic(), 0.0

    def shares(self) -> Iterator[float]:
        """Yields the share of the time that has passed, 0 to 1."""
        while (passed := time.monotonic() - self.began) + self.reserve < self.seconds:
            if self.report is not None:
                self.report(passed / self.seconds)
            yield passed / self.seconds


class _Pupil:
    """A learning copy of the generator and its optimiser."""

    def __init__(self, generator: WindowGenerator, distance: Likeness, new_classes: Sequence[int]) -> None:
        self.distance = distance
        table_rates = FOREIGN_RATES if new_classes else TABLE_RATES
        self.learner = copy.deepcopy(generator).requires_grad_(True)
        rates = {"": LEARNING_RATE, **table_rates}
        members: dict[str, list[Tensor]] = {part: [] for part in rates}
        for name, parameter in self.learner.named_parameters():
            members[next((part for part in table_rates if part in name), "")].append(parameter)
        if new_classes:
            tables = [table for part in table_rates for table in members[part] if table.requires_grad]
            for table in tables:
                table.register_hook(_rows_only(table, new_classes))  # type: ignore[no-untyped-call]
        groups = [{"params": own, "full": rates[part]} for part, own in members.items() if own]
        self.optimizer = torch.optim.Adam(groups, lr=LEARNING_RATE, betas=(0.5, 0.99))
        self.device = next(generator.parameters()).device

    def learn(self, windows: list[WindowArrays], decay: float) -> None:
        """Learns from a batch of windows, at this share of the full rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["full"] * decay
        torch.autograd.backward(self._loss(collate(windows).to(self.device)))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _loss(self, batch: EditBatch) -> Tensor:
        with _fast(self.device):
            drawing = self.learner(batch)
            made = paste(batch.image, drawing.image, batch.hole)
            unlike = self.distance(*crop_around_holes(CROP, batch.hole, made, batch.image)).mean()
        flat = RECONSTRUCTION * hole_l1(made, batch) + DRAWN * hole_l1(drawing.drawn, batch)
        return self.distance.weight * unlike + flat


def _rows_only(table: Tensor, rows: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """Returns a gradient hook that lets only some rows of a table learn."""
    mask = torch.zeros_like(table)
    mask[list(rows)] = 1
    return lambda gradient: gradient * mask


class _Test:
    """The held-out windows."""

    def __init__(self, windows: Sequence[WindowArrays], distance: Likeness, device: torch.device) -> None:
        self.batches = [collate(windows[i : i + BATCH]).to(device) for i in range(0, len(windows), BATCH)]
        self.distance, self.device = distance, device
        self.seconds = 0.0  # that the last look took

    @torch.no_grad()
    def distances(self, generator: WindowGenerator) -> np.ndarray:
        """Returns each window's distance to the truth, float64 (N,)."""
        began = time.monotonic()
        found = []
        with _fast(self.device):
            for batch in self.batches:
                made = paste(batch.image, generator(batch).image, batch.hole)
                found.append(self.distance(*crop_around_holes(CROP, batch.hole, made, batch.image)))
        self.seconds = time.monotonic() - began
        distances: np.ndarray = torch.cat(found).double().cpu().numpy()
        return distances


class _Best:
    """The best moment of the learner so far, by the held-out windows."""

    def __init__(self, learner: WindowGenerator, test: _Test) -> None:
        self.learner, self.test = learner, test
        self.distances: np.ndarray | None = None
        self.state: dict[str, Tensor] = {}
        self.looks = 0

    def look(self) -> None:
        """Keeps the learner's state if it does better (a NaN does not)."""
        self.looks += 1
        distances = self.test.distances(self.learner)
        if not np.isfinite(distances).all():
            return
        if self.distances is None or distances.mean() < self.distances.mean():
            self.state, self.distances = copy.deepcopy(self.learner.state_dict()), distances


def _fast(device: torch.device) -> torch.autocast:
    """Returns bfloat16 where it is fast; on a processor that does not multiply it natively it would be slower."""
    native = torch.ops.mkldnn._is_mkldnn_bf16_supported() and "AVX512" in torch.backends.cpu.get_cpu_capability()
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type != "cpu" or bool(native))
