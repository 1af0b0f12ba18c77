"""The losses of one training step (section 2.4): all of the paper's, each with a weight of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.discriminators.base import resting
from scenebrush.layers.vgg import VGG
from scenebrush.losses.image_pool import ImagePool
from scenebrush.losses.perceptual import LAYERS
from scenebrush.methods.seigan import losses
from scenebrush.methods.seigan.discriminator import Discriminators, Shown
from scenebrush.methods.seigan.losses import Adversary
from scenebrush.methods.seigan.networks import Cycle, PairBatch, SeiganNetworks, Shapes


@dataclass(frozen=True)
class LossWeights:
    """What each loss counts; 0 = off. The paper's weights are not known: these are ours.

    Args:
        background: D_bg on x^ and y^^.
        texture: Gram matrices of VGG features of y^^ against y.
        reconstruction: mean absolute difference of x^^ from x, over the pixels of the boxes.
        object: D_obj on y^.
        pasted: D_obj on z.
        identity: the enhancer leaves real x alone, the inpainter y where nothing is masked; mean absolute difference.
        area: guard against masks that are empty or full: mask shares inside the box outside 0.2 to 0.85.
        share: guard likewise: how far a mask's share of its box is from that of the mask it began with (`evidence` of
            the configuration); squared, for an absolute difference holds the mask where it began.
        evidence: how far a mask is from that one, pixel by pixel in the box; mean squared difference.
        binary: 4 m (1 - m) inside the box; for late stages.
        edges: steps of the mask where the picture has none (ours).
        filling: y is filled under a made-up shape as it was: mean absolute difference within, and texture (ours).
        adversary: "least_squares", as in CycleGAN, or "hinge".
    """

    background: float = 1.0
    texture: float = 1.0
    reconstruction: float = 10.0
    object: float = 1.0
    pasted: float = 1.0
    identity: float = 5.0
    area: float = 0.0
    share: float = 0.0
    evidence: float = 0.0
    binary: float = 0.0
    edges: float = 0.0
    filling: float = 0.0
    adversary: Adversary = "least_squares"

    @property
    def any(self) -> bool:
        """Whether there is anything that the generators are asked for."""
        return any(value > 0 for value in vars(self).values() if not isinstance(value, str))

    @property
    def adversarial(self) -> bool:
        """Whether a discriminator is asked."""
        return max(self.background, self.object, self.pasted) > 0

    def ramped(self, ramp: float) -> LossWeights:
        """Returns these weights with the adversarial ones multiplied by `ramp`."""
        raised = {name: getattr(self, name) * ramp for name in ("background", "object", "pasted")}
        return dataclasses.replace(self, **raised)


class Judged(NamedTuple):
    """What the generators' step leaves for the discriminators': real and fake pictures of each."""

    real_background: Shown
    fake_backgrounds: list[Shown]
    real_object: Shown
    fake_objects: list[Shown]


class Objective:
    """Losses of generators and discriminators on a batch of pairs.

    Args:
        networks: batch -> `Cycle` (`networks.SeiganNetworks`), perhaps wrapped for several devices.
        discriminators: perhaps wrapped, or None for training without them.
        judge: the same, not wrapped, for the generators' step, which gives it no gradients; None likewise.
        vgg: frozen features for the texture, and for discriminators that judge them; None where neither is asked for.
        inner: the networks, not wrapped.
        pools: histories of fakes for D_bg and D_obj.
    """

    def __init__(
        self,
        networks: nn.Module,
        discriminators: nn.Module | None,
        *,
        judge: Discriminators | None,
        vgg: VGG | None,
        inner: SeiganNetworks,
        pools: Mapping[str, ImagePool],
    ) -> None:
        self.networks, self.discriminators, self.judge = networks, discriminators, judge
        self.vgg, self.inner, self.pools = vgg, inner, pools
        self.compact = inner.config.kind == "compact"

    def generator_step(
        self, batch: PairBatch, weights: LossWeights
    ) -> tuple[Tensor, dict[str, Tensor], tuple[Cycle, Judged]]:
        """Returns the generators' loss, its unweighted parts and figures of the masks, and what was made."""
        cycle: Cycle = self.networks(batch)
        parts = self._plain(batch, cycle, weights)
        x, y, x1, z, y1, y2 = self._shown(
            batch.box, [batch.x, batch.y, cycle.x1, cycle.pasted, cycle.y1, cycle.y2], weights
        )
        if weights.texture:
            parts["texture"] = self.texture(cycle.y2, batch.y, y2, y)
        if weights.filling:
            parts["filling"] = self.filling(batch, self.inner.with_shapes(batch).filled, y)
        judged = Judged(y, [x1, y2], x, [z, y1])
        parts |= self._adversarial(judged, weights)
        loss = total(parts, weights)
        with torch.no_grad():
            figures = {
                "mask_area": losses.mask_share(cycle.mask, batch.box).mean(),
                "mask_sharpness": losses.sharpness(cycle.mask, batch.box),
                "mask_area_2": losses.mask_share(cycle.mask2, batch.box).mean(),
            }
        return loss, parts | figures, (cycle, _detached(judged))

    def shapes_step(self, batch: PairBatch, weights: LossWeights) -> tuple[Tensor, dict[str, Tensor], Judged]:
        """Returns the inpainter's loss on made-up shapes, its parts, and what the discriminators are to learn from.

        D_bg learns from what is filled, D_obj from pastes of made-up shapes: there are masks to learn from before
        there is a segmentation network to make them.
        """
        made: Shapes = self.networks(batch, shapes=True)
        x, y, filled, pasted = self._shown(batch.box, [batch.x, batch.y, made.filled, made.pasted], weights)
        judged = Judged(y, [filled], x, [pasted])
        parts = {"filling": self.filling(batch, made.filled, y, filled)}
        asked = dataclasses.replace(weights, object=0.0, pasted=0.0)
        parts |= self._adversarial(judged, asked)
        return total(parts, asked), parts, _detached(judged)

    def discriminator_step(self, judged: Judged, adversary: Adversary, seed: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the discriminators' loss, half the sum of real and fake each, and its parts."""
        assert self.discriminators is not None
        generator = torch.Generator().manual_seed(seed + 2)
        fakes = {
            "background": [self._from_pool("background", s, generator) for s in judged.fake_backgrounds],
            "object": [self._from_pool("object", s, generator) for s in judged.fake_objects],
        }
        said = self.discriminators(
            [judged.real_background, *fakes["background"]], [judged.real_object, *fakes["object"]]
        )
        parts: dict[str, Tensor] = {}
        loss = judged.real_object.image.new_zeros(())
        for name, (real, *rest) in zip(("bg", "obj"), said, strict=True):
            d_real = losses.discriminator_verdict(real, adversary, real=True)
            d_fake = torch.stack([losses.discriminator_verdict(one, adversary, real=False) for one in rest]).mean()
            parts |= {f"d_{name}_real": d_real, f"d_{name}_fake": d_fake}
            loss = loss + (d_real + d_fake) / 2
        return loss, parts

    def texture(self, fake: Tensor, real: Tensor, shown_fake: Shown | None, shown_real: Shown | None) -> Tensor:
        """Returns the texture distance of two batches, the mean over both groups of layers.

        Features that discriminators are shown are used again where they are the ones wanted.
        """
        assert self.vgg is not None
        first, last = losses.texture_groups(self.vgg.name, compact=self.compact)
        if self.compact and shown_fake is not None and shown_fake.features and shown_real is not None:
            found, wanted = list(shown_fake.features), list(shown_real.features)
        else:
            found = self.vgg(fake, [*first, *last])
            with torch.no_grad():
                wanted = self.vgg(real, [*first, *last])
        split = len(first)
        groups = [losses.texture_distance(found[part], wanted[part]) for part in (slice(split), slice(split, None))]
        return torch.stack(groups).mean()

    def filling(self, batch: PairBatch, filled: Tensor, shown_real: Shown, shown_fake: Shown | None = None) -> Tensor:
        """Returns how far y, filled under a made-up shape, is from y: colours within the shape, and texture."""
        apart = ((filled - batch.y).abs() * batch.shape).sum() / (3 * batch.shape.sum()).clamp_min(1)
        return apart if self.vgg is None else apart + self.texture(filled, batch.y, shown_fake, shown_real)

    def _plain(self, batch: PairBatch, cycle: Cycle, weights: LossWeights) -> dict[str, Tensor]:
        """The losses that need no further network."""
        parts: dict[str, Tensor] = {}
        if weights.reconstruction:
            inside = batch.box.sum().clamp_min(1) * 3
            parts["reconstruction"] = ((cycle.x2 - batch.x).abs() * batch.box).sum() / inside
        if weights.identity:
            kept_x = self.inner.enhancer(batch.x, cycle.mask.detach())
            kept_y = self.inner.inpainter(batch.y, torch.zeros_like(batch.box))
            parts["identity"] = F.l1_loss(kept_x, batch.x) + F.l1_loss(kept_y, batch.y)
        both = (cycle.mask, cycle.mask2)
        if weights.area:
            parts["area"] = torch.stack([losses.area_guard(m, batch.box) for m in both]).mean()
        begun = (cycle.begun, cycle.begun2)
        if weights.share:
            shares = [
                losses.mask_share(m, batch.box) - losses.mask_share(b, batch.box)
                for m, b in zip(both, begun, strict=True)
            ]
            parts["share"] = torch.stack(shares).square().mean()
        if weights.evidence:
            apart = torch.stack([(m - b).square() for m, b in zip(both, begun, strict=True)]).sum()
            parts["evidence"] = apart / (2 * batch.box.sum().clamp_min(1))
        if weights.binary:
            parts["binary"] = torch.stack([losses.indecision(m, batch.box) for m in both]).mean()
        if weights.edges:
            parts["edges"] = losses.edge_disagreement(cycle.mask, batch.x)
        return parts

    def _adversarial(self, judged: Judged, weights: LossWeights) -> dict[str, Tensor]:
        asked: dict[str, tuple[list[Shown], list[Shown]]] = {}
        if weights.background:
            asked["background"] = (judged.fake_backgrounds, [])
        if weights.object:
            asked["object"] = ([], judged.fake_objects[1:])
        if weights.pasted:
            asked["pasted"] = ([], judged.fake_objects[:1])
        if self.judge is None or not asked:
            return {}
        parts = {}
        with resting(self.judge):
            for name, (backgrounds, objects) in asked.items():
                about_backgrounds, about_objects = self.judge(backgrounds, objects)
                said = about_backgrounds + about_objects
                verdicts = [losses.generator_verdict(d, self.judge.shares, weights.adversary) for d in said]
                parts[name] = torch.stack(verdicts).mean()
        return parts

    def _shown(self, box: Tensor, images: Sequence[Tensor], weights: LossWeights) -> list[Shown]:
        """Returns pictures as the discriminators are shown them; features of those without gradient cost less."""
        if not self.compact or self.vgg is None or not (weights.adversarial or weights.texture or weights.filling):
            return [Shown(image, box) for image in images]
        shown = []
        for image in images:
            with torch.set_grad_enabled(torch.is_grad_enabled() and image.requires_grad):
                shown.append(Shown(image, box, self.vgg(image, LAYERS)))
        return shown

    def _from_pool(self, name: str, shown: Shown, generator: torch.Generator) -> Shown:
        pool = self.pools[name]
        if not pool.size:
            return shown
        box, image = pool.query(shown.box, shown.image, generator=generator)
        if torch.equal(image, shown.image):
            return shown
        with torch.no_grad():
            features = self.vgg(image, LAYERS) if shown.features and self.vgg is not None else ()
        return Shown(image, box, features)


def total(parts: Mapping[str, Tensor], weights: LossWeights) -> Tensor:
    """Returns the sum of the parts, each times its weight."""
    return torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()


def _detached(judged: Judged) -> Judged:
    return Judged(
        judged.real_background.detached(),
        [shown.detached() for shown in judged.fake_backgrounds],
        judged.real_object.detached(),
        [shown.detached() for shown in judged.fake_objects],
    )
