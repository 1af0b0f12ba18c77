"""`--adapt`: the model learns from the very photo that is about to be edited.

Random holes in the photo have a known truth. Reconstruction and, where its network is at hand, perceptual loss;
no adversary (it was unstable on one photo: facts/two_cores). Some places of the photo are held out: they are never
a target, and only if the model draws them better afterwards is the result kept.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from scenebrush.data.split_in_memory import LabelledPhoto, SplitInMemory, connected_objects
from scenebrush.data.windows import TrainingWindows, Window
from scenebrush.errors import ModelError
from scenebrush.losses.perceptual import PerceptualLoss
from scenebrush.methods.sesame.dataset import window_arrays
from scenebrush.methods.sesame.inputs import WindowArrays, collate
from scenebrush.methods.sesame.networks import WindowGenerator
from scenebrush.methods.sesame.objective import LossWeights, Objective
from scenebrush.scene.scene import Scene

WEIGHTS = LossWeights(
    adversarial=0, feature_matching=0, perceptual=8.0, reconstruction=3.0, drawn=0.5, crop=96
)
LEARNING_RATE = 1e-4
BATCH = 4
HELD_OUT = 16  # windows
LEAST_GAIN = 0.01  # of the held-out error: less is noise


@dataclass(frozen=True)
class Adapted:
    """The adapted generator and the held-out error (weighted losses) of the generator before and after."""

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
    """Returns a copy of `generator` trained for `seconds` on holes of this scene's photo.

    The scene's classes are the generator's, in their order (`SesameEditor.with_label_set`). `report` is told the
    share of the time that has passed, 0 to 1.
    """
    started = time.monotonic()
    windows = _windows(scene, seed)
    held_out, kept_free = _held_out(windows, scene)
    perceptual = _perceptual()
    weights = WEIGHTS if perceptual is not None else replace(WEIGHTS, perceptual=0.0)
    adapted = copy.deepcopy(generator).requires_grad_(True)
    guided = generator.config.guided
    test = [window_arrays(w, scene.layout.label_set, guided=guided) for w in held_out]
    before = _error(generator, test, weights, perceptual)
    optimizer = torch.optim.Adam(adapted.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.99))
    objective = _objective(adapted, perceptual)
    best, best_error, steps, index = copy.deepcopy(adapted.state_dict()), before, 0, 10_000
    next_test = 0.25  # of the time; the best of four moments is kept, since long learning on one photo overfits
    while (share := (time.monotonic() - started) / seconds) < 1:
        batch = []
        while len(batch) < BATCH:
            window = _without(windows[index], kept_free)
            index += 1
            if window is not None:
                batch.append(window_arrays(window, scene.layout.label_set, guided=guided))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, 2 * (1 - share))
        with torch.autocast("cpu", torch.bfloat16, enabled=_fast_bfloat16()):
            loss, _, _ = objective.generator_step(collate(batch), weights)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        steps += 1
        if share >= next_test:
            next_test += 0.25
            best, best_error = _better_of(adapted, test, weights, perceptual, best, best_error)
        if report is not None:
            report(min(share, 1.0))
    best, best_error = _better_of(adapted, test, weights, perceptual, best, best_error)
    adapted.load_state_dict(best)
    return Adapted(adapted.eval().requires_grad_(False), before, best_error, steps)


def _windows(scene: Scene, seed: int) -> TrainingWindows:
    layout = scene.layout
    instances = layout.instance_map if layout.instance_map is not None else connected_objects(layout.label_map, layout.label_set)
    photo = LabelledPhoto("photo", scene.photo, np.asarray(layout.label_map), np.asarray(instances))
    shorter = min(layout.shape)
    size = min(128, shorter - shorter % 16)
    if size < 32:
        raise ModelError(f"a photo of {layout.shape[1]}x{layout.shape[0]} is too small to adapt to; it needs 32 pixels a side")
    kinds = {"strokes": 0.2, "background_box": 0.4, "silhouette": 0.2, "box": 0.2}
    return TrainingWindows(
        SplitInMemory.of([photo], layout.label_set),
        size=size,
        scales=(0.8, 1.3),
        kinds=kinds,
        class_weights={},
        color_jitter=0.0,
        seed=seed,
    )


def _held_out(windows: TrainingWindows, scene: Scene) -> tuple[list[Window], np.ndarray]:
    """Returns windows to test on, and bool (H, W): the photo's pixels that must never be a target in training."""
    chosen, covered = [], np.zeros(scene.layout.shape, bool)
    for index in range(HELD_OUT):
        window = windows[index]
        place = _in_photo(window.hole, window, scene.layout.shape)
        if (covered | place).mean() > 0.25:  # leave enough of the photo to learn from
            continue
        covered |= place
        chosen.append(window)
    return chosen, covered


def _in_photo(mask: np.ndarray, window: Window, shape: tuple[int, int]) -> np.ndarray:
    """Returns the window's mask at its place in the photo."""
    x0, y0, x1, y1 = window.box
    mask = mask[:, ::-1] if window.flipped else mask
    rows = (np.arange(y1 - y0) * mask.shape[0] // (y1 - y0))[:, None]
    columns = np.arange(x1 - x0) * mask.shape[1] // (x1 - x0)
    placed = np.zeros(shape, bool)
    placed[y0:y1, x0:x1] = mask[rows, columns]
    return placed


def _without(window: Window, kept_free: np.ndarray) -> Window | None:
    """Returns the window with the held-out pixels taken out of its hole; None where too little is left."""
    x0, y0, x1, y1 = window.box
    size = window.hole.shape[0]
    rows = y0 + ((np.arange(size) + 0.5) * (y1 - y0) / size).astype(int)
    columns = x0 + ((np.arange(size) + 0.5) * (x1 - x0) / size).astype(int)
    free = ~kept_free[rows[:, None], columns]
    hole = window.hole & (free[:, ::-1] if window.flipped else free)
    return replace(window, hole=hole) if hole.mean() > 0.005 else None


def _perceptual() -> PerceptualLoss | None:
    try:
        return PerceptualLoss.from_assets()
    except ModelError:  # a plain installation has no VGG; reconstruction alone still mends tint and tone
        return None


def _objective(generator: WindowGenerator, perceptual: PerceptualLoss | None) -> Objective:
    return Objective(generator, None, judge=None, num_classes=generator.config.num_classes, perceptual=perceptual)


def _better_of(
    generator: WindowGenerator,
    test: list[WindowArrays],
    weights: LossWeights,
    perceptual: PerceptualLoss | None,
    best: dict[str, torch.Tensor],
    best_error: float,
) -> tuple[dict[str, torch.Tensor], float]:
    error = _error(generator, test, weights, perceptual)
    return (copy.deepcopy(generator.state_dict()), error) if error < best_error else (best, best_error)


def _error(
    generator: WindowGenerator, test: list[WindowArrays], weights: LossWeights, perceptual: PerceptualLoss | None
) -> float:
    objective = _objective(generator, perceptual)
    total = 0.0
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=_fast_bfloat16()):
        for window in test:
            total += float(objective.generator_step(collate([window]), weights)[0])
    return total / max(len(test), 1)


def _fast_bfloat16() -> bool:
    """Returns whether this processor multiplies bfloat16 natively; elsewhere it would be slower than float32."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and "AVX512" in torch.backends.cpu.get_cpu_capability()
