"""What each of SEIGAN's losses is worth: the recipe, and the recipe without one thing after the other.

    SCENEBRUSH_ASSETS=../shared/weights python benchmarks/quality/seigan_ablation.py --steps 300 \\
        --data ../shared/data/coco_things --out runs/seigan-ablation

Phase "shapes" is trained once; every variant goes on from there, with the same seed, for --steps steps more, shared
out among the recipe's other stages as the recipe does. A variant without what that phase learns from has a start of its
own (no-background), or none, and its steps are given to the rest (no-filling). Discriminators learn in all variants. A
variant that leaves out what counts for nothing in the recipe is skipped.

Prints mask IoU on `val` and `test` (± half of a 95 % bootstrap interval over photos, and the paired difference to the
full recipe, * where its interval leaves out 0), the share of the box, and KID x 1000 of pastes before and after
enhancement (`seigan_realism.py`); writes it to <out>/report.json. What was trained or measured is not done again, a run
that was cut off goes on.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import tyro
from safetensors.torch import load_file, save_file
from seigan_masks import BOX, Case, cases_of, evidence, ious, masks_of, model, shares, the_box, told
from seigan_realism import Composer, Figure
from seigan_realism import told as told_gap
from seigan_supervised import RECIPE, config_of

from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.evaluation.statistics import Difference, bootstrap_interval, paired_difference
from scenebrush.methods.seigan.folder import load_networks
from scenebrush.methods.seigan.objective import LossWeights
from scenebrush.methods.seigan.trainee import SeiganTrainee
from scenebrush.training.checkpoint import list_checkpoints
from scenebrush.training.recipe import Recipe
from scenebrush.training.run import build_trainee, run_recipe

SPLITS = ("val", "test")
EVIDENCE = "canvas: evidence"
_TOLD_EVERY = 50  # steps
_SEGMENTER = ("module/generator/swap.segmenter.", "module/averaged/swap.segmenter.")


@dataclass(frozen=True)
class Variant:
    """What a variant changes of the recipe.

    Args:
        off: losses that count nothing.
        only: the losses that are left; None = all but `off`.
        more: losses that get a weight.
        evidence: False: the segmenter is not told what the photo itself tells of the box.
        own_start: phase "shapes" is trained anew, for it has one of these losses too.
    """

    off: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    more: Mapping[str, float] = field(default_factory=dict)
    evidence: bool = True
    own_start: bool = False


_TO_EVIDENCE = ("share", "evidence")  # losses that hold the masks near those that the evidence gives
_AREA = {"area": 20.0}  # the guard of masks that have no evidence to be held to; without any they soon are empty
VARIANTS: Mapping[str, Variant] = {
    "full": Variant(),
    "no-background": Variant(off=("background",), own_start=True),
    "no-texture": Variant(off=("texture",)),
    "no-reconstruction": Variant(off=("reconstruction",)),
    "no-object": Variant(off=("object",)),
    "no-pasted": Variant(off=("pasted",)),
    "no-identity": Variant(off=("identity",)),
    "no-filling": Variant(off=("filling",)),
    "no-guards": Variant(off=("area", *_TO_EVIDENCE)),
    "cut-and-paste": Variant(only=("pasted", "area", *_TO_EVIDENCE)),
    "no-evidence": Variant(off=_TO_EVIDENCE, more=_AREA, evidence=False),
    "cut-and-paste-bare": Variant(only=("pasted",), more=_AREA, evidence=False),
}
"""`cut-and-paste` learns from D_obj on pastes alone: no enhancement, inpainting or cycle. `bare`: without evidence too.

Where there is no evidence, `area` guards the masks instead.
"""


@dataclass(frozen=True)
class Settings:
    """What is run.

    Args:
        data: a scene folder with instance maps.
        out: runs and report.
        recipe: a phase "shapes" and others.
        set: settings of the recipe that are changed, as in `scenebrush train --set`.
        only: names of single variants; all by default.
        steps: of each variant after phase "shapes"; None = as many as the recipe has.
        repeats: backgrounds an object is pasted onto for KID; 0 = KID is left out.
        threads: CPU threads.
    """

    data: Path
    out: Path
    recipe: Path = RECIPE
    set: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    steps: int | None = None
    repeats: int = 2
    threads: int = 1


@dataclass(frozen=True)
class Measured:
    """A variant on both splits; lists, for it is kept as JSON.

    Args:
        ious: IoU of each object, by split.
        shares: mean share of the box, by split.
        pasted: KID x 1000 of z on `test`: of all photos, then of random halves.
        enhanced: the same of y^.
    """

    ious: dict[str, list[float]]
    shares: dict[str, float]
    pasted: list[float] = field(default_factory=list)
    enhanced: list[float] = field(default_factory=list)


def scaled(recipe: Recipe, steps: int | None) -> Recipe:
    """Returns the recipe with so many steps after phase "shapes", shared out as they are."""
    later = [stage for stage in recipe.stages if stage.phase != "shapes"]
    whole = sum(stage.steps for stage in later)
    steps, done, begun = steps or whole, 0, 0
    stages = []
    for stage in recipe.stages:
        if stage.phase != "shapes":
            done += stage.steps
            end = round(done * steps / whole)
            stage = stage.model_copy(update={"steps": max(1, end - begun)})
            begun = end
        stages.append(stage)
    return recipe.model_copy(update={"stages": stages})


def with_variant(recipe: Recipe, variant: Variant) -> Recipe | None:
    """Returns the recipe as a variant has it; None where that changes nothing."""
    data = recipe.model_dump()
    names = [f.name for f in fields(LossWeights) if f.name != "adversary"]
    keep = set(names if variant.only is None else variant.only) - set(variant.off)
    changed = bool(recipe.config.get("evidence", False)) and not variant.evidence
    for stage in data["stages"]:
        if stage["phase"] == "shapes" and not variant.own_start:
            continue
        before = LossWeights(**stage["losses"])
        gone = [name for name in names if name not in keep and getattr(before, name)]
        changed |= bool(gone)
        stage["losses"] |= {**dict.fromkeys(gone, 0.0), **variant.more}
    if not changed and variant != VARIANTS["full"]:
        return None
    if not variant.evidence:
        data["config"]["evidence"] = False
    if "filling" not in keep and variant.only is None:
        shapes = [stage for stage in data["stages"] if stage["phase"] == "shapes"]
        data["stages"] = [stage for stage in data["stages"] if stage["phase"] != "shapes"]
        data["stages"][0]["steps"] += sum(stage["steps"] for stage in shapes)
    return Recipe.parse(data, "variant")


def start_of(recipe: Recipe) -> Recipe | None:
    """Returns the recipe's phase "shapes" alone; None where it has none.

    Its learning rate stays where it is: when it falls depends on how many steps the variants have.
    """
    stages = [stage for stage in recipe.stages if stage.phase == "shapes"]
    if not stages:
        return None
    optimizer = recipe.optimizer.model_copy(update={"decay_from": 1.0})
    return recipe.model_copy(update={"stages": stages, "optimizer": optimizer})


def begin(recipe: Recipe, data: Path, start: Path, run: Path) -> None:
    """Puts the last checkpoint of a start into a run that has none yet.

    A segmenter rests in phase "shapes", so one of another shape begins as it would have begun.
    """
    if list_checkpoints(run / "checkpoints"):
        return
    checkpoint = list_checkpoints(start / "checkpoints")[-1]
    tensors = load_file(checkpoint / "state.safetensors")
    trainee = build_trainee(recipe, data, None)
    assert isinstance(trainee, SeiganTrainee)
    own = trainee.networks.segmenter.state_dict()
    for prefix in _SEGMENTER:
        tensors = {key: value for key, value in tensors.items() if not key.startswith(prefix)}
        tensors |= {prefix + key: value.contiguous().clone() for key, value in own.items()}
    beside = run / "checkpoints" / ".writing-start"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    save_file(tensors, beside / "state.safetensors")
    shutil.copy(checkpoint / "facts.json", beside)
    beside.rename(run / "checkpoints" / checkpoint.name)


def trained(recipe: Recipe, data: Path, run: Path) -> Path:
    """Trains what is left of a run; returns its model folder."""
    if not (run / "model" / "config.json").is_file():

        def report(step: int, total: int, losses: Mapping[str, float]) -> None:
            if step % _TOLD_EVERY == 0 or step == total:
                area = f", mask area {losses['mask_area']:.2f}" if "mask_area" in losses else ""
                print(f"{run.name}: step {step} of {total}, loss {losses['loss']:.3f}{area}", flush=True)

        began = time.monotonic()
        run_recipe(recipe, data, run, resume=True, report=report)
        print(f"{run.name}: {time.monotonic() - began:.0f} s", flush=True)
    return run / "model"


def measured(folder: Path, cases: Mapping[str, list[Case]], composer: Composer | None) -> Measured:
    """Returns the figures of a model folder; they are kept beside it."""
    kept = folder.parent / "measured.json"
    if kept.is_file():
        return Measured(**json.loads(kept.read_text(encoding="utf-8")))
    networks = load_networks(folder)[0]
    masks = {split: masks_of(some, model(networks)) for split, some in cases.items()}
    kids = () if composer is None else [composer.kids(made).tolist() for made in composer.composed(networks)]
    found = figures(masks, cases, *kids)
    kept.write_text(json.dumps(asdict(found)), encoding="utf-8")
    return found


def figures(masks: Mapping[str, np.ndarray], cases: Mapping[str, list[Case]], *kids: list[float]) -> Measured:
    """Returns the figures of masks (N, S, S) by split."""
    values = {split: ious(some, cases[split]).tolist() for split, some in masks.items()}
    return Measured(values, {split: shares(some, cases[split]) for split, some in masks.items()}, *kids)


def told_table(rows: Mapping[str, Measured], photos: Mapping[str, list[str]]) -> dict[str, Any]:
    """Prints the table; returns it as plain data."""
    print("\n| variant | IoU val | IoU test | to full, val | to full, test | share | KID z | KID y^ | y^ to z |")
    print("|---|---|---|---|---|---|---|---|---|")
    report: dict[str, Any] = {}
    for name, row in rows.items():
        iou = {s: bootstrap_interval(row.ious[s], np.random.default_rng(0), groups=photos[s]) for s in SPLITS}
        gaps = {s: difference(row, rows.get("full"), s, photos[s]) for s in SPLITS}
        z, y1 = np.array(row.pasted), np.array(row.enhanced)
        kid = [Figure.of(z), Figure.of(y1), Figure.of(y1 - z)] if len(z) else []
        cells = [f"{iou[s].mean:.3f} ±{iou[s].half_width:.3f}" for s in SPLITS]
        cells += [told(gap) if (gap := gaps[s]) else "-" for s in SPLITS]
        cells += [f"{row.shares['test']:.2f}", *([str(kid[0]), str(kid[1]), told_gap(kid[2])] if kid else "---")]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
        report[name] = {
            "iou": {s: asdict(iou[s]) for s in SPLITS},
            "to_full": {s: asdict(gap) for s in SPLITS if (gap := gaps[s])},
            "share": row.shares,
            "kid": {key: asdict(one) for key, one in zip(("pasted", "enhanced", "gap"), kid, strict=False)},
        }
    return report


def difference(row: Measured, full: Measured | None, split: str, photos: list[str]) -> Difference | None:
    """Returns the paired difference of IoU to the full recipe; None where it is that, or that was not run."""
    if full is None or row is full:
        return None
    return paired_difference(row.ious[split], full.ious[split], np.random.default_rng(0), groups=photos)


def main(settings: Settings) -> None:
    """Trains and measures what is not yet there, and prints the table."""
    torch.set_num_threads(settings.threads)
    recipe = scaled(Recipe.load(settings.recipe, list(settings.set)), settings.steps)
    rows: dict[str, Measured] = {}
    config = config_of(recipe)
    splits = {split: SplitInMemory(settings.data, split) for split in SPLITS}
    cases = {split: cases_of(some, config) for split, some in splits.items()}
    composer = Composer(splits["test"], config, settings.repeats) if settings.repeats else None
    for name, cutter in ((BOX, the_box), (EVIDENCE, evidence)):
        rows[name] = figures({split: masks_of(some, cutter) for split, some in cases.items()}, cases)
    for name in settings.only or VARIANTS:
        own = with_variant(recipe, VARIANTS[name])
        if own is None:
            print(f"{name}: not in this recipe", flush=True)
            continue
        run, start = settings.out / name, settings.out / f"start-{name if VARIANTS[name].own_start else 'full'}"
        first = start_of(own)
        if first is not None:
            if not VARIANTS[name].evidence:
                first = cast(Recipe, start_of(recipe))
            trained(first, settings.data, start)
            begin(own, settings.data, start, run)
        rows[name] = measured(trained(own, settings.data, run), cases, composer)
    photos = {split: [case.measured.crop.stem for case in some] for split, some in cases.items()}
    report = told_table(rows, photos)
    (settings.out / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
