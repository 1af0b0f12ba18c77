"""Our fit of one photo: the canvas copies, and a small network learns to go over what copying does badly.

Every iteration takes windows of lessons (`lessons.py`): parts of the photo that were hidden and filled by copying, whose
truth is known. The losses are SemIA's where they make sense here: reconstruction, perceptual, and an adversary, which
judges VGG features, so that it learns in hundreds of steps. Whether the network is used at all is decided by what is held
out: it has to beat the copy.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from scenebrush.canvas.analogy import Analogy
from scenebrush.errors import ModelError
from scenebrush.layers.discriminators.base import resting
from scenebrush.layers.discriminators.feature_heads import FeatureDiscriminator, settle_, touched_places
from scenebrush.losses.adversarial import hinge_discriminator, hinge_generator
from scenebrush.losses.likeness import DetailLikeness, VggLikeness, likeness
from scenebrush.methods.layout_arrays import class_indices
from scenebrush.methods.semia.compact_method import build_refiner, refined, settings_of
from scenebrush.methods.semia.config import SemiaConfig
from scenebrush.methods.semia.folder import save_model
from scenebrush.methods.semia.lessons import Lesson, Lessons
from scenebrush.methods.semia.source import Source

RECONSTRUCTION: Final = 3.0
ADVERSARIAL: Final = 0.5
ADVERSARY_FROM, ADVERSARY_FULL = 0.15, 0.35  # of the schedule
RATE, JUDGE_RATE = 3e-4, 3e-4
BETAS: Final = (0.5, 0.99)
BATCH: Final = 4
WINDOW: Final = 128
PER_LESSON: Final = 6  # iterations until a new lesson is made
MOST_LESSONS: Final = 48
AVERAGE: Final = 0.995
DECAY_FROM: Final = 0.5


class Windows(NamedTuple):
    """Squares of lessons, on the CPU: `photo`, `canvas` (B, 3, S, S) in [-1, 1], `hidden`, `cost` (B, 1, S, S),
    `classes` int64 (B, S, S)."""

    photo: Tensor
    canvas: Tensor
    hidden: Tensor
    cost: Tensor
    classes: Tensor


class CompactPupil:
    """A `Pupil`: canvas and refiner of one photo.

    Args:
        source: the photo.
        config: its sizes.
        seed: decides weights, lessons and windows.
    """

    total: int | None = None

    def __init__(self, source: Source, config: SemiaConfig, *, seed: int = 0) -> None:
        self.source, self.config, self.seed = source, config, seed
        label_set = source.layout.label_set
        self.num_classes = len(label_set.classes)
        self.classes = class_indices(source.layout.label_map, label_set)
        self.lessons = Lessons(source, settings_of(config), seed=seed)
        self.distance = likeness()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.refiner = build_refiner(config, self.num_classes)
            self.judge: FeatureDiscriminator | None = None
            if isinstance(self.distance, VggLikeness):
                self.judge = FeatureDiscriminator(self.num_classes + 1, first_level=1)
                settle_(self.judge)
        self.average = copy.deepcopy(self.refiner).eval().requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.refiner.parameters(), RATE, BETAS)
        self.judge_optimizer = None
        if self.judge is not None:
            self.judge_optimizer = torch.optim.Adam(self.judge.parameters(), JUDGE_RATE, BETAS)
        self._tests: list[Lesson] | None = None

    def iterate(self, iteration: int, share: float) -> Mapping[str, float]:
        """Learns from one batch of windows; see `Pupil`."""
        windows = self.windows(iteration)
        rate = min(1.0, (1 - share) / (1 - DECAY_FROM)) * min(1.0, (iteration + 1) / 50)
        losses, seen = self._learn(windows, rate, self._adversary(share))
        if seen is not None:
            losses |= self._judge(seen, rate)
        with torch.no_grad():
            keep = min(AVERAGE, (1 + iteration) / (10 + iteration))
            for mean, now in zip(self.average.parameters(), self.refiner.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)
        return losses

    def windows(self, iteration: int) -> Windows:
        """Returns the windows of an iteration."""
        rng = np.random.default_rng((self.seed, 2, iteration))
        most = min(MOST_LESSONS, 1 + iteration // PER_LESSON)
        lesson = self.lessons[int(rng.integers(most))] if iteration % PER_LESSON else self.lessons[most - 1]
        side = min(WINDOW, *(n // 8 * 8 for n in self.source.shape))
        parts = [_cut(self.source, self.classes, lesson, side, rng) for _ in range(BATCH)]
        return Windows(*(torch.stack(planes) for planes in zip(*parts, strict=True)))

    def _adversary(self, share: float) -> float:
        if self.judge is None or share < ADVERSARY_FROM:
            return 0.0
        return ADVERSARIAL * min(1.0, (share - ADVERSARY_FROM) / (ADVERSARY_FULL - ADVERSARY_FROM) + 1e-3)

    def _learn(self, windows: Windows, rate: float, adversarial: float) -> tuple[dict[str, float], _Seen | None]:
        for group in self.optimizer.param_groups:
            group["lr"] = RATE * rate
        self.refiner.train()
        with _fast():
            made = self.refiner(windows.canvas, windows.classes, windows.hidden, windows.cost)
            hidden = windows.hidden.sum().clamp(min=1)
            flat = ((made - windows.photo).abs() * windows.hidden).float().sum() / (3 * hidden)
            seen = None
            if isinstance(self.distance, VggLikeness):
                loss = self.distance.loss
                features, real = loss.vgg(made, loss.layers), loss.real_features(windows.photo)
                unlike = loss.distance(features, real)
                if self.judge is not None and adversarial:
                    semantics = nn.functional.one_hot(windows.classes.clamp(0, self.num_classes), self.num_classes + 1)
                    seen = _Seen([f.detach() for f in features], real, semantics.permute(0, 3, 1, 2).float(), windows.hidden)
                    with resting(self.judge):
                        logits = self.judge(features, seen.semantics)
                    touched = touched_places(windows.hidden, logits)
                    levels = [
                        share * hinge_generator([level], [here])
                        for share, level, here in zip(self.judge.shares, logits, touched, strict=True)
                    ]
                    fooled = torch.stack(levels).sum()
            else:
                unlike = self.distance(made, windows.photo).mean()
        total = RECONSTRUCTION * flat + self.distance.weight * unlike
        parts = {"loss": total, "reconstruction": flat, "perceptual": unlike}
        if seen is not None:
            total = total + adversarial * fooled
            parts |= {"loss": total, "adversarial": fooled}
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(total)
        nn.utils.clip_grad_norm_(self.refiner.parameters(), 10.0)
        self.optimizer.step()
        return {name: float(value.detach()) for name, value in parts.items()}, seen

    def _judge(self, seen: _Seen, rate: float) -> dict[str, float]:
        assert self.judge is not None and self.judge_optimizer is not None
        for group in self.judge_optimizer.param_groups:
            group["lr"] = JUDGE_RATE * rate
        with _fast():
            fake, real = self.judge(seen.fake, seen.semantics), self.judge(seen.real, seen.semantics)
        touched = touched_places(seen.hidden, fake)
        loss = hinge_discriminator(real, fake, touched=touched, untouched_patches="ignore")
        self.judge_optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss.total)
        self.judge_optimizer.step()
        return {"d_fake": float(loss.fake.detach()), "d_real": float(loss.real.detach())}

    def test(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the distances to the truth of what is held out, float64 (N,): of the copies, and gone over."""
        if self._tests is None:
            self._tests = self.lessons.held_out()
        before, after = [], []
        truth = _image(self.source.photo)
        for lesson in self._tests:
            made = refined(self.average, lesson.canvas, self.classes, lesson.hidden, lesson.cost)
            with torch.no_grad():
                for picture, found in ((lesson.canvas, before), (made, after)):
                    found.append(float(self.distance(_image(picture), truth)))
        return np.array(before), np.array(after)

    def picture(self) -> np.ndarray:
        """Returns a sheet of the held-out lessons: what is hidden, the copy, gone over, the truth."""
        if self._tests is None:
            self._tests = self.lessons.held_out()
        rows = []
        for lesson in self._tests:
            made = refined(self.average, lesson.canvas, self.classes, lesson.hidden, lesson.cost)
            shown = np.where(lesson.hidden[..., None], np.uint8(128), self.source.photo)
            rows.append(np.concatenate([shown, lesson.canvas, made, self.source.photo], 1))
        return np.concatenate(rows)

    def state_dict(self) -> dict[str, Tensor]:
        """Returns all that a fit goes on from, as plain tensors."""
        state = {f"refiner.{k}": v for k, v in self.refiner.state_dict().items()}
        state |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        state |= _optimizer_state("optimizer", self.optimizer)
        if self.judge is not None and self.judge_optimizer is not None:
            state |= {f"judge.{k}": v for k, v in self.judge.state_dict().items()}
            state |= _optimizer_state("judge_optimizer", self.judge_optimizer)
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes what `state_dict` returned."""
        for name in ("refiner", "average", "judge"):
            network = getattr(self, name)
            if network is not None:
                network.load_state_dict(_below(name, state))
        _load_optimizer("optimizer", self.optimizer, state)
        if self.judge_optimizer is not None:
            _load_optimizer("judge_optimizer", self.judge_optimizer, state)


class _Seen(NamedTuple):
    """What the learner's step leaves for the judge's."""

    fake: list[Tensor]
    real: list[Tensor]
    semantics: Tensor
    hidden: Tensor


def _cut(source: Source, classes: np.ndarray, lesson: Lesson, side: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
    """A square about a hidden pixel, perhaps mirrored, as planes (C, S, S) in the order of `Windows`."""
    places = np.argwhere(lesson.hidden)
    middle = places[rng.integers(len(places))]
    top, left = ((m - rng.integers(side // 4, side - side // 4)).clip(0, n - side) for m, n in zip(middle, source.shape, strict=True))
    flip = -1 if rng.random() < 0.5 else 1
    box = slice(int(top), int(top) + side), slice(int(left), int(left) + side)

    def plane(values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values[box][:, ::flip]))

    photo, canvas = (plane(p).permute(2, 0, 1).float() / 127.5 - 1 for p in (source.photo, lesson.canvas))
    return photo, canvas, plane(lesson.hidden)[None].float(), plane(lesson.cost)[None].float(), plane(classes)


def _image(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1


def _optimizer_state(name: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{name}.{index}.{key}": torch.as_tensor(value)
        for index, values in optimizer.state_dict()["state"].items()
        for key, value in values.items()
    }


def _load_optimizer(name: str, optimizer: torch.optim.Optimizer, state: Mapping[str, Tensor]) -> None:
    found: dict[int, dict[str, Tensor]] = {}
    for key, value in _below(name, state).items():
        index, part = key.split(".", 1)
        found.setdefault(int(index), {})[part] = value
    optimizer.load_state_dict({"state": found, "param_groups": optimizer.state_dict()["param_groups"]})


def _below(name: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}


def _fast() -> torch.autocast:
    """bfloat16 where the processor multiplies it natively."""
    native = torch.ops.mkldnn._is_mkldnn_bf16_supported() and "AVX512" in torch.backends.cpu.get_cpu_capability()
    return torch.autocast("cpu", torch.bfloat16, enabled=bool(native))
