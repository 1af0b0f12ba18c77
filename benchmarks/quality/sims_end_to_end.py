"""Does it help SIMS to be trained end to end, through a soft canvas? Equal budgets, from the same start.

    SCENEBRUSH_ASSETS=../shared/weights python benchmarks/quality/sims_end_to_end.py --data ../shared/data/camvid \
        --start out/sims/checkpoints/step-0006000

Arms, each with the same seconds of CPU time:

- apart: each network on its own loss, the synthesis network on spoilt photos, as the recipe has it;
- beside: the synthesis network on soft canvases, whose gradient ends there; the others on their own losses;
- together: the same, and its gradient goes on to transformation and ordering network (phase "together");
- reach: as together, without their own losses.

"no transformation" and "no ordering" are the start with that network untrained: what there is to win from it at all.
Together against beside is the question; apart against beside is what it is worth to learn from such canvases at all.
Measured on `val` and `test`, whose segments get donors from `train`. Prints the tables and writes <out>/report.json,
after every arm; what is there already is not run again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import tyro
from safetensors.torch import load_file
from torch import Tensor, nn

from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.evaluation.lpips import Lpips
from scenebrush.evaluation.statistics import paired_difference
from scenebrush.layers.semantics import one_hot_semantics
from scenebrush.methods.sims.affine import warp
from scenebrush.methods.sims.alignment import AlignmentBatch, alignment_batch, iou, predict
from scenebrush.methods.sims.networks import PARTS, SimsNetworks, build_networks
from scenebrush.methods.sims.order_pairs import order_pairs
from scenebrush.methods.sims.ordering import OrderingBatch, ordering_batch, ordering_loss
from scenebrush.methods.sims.soft_canvas import TogetherBatch, soft_canvas
from scenebrush.methods.sims.together import TogetherWeights, together_batch
from scenebrush.methods.sims.trainee import SimsTrainee
from scenebrush.methods.sims.training_canvas import DonorShapes
from scenebrush.scene.layout import Layout
from scenebrush.training.recipe import Recipe
from scenebrush.training.run import build_trainee

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "sims" / "street.yaml"
LOSSES = {"perceptual": 5.0, "reconstruction": 10.0, "semantic": 0.0}
ARMS: Mapping[str, dict[str, float] | None] = {
    "apart": None,
    "beside": {"own": 1.0, "reach": 0.0},
    "together": {"own": 1.0, "reach": 1.0},
    "reach": {"own": 0.0, "reach": 1.0},
}
UNTRAINED: Mapping[str, tuple[str, ...]] = {
    "start": (),
    "no transformation": ("transformation",),
    "no ordering": ("ordering",),
}
COMPARED = (
    ("together", "beside"),
    ("beside", "apart"),
    ("reach", "beside"),
    ("start", "no transformation"),
    ("start", "no ordering"),
)
_WARMUP = 0.05  # of the budget


@dataclass(frozen=True)
class Settings:
    """What is run.

    Args:
        data: a scene folder with train, val and test.
        start: a checkpoint or model folder of SIMS; None = from scratch.
        forget: transformation and ordering network start anew.
        recipe: whose configuration and optimiser are taken.
        arms: which (see above).
        seeds: how often each is trained.
        budget: seconds of CPU time for each.
        size: (width, height) of the pictures.
        batch: photos of a step.
        n: photos of val and of test that are measured, each.
        out: where report.json goes.
    """

    data: Path
    start: Path | None = None
    forget: bool = False
    recipe: Path = RECIPE
    arms: tuple[str, ...] = ("apart", "beside", "together")
    seeds: int = 3
    budget: float = 300.0
    size: tuple[int, int] = (128, 96)
    batch: int = 2
    n: int = 40
    out: Path = Path("out/sims_end_to_end")


class DonorsOfTrain(DonorShapes):
    """The segments of a split whose first `first` photos alone are donors."""

    def __init__(self, photos: SplitInMemory, least_area: float, first: int) -> None:
        super().__init__(photos, least_area)
        for class_id, places in self._places.items():
            kept = [index for index, donor in enumerate(places) if donor.photo < first]
            self._places[class_id] = [places[index] for index in kept]
            self._shapes[class_id] = self._shapes[class_id][kept]

    def best_of(self, rng: np.random.Generator, wanted: Any, count: int) -> Any:
        segment = self.segments[wanted.photo][wanted.segment]
        return super().best_of(rng, wanted, count) if self._places[segment.class_id] else None


class HeldOut(NamedTuple):
    """What is measured on: photos with donors, segments moved at random, pairs."""

    pictures: list[TogetherBatch]
    moved: list[AlignmentBatch]
    pairs: list[OrderingBatch]


def main(settings: Settings) -> None:
    """Trains and measures what is not there yet, and prints the tables."""
    torch.set_num_threads(1)
    settings.out.mkdir(parents=True, exist_ok=True)
    path = settings.out / "report.json"
    report: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {"runs": {}}
    report["settings"] = {name: str(value) for name, value in asdict(settings).items()}
    trainee, lpips = new_trainee(settings), Lpips.load("alex")
    held_out = held_out_of(settings, trainee)
    for seed in range(settings.seeds):
        for arm in (*UNTRAINED, *settings.arms):
            key = f"{arm}-{seed}"
            if key in report["runs"]:
                continue
            begin(trainee, settings, seed, UNTRAINED.get(arm, ()))
            steps = 0 if arm in UNTRAINED else train(trainee, settings, seed, ARMS[arm])
            report["runs"][key] = {"steps": steps, **measure(trainee.networks.eval(), held_out, lpips)}
            path.write_text(json.dumps(report), encoding="utf-8")
            print(key, steps, told(report["runs"][key]), flush=True)
    print(tables(report, settings))


def new_trainee(settings: Settings) -> SimsTrainee:
    """Returns data, networks and losses of all phases: `networks.PARTS`, then "together"."""
    data = Recipe.load(settings.recipe).model_dump()
    pictures = {"count": 1000000, "size": settings.size, "scales": (1.0, 3.75)}
    stages: list[dict[str, Any]] = [{"phase": part, "batch_size": 8} for part in PARTS[:2]]
    stages += [{"phase": p, "batch_size": settings.batch, "losses": LOSSES} for p in ("synthesis", "together")]
    data["stages"] = [{"name": s["phase"], "steps": 1, "pictures": pictures, **s} for s in stages]
    trainee = build_trainee(Recipe.parse(data, "end-to-end"), settings.data, None)
    assert isinstance(trainee, SimsTrainee) and trainee.shapes  # the segments are found now, not on somebody's time
    return trainee


def begin(trainee: SimsTrainee, settings: Settings, seed: int, untrained: tuple[str, ...] = ()) -> None:
    """Puts the networks where all arms start from, except those that are to be untrained."""
    torch.manual_seed(seed)
    weights = build_networks(trainee.config).state_dict()
    if settings.start is not None:
        fresh = tuple(f"{part}." for part in (PARTS[:2] if settings.forget else untrained))
        weights |= {key: value for key, value in weights_of(settings.start).items() if not key.startswith(fresh)}
    trainee.networks.load_state_dict(weights)


def weights_of(start: Path) -> dict[str, Tensor]:
    """Returns the averaged networks of a checkpoint, or those of a model folder."""
    if (start / "model.safetensors").is_file():
        return {key: value.float() for key, value in load_file(start / "model.safetensors").items()}
    state, prefix = load_file(start / "state.safetensors"), "module/averaged/"
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def train(trainee: SimsTrainee, settings: Settings, seed: int, losses: Mapping[str, float] | None) -> int:
    """Trains one arm for the budget and returns the number of steps; the rate rises, and falls to 0 at the end."""
    recipe = Recipe.load(settings.recipe)
    rate, networks = recipe.optimizer.generator, trainee.networks.train()
    parts = [getattr(networks, part) for part in PARTS]
    optimizer = torch.optim.Adam(networks.parameters(), rate, betas=tuple(recipe.optimizer.betas))  # type: ignore[arg-type]
    stages: tuple[int, ...] = (0, 1, 2)
    if losses is not None:
        stages, trainee.weights[3] = (3,), TogetherWeights(**LOSSES, **losses)  # type: ignore[index]
    rng, draws = torch.Generator().manual_seed(seed), np.random.default_rng((seed, 11))
    began, step = time.process_time(), 0
    while (spent := (time.process_time() - began) / settings.budget) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (spent + 0.002) / _WARMUP) * (1 - spent)
        for stage in stages:
            indices = draws.integers(1000000, size=8 if stage < 2 else settings.batch).tolist()
            batch = trainee.batch(stage, indices, rng)
            with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bf16-mixed"):
                loss, _, _ = trainee.generator_step(batch, stage, 1.0)
            loss.backward()
        for part in parts:
            nn.utils.clip_grad_norm_(part.parameters(), recipe.optimizer.clip or float("inf"))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
    return step


def held_out_of(settings: Settings, trainee: SimsTrainee) -> HeldOut:
    """Returns evenly spread photos of val and test."""
    splits = [SplitInMemory(settings.data, name) for name in ("val", "test")]
    ours = [s.photos[i] for s in splits for i in np.linspace(0, len(s) - 1, min(settings.n, len(s))).astype(int)]
    train_photos, config, label_set = trainee.streams[0].photos, trainee.config, trainee.label_set
    first = len(train_photos)
    shapes = DonorsOfTrain(SplitInMemory.of([*train_photos.photos, *ours], label_set), config.least_area, first)
    size, rng = (settings.size[1], settings.size[0]), np.random.default_rng(0)
    generator = torch.Generator().manual_seed(0)
    made = HeldOut([], [], [])
    rows, columns = config.working_size
    for index in range(first, first + len(ours)):
        photo, segments = shapes.photos[index], shapes.segments[index]
        made.pictures.append(together_batch(shapes, label_set, [index], rng, size=size, candidates=config.donors))
        layout = Layout(photo.label_map, label_set, photo.instance_map)
        chosen = [segments[int(i)] for i in rng.permutation(len(segments))[:6]]
        photos, layouts = [photo.photo] * len(chosen), [layout] * len(chosen)
        made.moved.append(alignment_batch(photos, layouts, chosen, generator, size=(2 * rows, 2 * columns)))
        pairs = order_pairs(layout, least_area=1, segments=segments)
        pairs = [pairs[int(i)] for i in rng.permutation(len(pairs))[:12]]
        if pairs:
            made.pairs.append(ordering_batch([layout] * len(pairs), pairs, size=config.working_size))
    return made


@torch.inference_mode()
def measure(networks: SimsNetworks, held_out: HeldOut, lpips: Lpips) -> dict[str, list[float]]:
    """Returns figures of each photo by name."""
    out: dict[str, list[float]] = {}

    def put(name: str, value: Tensor | float) -> None:
        out.setdefault(name, []).append(float(value))

    for moved in held_out.moved:
        _aligned(networks, moved.colour, moved.mask, moved.query_mask, moved.target, moved.label_map, put, "moved")
    for batch in held_out.pictures:
        used = batch.donors.classes[0] >= 0
        colour, mask, wanted = (x[0, used] for x in (batch.donors.colour, batch.donors.mask, batch.donors.wanted))
        target, labels = (x.expand(len(colour), *x.shape[1:]) for x in (batch.layouts.image, batch.labels))
        _aligned(networks, colour, mask, wanted, target, labels, put, "donor")
        for footprint in ("segment", "layout"):
            soft = soft_canvas(
                networks.transformation,
                networks.ordering,
                batch.donors,
                batch.labels,
                hard=True,
                within=footprint == "layout",
            )
            image = networks.finish(batch.labels, soft.canvas, soft.present).image.clamp(-1, 1)
            there = soft.present.expand_as(soft.canvas) > 0
            put(f"{footprint} canvas L1", (soft.canvas - batch.layouts.image)[there].abs().mean())
            put(f"{footprint} L1", (image - batch.layouts.image).abs().mean())
            put(f"{footprint} LPIPS", lpips(image, batch.layouts.image)[0])
    for pairs in held_out.pairs:
        loss, figures = ordering_loss(networks.ordering, pairs)
        put("order right", figures["right"])
        put("order loss", loss)
    return out


def _aligned(
    networks: SimsNetworks,
    colour: Tensor,
    mask: Tensor,
    wanted: Tensor,
    target: Tensor,
    labels: Tensor,
    put: Any,
    name: str,
) -> None:
    """Puts IoU and the paper's L_T per segment: by the network, by moments alone, and as the segments were."""
    layout = one_hot_semantics(labels, networks.transformation.num_classes)
    affine, fitted = predict(networks.transformation, colour, mask, wanted, layout)
    for kind, one in (("", affine), (" by moments", fitted)):
        overlap = iou(warp(mask, one) > 0.5, wanted > 0.5)
        put(f"{name} IoU{kind}", overlap.mean())
        difference = (warp((colour + 1) * mask, one) - (target + 1) * wanted).abs().mean(1)
        put(f"{name} L1{kind}", difference.sum() / (wanted.sum() + 1))
    put(f"{name} IoU as it was", iou(mask > 0.5, wanted > 0.5).mean())


def told(run: Mapping[str, Any]) -> dict[str, float]:
    """Returns the means of a run's figures."""
    return {name: round(float(np.mean(values)), 4) for name, values in run.items() if name != "steps"}


def tables(report: Mapping[str, Any], settings: Settings) -> str:
    """Returns means over photos and seeds, and differences paired by photo.

    Their 95 % intervals are over photos alone: with few seeds they say nothing of how training varies.
    """
    runs = report["runs"]
    names = [name for name in next(iter(runs.values())) if name != "steps"]
    arms = [arm for arm in (*UNTRAINED, *settings.arms) if f"{arm}-0" in runs]
    lines = ["| figure | " + " | ".join(arms) + " |", "|---" * (len(arms) + 1) + "|"]
    steps = [np.mean([runs[key]["steps"] for key in keys(runs, arm)]) for arm in arms]
    lines.append("| steps | " + " | ".join(f"{s:.0f}" for s in steps) + " |")
    for name in names:
        cells = []
        for arm in arms:
            each = [float(np.mean(runs[key][name])) for key in keys(runs, arm)]
            cells.append(f"{np.mean(each):.4f}" + (f" ± {np.std(each, ddof=1):.4f}" if len(each) > 1 else ""))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for one, other in COMPARED:
        if one in arms and other in arms:
            lines += ["", f"{one} against {other}, paired by photo, seeds averaged; then of each seed:", ""]
            lines += [difference(runs, name, one, other) for name in names if "moments" not in name]
    return "\n".join(lines)


def keys(runs: Mapping[str, Any], arm: str) -> list[str]:
    """Returns the runs of an arm."""
    return [key for key in runs if key.rsplit("-", 1)[0] == arm]


def difference(runs: Mapping[str, Any], name: str, one: str, other: str) -> str:
    """Returns a line with the mean difference of a figure and its interval."""
    seeds = [key.rsplit("-", 1)[1] for key in keys(runs, one) if f"{other}-{key.rsplit('-', 1)[1]}" in runs]
    ours, theirs = (np.array([runs[f"{arm}-{seed}"][name] for seed in seeds]) for arm in (one, other))
    gap = paired_difference(ours.mean(0), theirs.mean(0), np.random.default_rng(0))
    each = " ".join(f"{d:+.4f}" for d in (ours - theirs).mean(1))
    return f"- {name}: {gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]{' *' if gap.significant else ''} ({each})"


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
