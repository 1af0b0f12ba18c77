"""`--adapt`: the model learns from the very photo that is about to be edited.

Random holes in the photo have a known truth. Reconstruction and, where its network is at hand, perceptual loss;
no adversary (it was unstable on one photo: facts/two_cores). Some places of the photo are held out: they are never
a target, and only if the model draws them better afterwards is the result kept.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from scenebrush.errors import InputError, ModelError
from scenebrush.losses.perceptual import PerceptualLoss
from scenebrush.methods.sesame.inputs import WindowArrays, collate
from scenebrush.methods.sesame.lessons import Lessons
from scenebrush.methods.sesame.networks import WindowGenerator
from scenebrush.methods.sesame.objective import LossWeights, Objective
from scenebrush.scene.scene import Scene

WEIGHTS = LossWeights(adversarial=0, feature_matching=0, perceptual=8.0, reconstruction=3.0, drawn=0.5, crop=96)
LEARNING_RATE = 1e-4
BATCH = 4
TESTS = 4  # moments at which the held-out windows are looked at; the best is kept, since long learning overfits
LEAST_GAIN = 0.01  # of the held-out error: less is noise


@dataclass(frozen=True)
class Adapted:
    """The adapted generator, the held-out error (weighted losses) before and after, and the steps learned."""

    generator: WindowGenerator
    before: float
    after: float
    steps: int

    @property
    def better(self) -> bool:
        """Whether the held-out holes are drawn better than before, by more than noise."""
        return self.after < self.before * (1 - LEAST_GAIN)


def adapt(
    generator: WindowGenerator,
    scene: Scene,
    *,
    seconds: float,
    seed: int = 0,
    report: Callable[[float], None] | None = None,
) -> Adapted:
    """Returns a copy of `generator` trained for `seconds` on holes of this scene's photo, preparation included.

    The scene's classes are the generator's, in their order (`SesameEditor.with_label_set`). `report` is told the
    share of the time that has passed, 0 to 1. How many steps there are depends on the machine, so two calls differ.

    Raises:
        InputError: no time to learn in.
        ModelError: a photo that is too small.
    """
    if not seconds > 0:
        raise InputError(f"adapt: seconds is {seconds:g}; expected more than 0")
    clock = _Clock(seconds, report)
    lessons = Lessons(scene, guided=generator.config.guided, seed=seed)
    tutor = _Tutor(generator, lessons.held_out)
    best = _Best(generator, tutor)
    before = best.error
    clock.reserve = best.seconds  # the last look at the held-out windows
    steps = 0
    for share in clock.shares():
        tutor.step(lessons.batch(BATCH), rate=LEARNING_RATE * min(1.0, 2 * (1 - share)))
        steps += 1
        if share >= best.looks / TESTS:
            best.look(tutor.learner, tutor)
    if steps:
        best.look(tutor.learner, tutor)
    if report is not None:
        report(1.0)
    tutor.learner.load_state_dict(best.state)
    return Adapted(tutor.learner.eval().requires_grad_(False), before, best.error, steps)


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


class _Tutor:
    """A learning copy of the generator, its optimiser and its losses."""

    def __init__(self, generator: WindowGenerator, held_out: list[WindowArrays]) -> None:
        self.held_out = held_out
        self.perceptual = _perceptual()
        self.weights = WEIGHTS if self.perceptual is not None else replace(WEIGHTS, perceptual=0.0)
        self.learner = copy.deepcopy(generator).requires_grad_(True)
        self.optimizer = torch.optim.Adam(self.learner.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.99))
        self.device = next(generator.parameters()).device

    def step(self, windows: list[WindowArrays], rate: float) -> None:
        """Learns from a batch of windows."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        torch.autograd.backward(self._loss(self.learner, windows))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def error(self, generator: WindowGenerator) -> float:
        """Returns the mean loss on the held-out windows."""
        with torch.no_grad():
            losses = [float(self._loss(generator, [window])) for window in self.held_out]
        return sum(losses) / len(losses)

    def _loss(self, generator: WindowGenerator, windows: list[WindowArrays]) -> torch.Tensor:
        objective = Objective(
            generator, None, judge=None, num_classes=generator.config.num_classes, perceptual=self.perceptual
        )
        fast = self.device.type != "cpu" or _fast_bfloat16()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=fast):
            return objective.generator_step(collate(windows).to(self.device), self.weights)[0]


class _Best:
    """The best state so far by the held-out error; the generator as it was is the first."""

    def __init__(self, generator: WindowGenerator, tutor: _Tutor) -> None:
        began = time.monotonic()
        self.error = tutor.error(generator)
        self.seconds = time.monotonic() - began
        self.state = copy.deepcopy(generator.state_dict())
        self.looks = 1

    def look(self, learner: WindowGenerator, tutor: _Tutor) -> None:
        """Keeps the learner's state if it does better (a NaN does not)."""
        self.looks += 1
        error = tutor.error(learner)
        if error < self.error:
            self.state, self.error = copy.deepcopy(learner.state_dict()), error


def _perceptual() -> PerceptualLoss | None:
    try:
        return PerceptualLoss.from_assets()
    except ModelError:  # a plain installation has no VGG; reconstruction alone still mends tint and tone
        return None


def _fast_bfloat16() -> bool:
    """Returns whether this processor multiplies bfloat16 natively; elsewhere it would be slower than float32."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and "AVX512" in torch.backends.cpu.get_cpu_capability()
