"""One training step: each loss in limiting cases, gradients where they belong, pools."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from scenebrush.losses.image_pool import ImagePool
from scenebrush.methods.seigan.discriminator import Discriminators
from scenebrush.methods.seigan.networks import PARTS, build_networks
from scenebrush.methods.seigan.objective import LossWeights, Objective, total
from scenebrush.methods.seigan.segmenter import Masks

NONE = LossWeights(**{f.name: 0.0 for f in dataclasses.fields(LossWeights) if f.name != "adversary"})
NAMES = [f.name for f in dataclasses.fields(LossWeights) if f.name != "adversary"]


def objective(config, vgg, *, pool=0, judge=True):
    torch.manual_seed(0)
    networks = build_networks(config)
    judges = Discriminators(config) if judge else None
    pools = {name: ImagePool(pool) for name in ("background", "object")}
    return Objective(networks, judges, judge=judges, vgg=vgg, inner=networks, pools=pools)


def only(**weights: float) -> LossWeights:
    return dataclasses.replace(NONE, **weights)


class Fixed(torch.nn.Module):
    """Always this mask."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, image: Tensor, box: Tensor) -> Tensor:
        return self.masks(image, box).mask

    def masks(self, image: Tensor, box: Tensor) -> Masks:
        return Masks(self.value * box, self.value * box)


class Unchanged(torch.nn.Module):
    def forward(self, image: Tensor, mask: Tensor, noise: Tensor | None = None) -> Tensor:
        return image


@pytest.mark.parametrize("name", NAMES)
def test_every_loss_can_be_asked_for_alone(name, tiny, vgg, batch):
    loss, parts, _ = objective(tiny, vgg).generator_step(batch, only(**{name: 2.0}))
    figures = {"mask_area", "mask_sharpness", "mask_area_2"}
    assert parts.keys() - figures == {name} and torch.isfinite(loss)
    torch.testing.assert_close(loss, 2 * parts[name])


def test_an_empty_mask_leaves_y_and_x_where_they_are(tiny, vgg, batch):
    """m = 0, enhancer off: z = y^ = y, x^ = x; then y^^ = y: no texture loss; x^^ = x^ = x: no reconstruction loss."""
    one = objective(tiny, vgg)
    one.inner.swap.segmenter, one.inner.swap.enhancer = Fixed(0.0), Unchanged()
    loss, parts, (cycle, _) = one.generator_step(batch, only(texture=1.0, reconstruction=1.0, identity=1.0))
    assert torch.equal(cycle.y1, batch.y) and torch.equal(cycle.x1, batch.x)
    assert loss.detach() == pytest.approx(0, abs=1e-6)
    assert parts["mask_area"] == 0 and parts["mask_sharpness"] == 1


def test_a_full_mask_takes_the_box_there_and_back(tiny, vgg, batch):
    """m = 1 in the box, enhancer off: y^ is x inside and y outside; x^^ = x exactly, but y is lost inside."""
    one = objective(tiny, vgg)
    one.inner.swap.segmenter, one.inner.swap.enhancer = Fixed(1.0), Unchanged()
    _, parts, (cycle, _) = one.generator_step(batch, only(texture=1.0, reconstruction=1.0))
    assert torch.equal(cycle.y1, torch.where(batch.box > 0, batch.x, batch.y))
    assert torch.equal(cycle.x2, batch.x) and parts["reconstruction"] == 0
    assert parts["texture"] > 0.01 and parts["mask_area"] == 1


def test_reconstruction_is_the_mean_difference_over_the_box(tiny, vgg, batch):
    one = objective(tiny, vgg)
    one.inner.swap.segmenter, one.inner.swap.enhancer = Fixed(1.0), Unchanged()
    moved = one.networks(batch)
    cycle = moved._replace(x2=moved.x2 + 0.25 * batch.box + 9 * (1 - batch.box))
    found = one._plain(batch, cycle, only(reconstruction=1.0))["reconstruction"]
    assert found.detach() == pytest.approx(0.25, rel=1e-5)


def test_gradients_of_a_paste_reach_the_segmenter_alone(tiny, vgg, batch):
    one = objective(tiny, vgg)
    one.judge.requires_grad_(False)
    loss, _, _ = one.generator_step(batch, only(pasted=1.0))
    loss.backward()
    reached = {part: any(p.grad is not None for p in getattr(one.inner, part).parameters()) for part in PARTS}
    assert reached == {"segmenter": True, "inpainter": False, "enhancer": False}


def test_masks_are_held_to_what_they_began_with(tiny, vgg, batch):
    """Half of each box turned over: no share is lost, but a half of all pixels is wrong; a full mask has twice it."""
    one = objective(tiny, vgg)
    _, _, (cycle, _) = one.generator_step(batch, only(identity=1.0))
    begun, other = batch.box.clone(), batch.box.clone()
    begun[..., ::2], other[..., 1::2] = 0, 0
    whole = begun + other
    assert torch.equal(whole, batch.box)

    def parts(mask: Tensor) -> dict[str, Tensor]:
        held = cycle._replace(mask=mask, mask2=mask, begun=begun, begun2=begun)
        return one._plain(batch, held, only(share=1.0, evidence=1.0))

    same, turned, full = parts(begun), parts(other), parts(whole)
    assert same["share"] == same["evidence"] == 0
    assert float(turned["evidence"]) == pytest.approx(1.0)
    gone = (other.sum((1, 2, 3)) / whole.sum((1, 2, 3))).square().mean()
    assert float(full["share"]) == pytest.approx(float(gone))
    assert float(full["evidence"]) == pytest.approx(float(other.sum() / whole.sum()))


def test_all_losses_together_reach_every_generator(tiny, vgg, batch):
    one = objective(tiny, vgg)
    one.judge.requires_grad_(False)
    loss, parts, _ = one.generator_step(
        batch, LossWeights(area=1.0, share=1.0, evidence=1.0, binary=1.0, edges=1.0, filling=1.0)
    )
    loss.backward()
    assert parts.keys() >= set(NAMES)
    for part in PARTS:
        assert all(p.grad is not None for p in getattr(one.inner, part).parameters()), part


def test_the_discriminators_learn_from_what_was_made_and_give_nothing_back(tiny, vgg, batch):
    one = objective(tiny, vgg)
    _, _, (_, judged) = one.generator_step(batch, LossWeights())
    loss, parts = one.discriminator_step(judged, "least_squares", 0)
    loss.backward()
    assert parts.keys() == {"d_bg_real", "d_bg_fake", "d_obj_real", "d_obj_fake"}
    torch.testing.assert_close(loss, sum(parts.values()) / 2)
    assert all(p.grad is None for p in one.inner.parameters())
    assert all(p.grad is not None for p in one.judge.parameters())


def test_the_discriminators_learn_to_tell(tiny, vgg, batch):
    one = objective(tiny, vgg)
    optimizer = torch.optim.Adam(one.judge.parameters(), 1e-2)
    losses = []
    for _ in range(25):
        with torch.no_grad():
            _, _, (_, judged) = one.generator_step(batch, LossWeights())
        loss, _ = one.discriminator_step(judged, "hinge", 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_the_pool_gives_older_fakes_with_their_own_box_and_features(tiny, vgg, batch):
    one = objective(tiny, vgg, pool=2)
    _, _, (_, judged) = one.generator_step(batch, LossWeights())
    one.discriminator_step(judged, "hinge", 0)
    assert len(one.pools["object"].kept) == 2
    kept = one.pools["object"].kept[0].clone()
    generator = torch.Generator().manual_seed(0)
    fresh = [s._replace(image=-s.image, box=1 - s.box) for s in judged.fake_objects[:1]] * 6
    given = [one._from_pool("object", shown, generator) for shown in fresh]
    older = [(g, i) for g in given for i in range(2) if torch.equal(torch.cat([g.box[i], g.image[i]]), kept)]
    assert older, "in twelve draws an older one comes with all but certainty"
    shown, i = older[0]
    torch.testing.assert_close(shown.features[1][i], vgg(kept[None, 1:], ["relu2_1"])[0][0])


def test_made_up_shapes_train_the_inpainter_alone(tiny, vgg, batch):
    one = objective(tiny, vgg)
    one.judge.requires_grad_(False)
    loss, parts, judged = one.shapes_step(batch, LossWeights(filling=1.0))
    loss.backward()
    assert parts.keys() == {"filling", "background"}
    assert any(p.grad is not None for p in one.inner.inpainter.parameters())
    assert all(p.grad is None for p in one.inner.swap.parameters())
    assert torch.equal(judged.fake_objects[0].image, torch.where(batch.shape > 0, batch.x, batch.y))
    assert torch.equal(judged.fake_backgrounds[0].image * (1 - batch.shape), batch.y * (1 - batch.shape))


def test_without_discriminators_or_features_the_plain_losses_are_left(tiny, batch):
    one = objective(tiny, None, judge=False)
    _, parts, _ = one.generator_step(batch, only(reconstruction=1.0, area=1.0))
    assert parts.keys() >= {"reconstruction", "area"}


def test_the_papers_kind_judges_pictures(vgg, batch):
    from scenebrush.methods.seigan.config import SeiganConfig

    one = objective(SeiganConfig(width=4, num_blocks=1, discriminator_width=4, pool_size=0), vgg)
    loss, parts, (_, judged) = one.generator_step(batch, LossWeights())
    assert not judged.real_object.features and parts.keys() >= {"texture", "object", "background", "pasted"}
    assert torch.isfinite(one.discriminator_step(judged, "least_squares", 0)[0]) and torch.isfinite(loss)


def test_the_ramp_raises_the_adversarial_losses_alone():
    ramped = LossWeights(background=1.0, object=2.0, pasted=4.0, texture=3.0).ramped(0.5)
    assert (ramped.background, ramped.object, ramped.pasted, ramped.texture) == (0.5, 1.0, 2.0, 3.0)


def test_total_by_hand():
    parts = {"texture": torch.tensor(2.0), "area": torch.tensor(3.0)}
    assert total(parts, only(texture=0.5, area=10.0)) == 31
