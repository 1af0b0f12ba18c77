"""Our fit of one photo: the canvas copies, and a small network learns to go over what copying does badly.

Every iteration takes windows of lessons (`lessons.py`): parts of the photo that were hidden and filled by copying,
whose truth is known. The losses are SemIA's where they make sense here: reconstruction, perceptual, and an adversary,
which judges VGG features, so that it learns in hundreds of steps. Whether the network is used at all is decided by what
is held out: it has to beat the copy.
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

from scenebrush.layers.discriminators.base import resting
from scenebrush.layers.discriminators.feature_heads import FeatureDiscriminator, touched_places
from scenebrush.layers.spectral_norm import settle_
from scenebrush.losses.adversarial import hinge_discriminator, hinge_generator
from scenebrush.losses.likeness import VggLikeness, likeness
from scenebrush.methods.layout_arrays import class_indices
from scenebrush.methods.semia.compact_method import PROFILES, build_refiner, refined
from scenebrush.methods.semia.config import SemiaConfig
from scenebrush.methods.semia.folder import save_model
from scenebrush.methods.semia.lessons import Lesson, Lessons, hole_distances
from scenebrush.methods.semia.optimizer_state import below, fill_optimizer, optimizer_tensors
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
TRIED_ON: Final = 2  # lessons that a way of copying is tried on
SURE: Final = 2.0


class Verdict(NamedTuple):
    """Whether the network helps: mean distances of the held-out holes to the truth, copied and gone over.

    `margin` is how much nearer they had to come: `SURE` standard errors of the gain over the `holes`.
    """

    refiner_helps: bool
    copied: float
    gone_over: float
    margin: float
    holes: int


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
        self.profile, self.profile_distances = 0, list[list[float]]()
        self.lessons = Lessons(source, PROFILES[0], seed=seed)
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
        """Tries a way of copying, or, once one is chosen, learns from one batch of windows; see `Pupil`."""
        if iteration < len(PROFILES):
            return self._try_profile(iteration)
        iteration -= len(PROFILES)
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
                    seen = _Seen(
                        [f.detach() for f in features], real, semantics.permute(0, 3, 1, 2).float(), windows.hidden
                    )
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

    def verdict(self) -> Verdict:
        """Returns what the network is good for, by what is held out."""
        before, after = self._distances()
        gains = before - after
        margin = SURE * float(gains.std(ddof=1)) / math.sqrt(len(gains)) if len(gains) > 1 else math.inf
        helps = bool(np.isfinite(after).all() and gains.mean() > margin)
        return Verdict(helps, float(before.mean()), float(after.mean()), margin, len(gains))

    def _distances(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the distance of each held-out hole to the truth, float64 (N,): of the copy, and gone over."""
        before, after = [], []
        for lesson in self.tests:
            made = self._gone_over(lesson)
            before.append(hole_distances(self.distance, lesson, lesson.canvas, self.source.photo))
            after.append(hole_distances(self.distance, lesson, made, self.source.photo))
        return np.concatenate(before), np.concatenate(after)

    @property
    def tests(self) -> list[Lesson]:
        """The lessons that are held out, as the canvas fills them now."""
        if self._tests is None:
            self._tests = self.lessons.held_out()
        return self._tests

    def _gone_over(self, lesson: Lesson) -> np.ndarray:
        return refined(self.average, lesson.canvas, self.classes, lesson.hidden, lesson.cost)

    def _choose(self, profile: int) -> None:
        """Lets the canvas copy by one of the profiles from now on."""
        if profile != self.profile:
            self.profile = profile
            self.lessons = Lessons(self.source, PROFILES[profile], seed=self.seed)
            self._tests = None

    def _try_profile(self, number: int) -> dict[str, float]:
        """Measures a way of copying on a few lessons; after the last one the best is chosen."""
        found = [
            hole_distances(self.distance, lesson, lesson.canvas, self.source.photo)
            for lesson in (self.lessons.render(self.lessons.hidden(k), PROFILES[number]) for k in range(TRIED_ON))
        ]
        self.profile_distances.append(np.concatenate(found).tolist())
        if number == len(PROFILES) - 1:
            distances = np.array(self.profile_distances)
            gains = distances[0] - distances  # (profiles, holes)
            margins = gains.std(1) / math.sqrt(gains.shape[1])
            best = int(gains.mean(1).argmax())
            self._choose(best if gains[best].mean() > margins[best] else 0)
        return {"loss": float(np.mean(self.profile_distances[-1]))}

    def picture(self) -> np.ndarray:
        """Returns a sheet of the held-out lessons: what is hidden, the copy, gone over, the truth."""
        rows = []
        for lesson in self.tests:
            made = self._gone_over(lesson)
            shown = np.where(lesson.hidden[..., None], np.uint8(128), self.source.photo)
            rows.append(np.concatenate([shown, lesson.canvas, made, self.source.photo], 1))
        return np.concatenate(rows)

    def state_dict(self) -> dict[str, Tensor]:
        """Returns all that a fit goes on from, as plain tensors."""
        state = {"profile": torch.tensor(self.profile), "profile_distances": torch.tensor(self.profile_distances)}
        for name, network in self._networks().items():
            state |= {f"{name}/{key}": value for key, value in network.state_dict().items()}
        for name, optimizer in self._optimizers().items():
            state |= {f"optimizer/{name}/{key}": value for key, value in optimizer_tensors(optimizer).items()}
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes what `state_dict` returned; `RuntimeError` or `ValueError` for what does not fit."""
        for name, network in self._networks().items():
            network.load_state_dict(below(state, f"{name}/"))
        for name, optimizer in self._optimizers().items():
            fill_optimizer(optimizer, below(state, f"optimizer/{name}/"))
        self.profile_distances = state["profile_distances"].tolist()
        self._choose(int(state["profile"]))

    def export(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Writes the model folder; the network is used later only where it beats the copy on what is held out."""
        verdict = self.verdict()
        training = {**facts, **verdict._asdict(), "copying": self.profile, "perceptual_network": self.distance.name}
        state = self.average.state_dict()
        save_model(folder, self.config, self.source, state, training, card(self.source, verdict))

    def _networks(self) -> dict[str, nn.Module]:
        networks: dict[str, nn.Module] = {"refiner": self.refiner, "average": self.average}
        return networks if self.judge is None else {**networks, "judge": self.judge}

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        if self.judge_optimizer is None:
            return {"refiner": self.optimizer}
        return {"refiner": self.optimizer, "judge": self.judge_optimizer}


class _Seen(NamedTuple):
    """What the learner's step leaves for the judge's."""

    fake: list[Tensor]
    real: list[Tensor]
    semantics: Tensor
    hidden: Tensor


def _cut(
    source: Source, classes: np.ndarray, lesson: Lesson, side: int, rng: np.random.Generator
) -> tuple[Tensor, ...]:
    """A square about a hidden pixel, perhaps mirrored, as planes (C, S, S) in the order of `Windows`."""
    places = np.argwhere(lesson.hidden)
    middle = places[rng.integers(len(places))]
    top, left = (
        (m - rng.integers(side // 4, side - side // 4)).clip(0, n - side)
        for m, n in zip(middle, source.shape, strict=True)
    )
    flip = -1 if rng.random() < 0.5 else 1
    box = slice(int(top), int(top) + side), slice(int(left), int(left) + side)

    def plane(values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values[box][:, ::flip]))

    photo, canvas = (plane(p).permute(2, 0, 1).float() / 127.5 - 1 for p in (source.photo, lesson.canvas))
    return photo, canvas, plane(lesson.hidden)[None].float(), plane(lesson.cost)[None].float(), plane(classes)


def _image(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1


def _fast() -> torch.autocast:
    """bfloat16 where the processor multiplies it natively."""
    native = torch.ops.mkldnn._is_mkldnn_bf16_supported() and "AVX512" in torch.backends.cpu.get_cpu_capability()
    return torch.autocast("cpu", torch.bfloat16, enabled=bool(native))


def card(source: Source, verdict: Verdict) -> str:
    """Returns the model card of a fit."""
    height, width = source.shape
    used = "goes over what does not fit" if verdict.refiner_helps else "is not used: it did not beat the copy"
    return f"""# One photo, learned by scenebrush fit

Draws one photo of {width}x{height} pixels in other layouts, made of its own pixels; a small network {used}.

- Held out: {verdict.holes} holes in the photo. Their mean distance to the truth: {verdict.copied:.4f} copied,
  {verdict.gone_over:.4f} gone over (to be used, the network had to gain {verdict.margin:.4f}).
- Data and licence: the photo, `photo.png`, and its label map. What is drawn has the photo's licence.
- Limits: what the photo does not show cannot be drawn.
"""
