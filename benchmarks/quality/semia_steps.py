"""What makes the paper's way of learning one photo faster, and what its alignment loss is worth.

    SCENEBRUSH_ASSETS=../shared/weights python benchmarks/quality/semia_steps.py --seconds 240 --out out/semia-steps

Each variant learns the same photo for the same time on one core; the schedule (augmentation, rates) is squeezed into
it.
`scenebrush compare --task analogy` then makes the table: the photo in its own layout, and in three others.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import tyro

from scenebrush.methods.semia.config import SemiaConfig
from scenebrush.methods.semia.paper_fit import PaperPupil
from scenebrush.methods.semia.source import Source
from scenebrush.scene import Scene
from scenebrush.training.fitting import fit

STEPS: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "bf16": {"bf16": True},
    "remember": {"bf16": True, "remember_real": True},
    "three-steps": {"bf16": True, "remember_real": True, "generator_steps": 3},
    "half-first": {"bf16": True, "remember_real": True, "generator_steps": 3, "half_until": 0.5},
    "average": {"bf16": True, "remember_real": True, "generator_steps": 3, "average": 0.98},
    "guided": {"bf16": True, "remember_real": True, "generator_steps": 3, "guided": True},
    "released-alignment": {"bf16": True, "remember_real": True, "generator_steps": 3, "as_released": True},
}
"""Name -> keywords of `PaperPupil`, and `as_released` for the alignment loss without gradient."""


@dataclass
class Arguments:
    """What is learned, and for how long."""

    out: Path
    """The folder of the results."""
    seconds: float = 240.0
    """For every variant."""
    size: int = 96
    """The photo's longer side."""
    photo: str = "china"
    """One of `examples/analogy`."""
    variants: list[str] = field(default_factory=lambda: list(STEPS))
    """Which of the variants."""


def main(arguments: Arguments) -> None:
    """Learns and compares."""
    torch.set_num_threads(1)
    data, one = arguments.out / "data", arguments.out / f"data-{arguments.photo}"
    if not data.is_dir():
        subprocess.run([sys.executable, "examples/analogy/make.py", str(data)], check=True)
        keep_one(data, one, arguments.photo)
    photo = next((one / "test" / "images").iterdir())
    scene = Scene.open(photo, one / "test" / "labels" / f"{photo.stem}.png", one / "classes.json")
    source = Source(scene.photo, scene.layout).at_most(arguments.size)
    for name in arguments.variants:
        folder = arguments.out / name / photo.stem
        if folder.is_dir():
            continue
        keywords = dict(STEPS[name])
        config = SemiaConfig(kind="paper", alignment_as_released=keywords.pop("as_released", False))
        began = time.monotonic()
        outcome = fit(PaperPupil(source, config, **keywords), folder, seconds=arguments.seconds, picture_every=120)
        print(f"{name}: {outcome.progress.iteration} iterations in {time.monotonic() - began:.0f} s", flush=True)
    models = [f"{name}={arguments.out / name}" for name in arguments.variants] + ["unchanged"]
    where = ["--data", str(one), "--task", "analogy", "--size", str(arguments.size), "-o", str(arguments.out / "table")]
    subprocess.run([sys.executable, "-m", "scenebrush", "compare", *models, *where], check=True)


def keep_one(data: Path, out: Path, stem: str) -> None:
    """Copies the scene folder with one photo only."""
    shutil.copytree(data, out)
    for path in out.glob("test/*/*"):
        if path.stem != stem and not path.stem.startswith(f"{stem}-"):
            path.unlink()


if __name__ == "__main__":
    main(tyro.cli(Arguments))
