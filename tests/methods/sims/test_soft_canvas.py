"""The soft canvas: compositing by hand and against painting, gradients to all three networks, phase "together"."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.data.toy import write_toy_folder
from scenebrush.errors import InputError, RecipeError
from scenebrush.layers.semantics import one_hot_semantics
from scenebrush.methods.sims.affine import warp
from scenebrush.methods.sims.alignment import TransformationNetwork, iou, predict
from scenebrush.methods.sims.config import SimsConfig
from scenebrush.methods.sims.networks import PARTS, SimsNetworks, Together, build_networks
from scenebrush.methods.sims.ordering import OrderingNetwork, pair_input
from scenebrush.methods.sims.segments import Segment, segments_of
from scenebrush.methods.sims.soft_canvas import (
    Donors,
    TogetherBatch,
    composite,
    order_softly,
    pair_view,
    scaled_gradient,
    soft_canvas,
)
from scenebrush.methods.sims.together import together_batch
from scenebrush.methods.sims.trainee import SimsTrainee
from scenebrush.methods.sims.training_canvas import DonorShapes
from scenebrush.scene.layout import Layout
from scenebrush.training.recipe import Recipe
from scenebrush.training.run import build_trainee, run_recipe

CONFIG: dict[str, Any] = {
    "network": "compact",
    "width": 6,
    "body_width": 2,
    "working_rows": 32,
    "least_area": 0.002,
    "donors": 10,
}
SIZE = (48, 64)


@pytest.fixture(scope="module")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_folder(tmp_path_factory.mktemp("toy"), 5, "train", size=(128, 96), seed=5)


@pytest.fixture(scope="module")
def split(toy_data: Path) -> SplitInMemory:
    return SplitInMemory(toy_data, "train")


@pytest.fixture(scope="module")
def batch(split: SplitInMemory) -> TogetherBatch:
    rng = np.random.default_rng(3)
    shapes = DonorShapes(split, 0.002)
    return together_batch(shapes, split.label_set, [0, 1, 2], rng, size=SIZE, candidates=10, count=8)


@pytest.fixture
def networks(split: SplitInMemory) -> SimsNetworks:
    torch.manual_seed(0)
    made = build_networks(SimsConfig(**CONFIG, num_classes=len(split.label_set.classes)))
    with torch.no_grad():  # not the identity: it starts where gradients into the body are zero
        made.transformation.affine.weight.normal_(0, 0.01)
    return made.eval()


def row(*values: float) -> Tensor:
    """A picture of one row of grey, (1, 1, 1, 1, W)."""
    return torch.tensor(values).view(1, 1, 1, 1, -1)


def order(*rows: list[float]) -> Tensor:
    return torch.tensor(rows)[None]


def test_two_segments_by_hand() -> None:
    """Colours 1 and -0.5; masks 1, 1, .5, 0, 0 and 0, 1, .5, .25, 0; the first is in front with p = .8.

    Pixel 1: weights 1 * (1 - 1 * .2) = .8 and 1 * (1 - 1 * .8) = .2: colour .8 - .1 = .7. Pixel 2: .5 * (1 - .5 * .2)
    = .45 and .5 * (1 - .5 * .8) = .3, together .75 = 1 - .5 * .5: colour (.45 - .15) / .75 = .4.
    """
    masks = torch.cat([row(1, 1, 0.5, 0, 0), row(0, 1, 0.5, 0.25, 0)], 1)
    colours = masks.expand(-1, -1, 3, -1, -1) * torch.tensor([1, -0.5]).view(1, 2, 1, 1, 1)
    canvas, present = composite(colours, masks, order([0, 0.8], [0.2, 0]))
    assert torch.allclose(present[0, 0, 0], torch.tensor([1, 1, 0.75, 0.25, 0]))
    expected = torch.tensor([1, 0.7, 0.4, -0.5, -1])
    assert torch.allclose(canvas[0, :, 0], expected.expand(3, -1), atol=1e-4)
    assert torch.allclose((canvas * present)[0, 0, 0, 2], torch.tensor(0.45 * 1 + 0.3 * -0.5), atol=1e-4)


def test_the_gradient_says_which_should_be_in_front() -> None:
    """The photo shows the second segment where both lie: the loss falls as it comes to the front."""
    masks = torch.cat([row(1, 1, 0), row(0, 1, 1)], 1)
    colours = masks.expand(-1, -1, 3, -1, -1) * torch.tensor([1, -0.5]).view(1, 2, 1, 1, 1)
    logit = torch.zeros((), requires_grad=True)
    p = torch.sigmoid(logit)
    canvas, _ = composite(colours, masks, torch.stack([torch.stack([p * 0, p]), torch.stack([1 - p, p * 0])])[None])
    (canvas - torch.tensor([1, -0.5, -0.5])).abs().mean().backward()
    assert logit.grad is not None
    # d|1.5 p| / 3 pixels * dp/dlogit = 1.5 / 3 * .25
    assert float(logit.grad) == pytest.approx(0.125, rel=1e-3)


@pytest.mark.parametrize("front_to_back", list(itertools.permutations(range(3))))
def test_certain_order_and_hard_masks_are_painting(front_to_back: tuple[int, ...]) -> None:
    rng = torch.Generator().manual_seed(1)
    masks = (torch.rand(1, 3, 1, 6, 9, generator=rng) > 0.4).float()
    colours = (torch.rand(1, 3, 3, 6, 9, generator=rng) * 2 - 1) * masks
    depth = {segment: place for place, segment in enumerate(front_to_back)}
    in_front = torch.tensor([[[float(depth[i] < depth[j]) for j in range(3)] for i in range(3)]])
    painted = torch.full((3, 6, 9), -1.0)
    for segment in reversed(front_to_back):
        painted = torch.where(masks[0, segment] > 0, colours[0, segment], painted)
    canvas, present = composite(colours, masks, in_front)
    assert torch.allclose(canvas[0], painted, atol=1e-4)
    assert torch.equal(present[0], masks[0].amax(0))


def test_a_circle_of_certain_orders_is_a_mean_not_a_hole() -> None:
    masks = torch.ones(1, 3, 1, 1, 1)
    colours = torch.tensor([0.9, 0.0, -0.3]).view(1, 3, 1, 1, 1).expand(-1, -1, 3, -1, -1)
    canvas, present = composite(colours, masks, order([0, 1, 0], [0, 0, 1], [1, 0, 0]))
    assert torch.allclose(canvas, torch.full_like(canvas, 0.2), atol=1e-3) and float(present) == 1


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(InputError, match=r"order \(1, 3, 3\) do not fit; give"):
        composite(torch.zeros(1, 2, 3, 4, 4), torch.zeros(1, 2, 1, 4, 4), torch.zeros(1, 3, 3))


def test_scaled_gradient() -> None:
    for scale in (0.0, 0.5, 1.0):
        x = torch.tensor([2.0], requires_grad=True)
        y = scaled_gradient(x, scale)
        assert torch.equal(y.detach(), x.detach())
        (3 * y + 0 * x).sum().backward()
        assert x.grad is not None and float(x.grad) == 3 * scale


@pytest.mark.parametrize("window", [None, 1.25])
def test_pairs_look_as_in_training(split: SplitInMemory, window: float | None) -> None:
    photo = split.photos[0]
    layout = Layout(photo.label_map, split.label_set, photo.instance_map)
    first, second, *_ = segments_of(layout, least_area=20)
    grown = np.zeros(layout.shape, bool)
    grown[20:70, 30:80] = True  # as if moved: it overlaps others
    second = Segment(second.class_id, (30, 20, 80, 70), grown[20:70, 30:80])
    wanted = pair_input(layout, first, second, (32, 64), window)
    picture = torch.from_numpy(split.label_set.colors(layout.label_map)).permute(2, 0, 1)
    both = torch.from_numpy(np.stack([one.whole_mask(layout.shape) for one in (first, second)]))
    colors = [split.label_set.by_id[one.class_id].color for one in (first, second)]
    made = pair_view(picture, both, torch.tensor(colors, dtype=torch.uint8), (32, 64), window)
    assert torch.equal(made, wanted)


def test_donors_come_from_other_photos(split: SplitInMemory, batch: TogetherBatch) -> None:
    donors = batch.donors
    assert donors.colour.shape == (3, 8, 3, *SIZE) and donors.mask.shape == donors.wanted.shape == (3, 8, 1, *SIZE)
    assert (donors.colour[(donors.mask == 0).expand_as(donors.colour)] == 0).all()
    used = donors.classes >= 0
    assert used.sum() >= 9 and used[:, 0].all()
    sizes = donors.wanted.sum((2, 3, 4))
    assert (sizes[used] > 0).all() and (sizes[~used] == 0).all()
    for b, k in used.nonzero().tolist():
        there = donors.wanted[b, k, 0] > 0
        assert (batch.layouts.label_map[b][there] == donors.classes[b, k]).all()
        own = batch.layouts.image[b][:, donors.mask[b, k, 0] > 0]
        assert not torch.allclose(own, donors.colour[b, k][:, donors.mask[b, k, 0] > 0], atol=0.02)
    assert sizes[0, 0] == sizes[0].max()


def test_flips_mirror_everything(split: SplitInMemory) -> None:
    shapes = DonorShapes(split, 0.002)
    plain, mirrored = (
        together_batch(
            shapes, split.label_set, [0] * 8, np.random.default_rng(0), size=SIZE, candidates=4, count=1, flip=flip
        )
        for flip in (False, True)
    )
    turned = [b for b in range(8) if not torch.equal(plain.layouts.image[b], mirrored.layouts.image[b])]
    assert 0 < len(turned) < 8
    for b in turned:
        for one, other in (
            (plain.layouts.image, mirrored.layouts.image),
            (plain.labels, mirrored.labels),
            (plain.donors.colour, mirrored.donors.colour),
            (plain.donors.mask, mirrored.donors.mask),
            (plain.donors.wanted, mirrored.donors.wanted),
            (plain.donors.picture, mirrored.donors.picture),
        ):
            assert torch.equal(one[b].flip(-1), other[b])


def test_gradients_reach_all_three(networks: SimsNetworks, batch: TogetherBatch) -> None:
    made = networks(batch)
    assert isinstance(made, Together)
    (made.finished.image - batch.layouts.image).abs().mean().backward()
    for part in PARTS:
        gradients = [p.grad for p in getattr(networks, part).parameters()]
        assert all(g is not None and torch.isfinite(g).all() for g in gradients), part
        reached = sum(bool(g.abs().sum() > 0) for g in gradients if g is not None)
        assert reached > 0.9 * len(gradients), part


def test_without_reach_it_ends_at_the_canvas(networks: SimsNetworks, batch: TogetherBatch) -> None:
    made, open_one = networks(batch, 0.0), networks(batch)
    assert torch.equal(made.finished.image, open_one.finished.image)
    made.finished.image.mean().backward()
    assert all(p.grad is None for part in PARTS[:2] for p in getattr(networks, part).parameters())
    assert any(p.grad is not None for p in networks.synthesis.parameters())


def test_a_step_against_the_gradient_moves_a_segment_to_its_place(split: SplitInMemory) -> None:
    """One segment, moved by two pixels: the canvas's L1 alone brings it back."""
    image = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    image = torch.nn.functional.avg_pool2d(image, 9, 1, 4) * 4 - 2
    mask = torch.zeros(1, 1, 1, *SIZE)
    mask[..., 12:36, 16:48] = 1
    moved = (image.roll(2, -1)[:, None] * mask.roll(2, -1)).clamp(-1, 1)
    torch.manual_seed(0)
    transformation = TransformationNetwork(13, width=2, working_size=(32, 64), fit_first=False)
    ordering = OrderingNetwork(13, width=2, working_size=(32, 64)).eval()
    classes, shades = torch.zeros(1, 1, dtype=torch.long), torch.zeros(1, 1, 3, dtype=torch.uint8)
    donors = Donors(moved, mask.roll(2, -1), mask, classes, shades, torch.zeros(1, 3, *SIZE, dtype=torch.uint8))
    labels = torch.zeros(1, *SIZE, dtype=torch.long)
    optimizer = torch.optim.Adam(transformation.parameters(), 2e-3)
    losses = []
    for _ in range(60):
        soft = soft_canvas(transformation, ordering, donors, labels)
        loss = ((soft.canvas - image.clamp(-1, 1)) * mask[:, 0]).abs().sum() / mask.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.4 * losses[0]


def test_of_one_class_the_lower_place_is_in_front(networks: SimsNetworks, batch: TogetherBatch) -> None:
    donors = batch.donors
    masks = torch.ones_like(donors.mask)
    same = donors._replace(classes=torch.zeros_like(donors.classes))
    in_front = order_softly(networks.ordering, same, masks)
    rows = torch.arange(SIZE[0])[:, None]
    lowest = (donors.wanted[:, :, 0] * rows).amax((2, 3))
    off = ~torch.eye(8, dtype=torch.bool)
    assert torch.equal(in_front + in_front.mT, off.float().expand(3, -1, -1))
    assert (in_front > 0)[lowest[:, :, None] > lowest[:, None]].all()


def test_orders_add_up_and_follow_the_logits(networks: SimsNetworks, batch: TogetherBatch) -> None:
    soft = soft_canvas(networks.transformation, networks.ordering, batch.donors, batch.labels)
    off = ~torch.eye(8, dtype=torch.bool)
    assert torch.allclose((soft.in_front + soft.in_front.mT)[:, off], torch.ones(3, 56))
    asked = (soft.in_front > 0) & (soft.in_front < 1)
    assert asked.any() and torch.equal(asked, asked.mT)
    with torch.no_grad():  # all logits for class 0 high: whatever is of it comes to the front
        networks.ordering.logits.bias[int(batch.donors.classes[0, 0])] += 50
    again = order_softly(networks.ordering, batch.donors, soft.masks)
    assert (again[0, 0][asked[0, 0]] > 0.99).all() and asked[0, 0].any()


def test_hard_canvases_decide_and_do_no_harm(networks: SimsNetworks, batch: TogetherBatch) -> None:
    with torch.no_grad():
        networks.transformation.affine.bias.add_(torch.tensor([0.0, 0, 40, 0, 0, 40]))  # a network gone wild
        soft = soft_canvas(networks.transformation, networks.ordering, batch.donors, batch.labels, hard=True)
        layout = one_hot_semantics(batch.labels, 13).repeat_interleave(8, 0)
        flat = [x.flatten(0, 1) for x in (batch.donors.colour, batch.donors.mask, batch.donors.wanted)]
        _, fitted = predict(networks.transformation, *flat, layout)
    for planes in (soft.masks, soft.present, soft.in_front):
        assert set(planes.unique().tolist()) <= {0.0, 1.0}
    wanted = flat[2] > 0.5
    overlap = iou(soft.masks.flatten(0, 1) > 0.5, wanted)
    assert (overlap >= iou(flat[1] > 0.5, wanted) - 1e-6).all()
    assert (overlap >= iou(warp(flat[1], fitted) > 0.5, wanted) - 1e-6).all()


def test_within_their_places_order_decides_nothing(networks: SimsNetworks, batch: TogetherBatch) -> None:
    made = []
    with torch.no_grad():
        for _ in range(2):
            made.append(
                soft_canvas(
                    networks.transformation, networks.ordering, batch.donors, batch.labels, hard=True, within=True
                )
            )
            networks.ordering.logits.weight.neg_()
            networks.ordering.logits.bias.neg_()
    assert torch.equal(made[0].canvas, made[1].canvas)
    assert not (made[0].masks * (1 - batch.donors.wanted)).any()


def recipe(**losses: float) -> dict[str, Any]:
    stage = {"name": "s", "steps": 3, "batch_size": 2, "phase": "together"}
    stage |= {"pictures": {"count": 8, "size": [64, 48]}, "losses": {"perceptual": 0, "semantic": 0, **losses}}
    return {
        "name": "tiny",
        "method": "sims",
        "label_set": "camvid",
        "config": CONFIG,
        "stages": [stage],
        "optimizer": {"generator": 1e-3},
        "precision": "bf16-mixed",
        "log_every": 1,
        "sample_every": 3,
        "checkpoint_every": 3,
    }


def test_a_stage_trains_all_three(toy_data: Path, tmp_path: Path) -> None:
    trainee = build_trainee(Recipe.parse(recipe(), "test"), toy_data, None)
    assert isinstance(trainee, SimsTrainee)
    with torch.no_grad():
        loss, parts, _ = trainee.generator_step(trainee.batch(0, [0, 1], torch.Generator().manual_seed(0)), 0, 1.0)
    own = parts["colour"] + parts["place"] + parts["order"]
    assert float(loss) == pytest.approx(float(parts["reconstruction"] + own), rel=1e-4)
    run_recipe(Recipe.parse(recipe(), "test"), toy_data, tmp_path / "run", accelerator="cpu")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert {"reconstruction", "overlap", "right", "covered"} <= lines[-1].keys()
    assert all(np.isfinite(v) for line in lines for v in line.values() if isinstance(v, float))
    assert (tmp_path / "run" / "model" / "config.json").is_file()


def test_own_losses_can_be_left_out(toy_data: Path) -> None:
    trainee = build_trainee(Recipe.parse(recipe(own=0), "test"), toy_data, None)
    batch = trainee.batch(0, [0, 1], torch.Generator().manual_seed(0))
    loss, parts, _ = trainee.generator_step(batch, 0, 1.0)
    assert parts.keys() == {"reconstruction", "covered"} and torch.equal(loss, parts["reconstruction"])


def test_mistakes_are_named(toy_data: Path) -> None:
    with pytest.raises(RecipeError, match=r"losses.reach is -1.0; expected 0"):
        build_trainee(Recipe.parse(recipe(reach=-1), "test"), toy_data, None)
    data = recipe()
    data["stages"][0]["phase"] = "togehter"
    with pytest.raises(RecipeError, match="did you mean 'together'"):
        build_trainee(Recipe.parse(data, "test"), toy_data, None)
