"""The discriminator on the perceptual network's features, and its training step."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from scenebrush.errors import RecipeError
from scenebrush.layers.discriminators.feature_heads import CHANNELS, FeatureDiscriminator, touched_places
from scenebrush.layers.vgg import VGG, layer_indices
from scenebrush.losses.perceptual import PerceptualLoss
from scenebrush.losses.style import StyleLoss
from scenebrush.methods.sesame.compact import Drawing
from scenebrush.methods.sesame.feature_objective import FeatureObjective
from scenebrush.methods.sesame.inputs import EditBatch
from scenebrush.methods.sesame.objective import LossWeights
from scenebrush.methods.sesame.trainee import SesameTrainee, check_losses, loss_weights

WEIGHTS = LossWeights(
    adversarial=1.0,
    feature_matching=0.0,
    perceptual=1.0,
    reconstruction=1.0,
    drawn=1.0,
    crop=32,
    untouched_patches="ignore",
)


class Constant(nn.Module):
    """Draws one grey everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.grey = nn.Parameter(torch.zeros(1))

    def forward(self, batch: EditBatch) -> Drawing:
        drawn = self.grey.expand_as(batch.image)
        return Drawing(drawn, drawn, torch.zeros_like(batch.hole))


def make_batch() -> EditBatch:
    rng = torch.Generator().manual_seed(1)
    hole = torch.zeros(2, 1, 48, 48)
    hole[:, :, 16:32, 16:32] = 1
    image = torch.rand(2, 3, 48, 48, generator=rng) * 2 - 1
    zeros = torch.zeros(2, 4, 48, 48)
    return EditBatch(image, hole, torch.ones(2, 48, 48, dtype=torch.int64), zeros, zeros, zeros[:, :3], zeros[:, :1])


def vgg() -> VGG:
    """VGG16's shape with random weights."""
    rng = torch.Generator().manual_seed(2)
    blocks = {"1": 64, "2": 128, "3": 256, "4": 512, "5": 512}
    tensors: dict[str, Tensor] = {}
    channels = 3
    for layer, index in layer_indices("vgg16").items():
        out = blocks[layer[4]]
        tensors[f"features.{index}.weight"] = (
            torch.randn(out, channels, 3, 3, generator=rng) * (2 / (9 * channels)) ** 0.5
        )
        tensors[f"features.{index}.bias"] = torch.zeros(out)
        channels = out
    return VGG(tensors, "vgg16")


@pytest.fixture(scope="module")
def objective() -> FeatureObjective:
    torch.manual_seed(0)
    judge = FeatureDiscriminator(4, width=8)
    return FeatureObjective(
        Constant(), judge, judge=judge, num_classes=3, semantics_everywhere=False, perceptual=PerceptualLoss(vgg())
    )


def test_one_map_of_logits_for_each_level() -> None:
    judge = FeatureDiscriminator(4, width=8)
    features = [torch.rand(2, c, 32 // 2**i, 32 // 2**i) for i, c in enumerate(CHANNELS)]
    logits = judge(features, torch.rand(2, 4, 32, 32))
    assert [tuple(level.shape) for level in logits] == [(2, 1, 32 // 2**i, 32 // 2**i) for i in range(5)]


def test_features_count_by_direction_not_by_size() -> None:
    judge = FeatureDiscriminator(4, width=8).eval()
    features = [torch.rand(1, c, 8, 8) + 0.1 for c in CHANNELS]
    semantics = torch.rand(1, 4, 8, 8)
    once, larger = judge(features, semantics), judge([7 * f for f in features], semantics)
    for a, b in zip(once, larger, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_semantics_matter() -> None:
    judge = FeatureDiscriminator(4, width=8).eval()
    features = [torch.rand(1, c, 8, 8) for c in CHANNELS]
    one, other = judge(features, torch.zeros(1, 4, 8, 8)), judge(features, torch.ones(1, 4, 8, 8))
    assert all((a - b).abs().max() > 0 for a, b in zip(one, other, strict=True))


def test_touched_places_lie_in_or_close_to_the_hole() -> None:
    hole = torch.zeros(1, 1, 32, 32)
    hole[..., 16, 16] = 1
    full, quarter = touched_places(hole, [torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 8, 8)])
    assert full.sum() == 81 and bool(full[0, 0, 12, 20]) and not bool(full[0, 0, 11, 16])
    assert quarter[0, 0].nonzero().min() == 3 and quarter[0, 0].nonzero().max() == 5  # pixels 12 to 20


def test_it_learns_to_tell_grey_holes_from_photos(objective: FeatureObjective) -> None:
    optimizer = torch.optim.Adam(objective.feature_judge.parameters(), lr=1e-3, betas=(0.0, 0.99))
    batch, totals = make_batch(), []
    for _ in range(20):
        with torch.no_grad():
            _, _, seen = objective.generator_step(batch, WEIGHTS)
        loss, _ = objective.discriminator_step(batch, seen, WEIGHTS)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        totals.append(float(loss.detach()))
    assert totals[-1] < 0.8 * totals[0]


def test_the_generators_step_moves_only_the_generator(objective: FeatureObjective) -> None:
    objective.feature_judge.zero_grad()
    objective.feature_judge.requires_grad_(False)
    loss, parts, seen = objective.generator_step(make_batch(), WEIGHTS)
    loss.backward()  # type: ignore[no-untyped-call]
    objective.feature_judge.requires_grad_(True)
    assert set(parts) == {"reconstruction", "drawn", "perceptual", "adversarial"}
    assert objective.generator.grey.grad is not None
    assert all(p.grad is None for p in objective.feature_judge.parameters())
    assert not any(f.requires_grad for f in seen.fake)


def test_the_style_loss_counts_where_it_is_asked_for() -> None:
    batch, style = make_batch(), StyleLoss(vgg())
    torch.manual_seed(0)
    judge = FeatureDiscriminator(4, width=8)
    objective = FeatureObjective(
        Constant(),
        judge,
        judge=judge,
        num_classes=3,
        semantics_everywhere=False,
        perceptual=PerceptualLoss(vgg()),
        style=style,
    )
    without, parts, _ = objective.generator_step(batch, WEIGHTS)
    assert "style" not in parts
    weights = dataclasses.replace(WEIGHTS, style=250.0, crop=0)
    loss, parts, _ = objective.generator_step(batch, weights)
    fake = torch.where(batch.hole > 0, torch.zeros(1), batch.image)
    torch.testing.assert_close(parts["style"], style(fake, batch.image))
    without, _, _ = objective.generator_step(batch, dataclasses.replace(weights, style=0.0))
    assert loss.item() - without.item() == pytest.approx(250 * parts["style"].item(), rel=1e-2)
    assert parts["style"] > 0


def test_feature_matching_is_refused_where_there_is_nothing_to_match() -> None:
    with pytest.raises(RecipeError, match=r"losses.feature_matching is 10, .*set it to 0"):
        loss_weights({"feature_matching": 10.0}, "features")
    assert loss_weights({"feature_matching": 0}, "features").feature_matching == 0
    assert loss_weights({}, "features").feature_matching == 0  # the paper's default is for the paper's discriminator
    assert loss_weights({"feature_matching": 10.0}, "two_stream").feature_matching == 10
    assert loss_weights({}).feature_matching == 10


def test_it_needs_the_perceptual_network() -> None:
    blind, seeing = LossWeights(1, 0, 0), LossWeights(0, 0, 5)
    with pytest.raises(RecipeError, match="give perceptual a weight"):
        check_losses([blind, blind], "features")
    check_losses([blind, seeing], "features")
    check_losses([LossWeights(0, 0, 0, reconstruction=1)], "features")  # no adversary, nothing to look through
    check_losses([blind], "two_stream")


def test_a_recipe_that_cannot_be_is_refused_before_any_data_is_read(tmp_path: Path) -> None:
    losses = {"perceptual": 0.0, "feature_matching": 0.0}
    with pytest.raises(RecipeError, match="give perceptual a weight"):
        SesameTrainee({"discriminator": "features"}, [({}, losses)], tmp_path / "none")
