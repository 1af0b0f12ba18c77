"""What `--adapt` is worth: the same holes of the same photos before and after learning from the photo.

    SCENEBRUSH_ASSETS=../shared/weights python benchmarks/quality/adapt.py --data ../shared/data/camvid --photos 20 \
        --seconds 30 --model sesame-street --out out/adapt

Per photo, boxes over objects ("add") and over background ("erase") are test holes. The photo that the model learns from
shows the canvas there, never the truth. Prints one line a photo and the mean with its paired interval; writes
<out>/adapt.json and a sheet of holes, results before, after, and truth.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from PIL import Image

from scenebrush.canvas import fill
from scenebrush.data.measuring import measuring_windows
from scenebrush.data.split_in_memory import LabelledPhoto, SplitInMemory
from scenebrush.data.windows import Window
from scenebrush.evaluation.edit_cases import edit_case, render
from scenebrush.evaluation.lpips import Lpips, lpips
from scenebrush.evaluation.statistics import paired_difference
from scenebrush.methods import load_model
from scenebrush.methods.base import Adaptable
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


@dataclass(frozen=True)
class Settings:
    """`photos` of a split, spread evenly; `holes` of each task in each of them; `seconds` of learning per photo."""

    data: Path
    split: str = "test"
    photos: int = 20
    holes: int = 3
    seconds: float = 30.0
    model: str = "sesame-street"
    size: int = 128
    seed: int = 0
    threads: int = 2
    out: Path = Path("out/adapt")


def main(settings: Settings) -> None:
    """Measures, prints, writes."""
    torch.set_num_threads(settings.threads)
    everything = SplitInMemory(settings.data, settings.split)
    chosen = np.linspace(0, len(everything) - 1, settings.photos).round().astype(int)
    model, network = load_model(settings.model), Lpips.load("alex")
    if not isinstance(model, Adaptable):
        raise SystemExit(f"model {settings.model!r} cannot adapt")
    rows, before, after, groups, sheets = [], [], [], [], []
    for index in chosen:
        photo = everything.photos[index]
        windows = test_windows(photo, everything, settings)
        cases = [edit_case(window, everything.label_set) for window in windows]
        first = render(model, cases)
        result = model.adapt(learned_from(photo, windows, everything), seconds=settings.seconds, seed=settings.seed)
        second = render(result.model, cases)
        truth = np.stack([case.truth for case in cases])
        a, b = lpips(first.pictures, truth, network), lpips(second.pictures, truth, network)
        rows.append({"photo": photo.stem, "lpips_before": float(a.mean()), "lpips_after": float(b.mean())})
        rows[-1] |= {"held_out_before": result.before, "held_out_after": result.after, "kept": result.kept}
        print(
            f"{photo.stem}: LPIPS {a.mean():.4f} -> {b.mean():.4f}; held-out error {result.before:.3f} ->"
            f" {result.after:.3f}; {'kept' if result.kept else 'not kept'}",
            flush=True,
        )
        before.extend(a)
        after.extend(b)
        groups.extend([photo.stem] * len(cases))
        sheets.append(np.hstack([cases[0].scene.photo, first.pictures[0], second.pictures[0], truth[0]]))
    report(rows, before, after, groups, settings)
    Image.fromarray(np.vstack(sheets)).save(settings.out / "adapt.png")


def test_windows(photo: LabelledPhoto, everything: SplitInMemory, settings: Settings) -> list[Window]:
    """Returns the test holes of one photo; where it has no object, background holes only."""
    alone = SplitInMemory.of([photo], everything.label_set)
    windows: list[Window] = []
    for task in ("add", "erase"):
        try:
            windows += measuring_windows(alone, settings.split, task, settings.holes, settings.seed, settings.size)
        except Exception as error:  # noqa: BLE001 - a photo without a fitting object is no failure of the benchmark
            print(f"{photo.stem}: no {task} holes ({error})")
    return windows


def learned_from(photo: LabelledPhoto, windows: Sequence[Window], everything: SplitInMemory) -> Scene:
    """Returns the photo's scene with the canvas in place of the truth in all test holes."""
    hidden = np.zeros(photo.label_map.shape, bool)
    for window in windows:
        x0, y0, x1, y1 = window.box
        hidden[y0:y1, x0:x1] |= window.hole[:, ::-1] if window.flipped else window.hole
    layout = Layout(photo.label_map, everything.label_set, photo.instance_map)
    return Scene(fill(photo.photo, layout, replace(layout), hidden).photo, layout)


def report(
    rows: list[dict[str, object]], before: list[float], after: list[float], groups: list[str], settings: Settings
) -> None:
    """Prints the means and writes the JSON."""
    rng = np.random.default_rng(settings.seed)
    difference = paired_difference(np.array(after), np.array(before), rng, groups=groups)
    kept = sum(bool(row["kept"]) for row in rows)
    print(f"{len(rows)} photos, {len(before)} holes, {settings.seconds:g} s each: kept {kept} of {len(rows)}")
    print(f"LPIPS {np.mean(before):.4f} -> {np.mean(after):.4f}; difference {difference}")
    settings.out.mkdir(parents=True, exist_ok=True)
    facts = {"settings": {k: str(v) for k, v in vars(settings).items()}, "photos": rows, "difference": str(difference)}
    (settings.out / "adapt.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Settings))
