"""Time of one iteration of SemIA as the paper has it, step by step, at 256x168, one core.

    python benchmarks/speed/semia_iteration.py [--runs 3] [--threads 1] [--size 256 168] [--out semia.json]

An iteration in sample mode is 2 discriminator steps and 10 generator steps, one in reconstruction mode a step of the
classifier more. Steps are timed one by one, interleaved, so that other load meets all alike; medians are printed. VGG's
weights are random here, which takes as long.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import tyro
from timing import Timing, interleaved, machine, street
from torch import Tensor

from scenebrush.errors import ScenebrushError
from scenebrush.layers.vgg import VGG, layer_indices
from scenebrush.methods.semia.config import SemiaConfig
from scenebrush.methods.semia.paper_fit import PaperPupil
from scenebrush.methods.semia.source import Source
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

VARIANTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "as in the paper": {},
    "channels_last": {"channels_last": True},
    "bf16": {"bf16": True},
    "bf16, channels_last": {"bf16": True, "channels_last": True},
    "bf16, remember_real": {"bf16": True, "remember_real": True},
    "bf16, remember_real, half size": {"bf16": True, "remember_real": True, "half_until": 1.0},
}
STEPS: Final = ("generator, sample", "generator, reconstruction", "discriminator", "classifier")
GENERATOR_STEPS: Final = 10
ITERATIONS: Final = 2500


@dataclass(frozen=True)
class Settings:
    """What is timed.

    Args:
        runs: runs of each step.
        threads: torch's CPU threads.
        size: width and height of the photo.
        out: a JSON file to write, or None.
    """

    runs: int = 3
    threads: int = 1
    size: tuple[int, int] = (256, 168)
    out: Path | None = None


def main(settings: Settings) -> None:
    """Times and prints."""
    torch.set_num_threads(settings.threads)
    photo, label_map = street(*settings.size)
    source = Source(photo, Layout(label_map, LabelSet.load("camvid")))
    jobs: dict[str, Callable[[], object]] = {}
    for name, options in VARIANTS.items():
        pupil = PaperPupil(source, SemiaConfig(kind="paper"), vgg=random_vgg(), generator_steps=1, **options)
        jobs |= {f"{name}/{step}": job for step, job in steps(pupil).items()}
    report(interleaved(jobs, settings.runs), settings)


def steps(pupil: PaperPupil) -> dict[str, Callable[[], object]]:
    """Returns the steps of an iteration half way through the schedule."""
    turns = [pupil._turn(iteration, 0.5, np.random.default_rng(1)) for iteration in (1, 0)]
    draws = torch.Generator().manual_seed(0)
    jobs: list[Callable[[], object]] = [
        lambda: pupil._generator_steps(turns[0], draws),
        lambda: pupil._generator_steps(turns[1], draws),
        lambda: pupil._discriminator_step(turns[0], draws),
        lambda: pupil._auxiliary_step(turns[1].target, draws),
    ]
    return dict(zip(STEPS, jobs, strict=True))


def random_vgg() -> VGG:
    """Returns a VGG16 whose layers up to relu2_1 are random; the others are never run."""
    shapes = {"relu1_1": (64, 3), "relu1_2": (64, 64), "relu2_1": (128, 64)}
    generator = torch.Generator().manual_seed(0)
    tensors: dict[str, Tensor] = {}
    for layer, index in layer_indices("vgg16").items():
        out, into = shapes.get(layer, (1, 1))
        tensors[f"features.{index}.weight"] = torch.randn(out, into, 3, 3, generator=generator) / 10
        tensors[f"features.{index}.bias"] = torch.zeros(out)
    return VGG(tensors, "vgg16")


def report(times: Mapping[str, Timing], settings: Settings) -> None:
    """Prints the table of CPU seconds, writes the JSON."""
    width, height = settings.size
    print(f"{width}x{height}, {settings.threads} threads, CPU seconds, median of {settings.runs} runs")
    print(f"{machine()}, torch {torch.__version__}\n")
    print(f"| | {' | '.join(f'{step} step' for step in STEPS)} | iteration, sample | reconstruction | {ITERATIONS} |")
    print("|" + "---|" * (len(STEPS) + 4))
    for name in VARIANTS:
        cpu = [times[f"{name}/{step}"].median_cpu for step in STEPS]
        sample = GENERATOR_STEPS * cpu[0] + 2 * cpu[2]
        again = GENERATOR_STEPS * cpu[1] + 2 * cpu[2] + cpu[3]
        hours = ITERATIONS * (0.8 * sample + 0.2 * again) / 3600
        cells = [*(f"{seconds:.2f}" for seconds in cpu), f"{sample:.1f}", f"{again:.1f}", f"{hours:.1f} h"]
        print(f"| {name} | {' | '.join(cells)} |")
    if settings.out:
        document = {"machine": machine(), "runs": {name: vars(t) for name, t in times.items()}}
        settings.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main(tyro.cli(Settings, description=__doc__))
    except ScenebrushError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
