"""Learning one photo as the paper does: self-supervision by an augmented copy, two modes in turn, many generator steps.

What a keyword of `PaperPupil` leaves at its default is as in the released code; the others are there to be measured.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam

from scenebrush.errors import InputError
from scenebrush.layers.discriminators.base import Judgement
from scenebrush.layers.spectral_norm import settle_
from scenebrush.layers.vgg import VGG
from scenebrush.losses.patch_coherence import PatchCoherence
from scenebrush.methods.layout_arrays import photo_tensor
from scenebrush.methods.semia.auxiliary import AuxiliaryClassifier
from scenebrush.methods.semia.config import SemiaConfig
from scenebrush.methods.semia.discriminator import SemiaDiscriminator
from scenebrush.methods.semia.folder import save_model
from scenebrush.methods.semia.generator import SemiaGenerator
from scenebrush.methods.semia.objective import LossWeights, Objective, Pair, noisy
from scenebrush.methods.semia.optimizer_state import below, fill_optimizer, optimizer_tensors
from scenebrush.methods.semia.paper_method import PaperRenderer, build_generator, layout_picture
from scenebrush.methods.semia.paper_schedule import (
    BETAS,
    GENERATOR_STEPS,
    ITERATIONS,
    rates,
    reconstructs,
    strength,
)
from scenebrush.methods.semia.paper_turns import Turn, draw_copy, sheet_layouts, sized
from scenebrush.methods.semia.source import Source

NETWORKS: Final = ("generator", "discriminator", "auxiliary")


class PaperPupil:
    """Learns one photo with the paper's networks; a `pupil.Pupil`.

    Args:
        source: the photo and its layout.
        config: kind "paper".
        seed: of the first weights and of all that is drawn.
        device: where the networks are.
        weights: what each loss counts.
        vgg: whose features the patch loss compares; None = VGG19 of the assets, or else VGG16. The photo's own are
            computed once and for all, which changes no number.
        generator_steps: per iteration (10).
        bf16: convolutions in bfloat16 (off); losses, norms' statistics and the patches' distances stay float32.
        channels_last: how tensors lie in memory (off).
        average: the decay, per generator step, of a moving average of the generator's weights, which then is what draws
            (0: the generator itself).
        remember_real: let the discriminator judge the target photo once per iteration instead of at every generator
            step (off). Its weights stand still meanwhile, but for spectral norm's vectors.
        half_until: the share of the schedule in which the photo is learned at half its size (0).
        guided: patches are searched among those of the same class (off).
        completeness: weight of the patch loss's other direction (0).

    Raises:
        InputError: a photo smaller than the networks' smallest, or a number outside its range.
        ModelError: no VGG in the assets.
    """

    total: int | None = ITERATIONS

    def __init__(
        self,
        source: Source,
        config: SemiaConfig,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
        weights: LossWeights | None = None,
        vgg: VGG | None = None,
        generator_steps: int = GENERATOR_STEPS,
        bf16: bool = False,
        channels_last: bool = False,
        average: float = 0.0,
        remember_real: bool = False,
        half_until: float = 0.0,
        guided: bool = False,
        completeness: float = 0.0,
    ) -> None:
        if generator_steps < 1 or not 0 <= average < 1 or not 0 <= half_until <= 1:
            raise InputError(
                f"generator_steps {generator_steps}, average {average}, half_until {half_until}; expected 1 or more,"
                " 0 to below 1, 0 to 1"
            )
        self.source, self.config, self.seed = source, config, seed
        self.device = torch.device(device)
        self.generator_steps, self.average_decay = generator_steps, average
        self.bf16, self.channels_last = bf16, channels_last
        self.remember_real, self.half_until, self.guided = remember_real, half_until, guided
        self._build(vgg, weights, completeness)
        halves = (True, False) if half_until else (False,)
        self._sizes = {half: sized(source, config.divisor, half=half) for half in halves}
        self._photo_features: dict[bool, list[Tensor]] = {}

    def iterate(self, iteration: int, share: float) -> Mapping[str, float]:
        """Makes one iteration: a discriminator step, in reconstruction mode one of the classifier, the generator's
        steps, and a discriminator step. See `pupil.Pupil.iterate`; the losses are the last generator step's.
        """
        for network in self._networks().values():
            network.train()
        self._set_rates(share)
        rng = np.random.default_rng((self.seed, iteration))
        draws = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))
        turn = self._turn(iteration, share, rng)
        told = self._discriminator_step(turn, draws)
        if turn.reconstructs:
            told |= self._auxiliary_step(turn.target, draws)
        told |= self._generator_steps(turn, draws)
        self._discriminator_step(turn, draws)
        return {name: float(value) for name, value in told.items()}

    def picture(self) -> np.ndarray:
        """Returns the photo's layout and two augmented ones, each above its picture: uint8 (2H, 3W, 3)."""
        renderer = PaperRenderer(self.drawing.eval().cpu(), self.source, self.config.divisor)
        layouts = [self.source.layout, *sheet_layouts(self.source.layout)]
        rows = [[layout.label_set.colors(layout.label_map) for layout in layouts]]
        rows.append([renderer.render(layout, 0) for layout in layouts])
        self.drawing.to(self.device)
        return np.vstack([np.hstack(row) for row in rows])

    def state_dict(self) -> dict[str, Tensor]:
        """Returns networks, average and optimisers."""
        state = {f"{n}/{key}": value for n, net in self._networks().items() for key, value in net.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            state |= {f"optimizer/{name}/{key}": value for key, value in optimizer_tensors(optimizer).items()}
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes what `state_dict` returned; `RuntimeError` or `ValueError` for what does not fit."""
        for name, network in self._networks().items():
            network.load_state_dict(below(state, f"{name}/"))
        for name, optimizer in self.optimizers.items():
            fill_optimizer(optimizer, below(state, f"optimizer/{name}/"))

    def export(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Writes the model folder."""
        training = {"vgg": self.vgg_name, **facts}
        save_model(folder, self.config, self.source, self.drawing.state_dict(), training, card(self.source))

    @property
    def drawing(self) -> SemiaGenerator:
        """The generator that draws: the average where one is kept."""
        return self.generator if self.average is None else self.average

    def _build(self, vgg: VGG | None, weights: LossWeights | None, completeness: float) -> None:
        """Makes the networks at torch's own initialisation, as the originals were on GPUs (README, defect 2)."""
        layout_channels = self.config.condition_channels if self.config.discriminator_sees_layout else None
        with torch.random.fork_rng(devices=[]):  # first weights; everything later has generators of its own
            torch.manual_seed(self.seed)
            self.generator = build_generator(self.config)
            self.discriminator = SemiaDiscriminator(layout_channels, width=self.config.discriminator_width)
            self.auxiliary = AuxiliaryClassifier(self.config.condition_channels, width=self.config.auxiliary_width)
        settle_(self.generator)  # a picture is asked for before the first step
        memory_format = torch.channels_last if self.channels_last else torch.contiguous_format
        for network in (self.generator, self.discriminator, self.auxiliary):
            network.to(device=self.device, memory_format=memory_format)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.generator).requires_grad_(False) if self.average_decay else None
        self.optimizers = {name: Adam(getattr(self, name).parameters(), betas=BETAS) for name in NETWORKS}
        vgg = (VGG.from_assets() if vgg is None else vgg).to(self.device)
        self.vgg_name = vgg.name
        self.objective = Objective(
            self.generator,
            self.discriminator,
            self.auxiliary,
            PatchCoherence(vgg, completeness=completeness, every_place=False),
            weights,
            alignment_as_released=self.config.alignment_as_released,
        )

    def _networks(self) -> dict[str, nn.Module]:
        networks: dict[str, nn.Module] = {name: getattr(self, name) for name in NETWORKS}
        return networks if self.average is None else {**networks, "average": self.average}

    def _set_rates(self, share: float) -> None:
        for name, rate in rates(share)._asdict().items():
            for group in self.optimizers[name].param_groups:
                group["lr"] = rate

    def _turn(self, iteration: int, share: float, rng: np.random.Generator) -> Turn:
        """Draws the augmented pair, and what is source and what target."""
        half = share < self.half_until
        photo = self._sizes[half]
        augmented, swap = draw_copy(photo, strength(share), rng)
        if reconstructs(iteration):
            pair = self._pair(augmented)
            return Turn(pair, pair, True)
        if swap:
            changed = self._pair(augmented)
            return Turn(changed._replace(patches=self._features(changed.photo)), self._pair(photo), False)
        plain = self._pair(photo)
        if half not in self._photo_features:
            self._photo_features[half] = self._features(plain.photo)
        return Turn(plain._replace(patches=self._photo_features[half]), self._pair(augmented), False)

    def _pair(self, source: Source) -> Pair:
        photo, layout = (self._placed(t) for t in (photo_tensor(source.photo), layout_picture(source.layout)))
        labels = torch.from_numpy(source.layout.label_map.astype(np.int64)).to(self.device) if self.guided else None
        return Pair(photo, layout, labels=labels)

    def _placed(self, picture: Tensor) -> Tensor:
        memory_format = torch.channels_last if self.channels_last else torch.contiguous_format
        return picture.to(device=self.device, memory_format=memory_format)

    @torch.no_grad()
    def _features(self, photo: Tensor) -> list[Tensor]:
        assert self.objective.patches is not None
        with self._precision():
            return self.objective.patches.features(photo)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def _discriminator_step(self, turn: Turn, draws: torch.Generator) -> dict[str, Tensor]:
        with self._precision():
            with torch.no_grad():
                seen = noisy(turn.source.photo, draws)
                picture = self.generator(seen, turn.source.layout, turn.target.layout).picture
            loss, terms = self.objective.discriminator_step(turn.target, picture)
        self._step("discriminator", loss)
        return {"d_real": terms.real.detach(), "d_fake": terms.fake.detach()}

    def _auxiliary_step(self, pair: Pair, draws: torch.Generator) -> dict[str, Tensor]:
        with self._precision():
            loss = self.objective.auxiliary_step(pair, draws)
        self._step("auxiliary", loss)
        return {"auxiliary": loss.detach()}

    def _generator_steps(self, turn: Turn, draws: torch.Generator) -> dict[str, Tensor]:
        """Makes all steps on the same pair; returns the last one's losses."""
        with frozen(self.discriminator, self.auxiliary):
            real: Judgement | None = None
            if self.remember_real:
                with self._precision():
                    real = self.objective.judge(turn.target)
            for _ in range(self.generator_steps):
                with self._precision():
                    if turn.reconstructs:
                        loss, parts, _ = self.objective.reconstruction_step(turn.target, draws, real=real)
                    else:
                        loss, parts, _ = self.objective.sample_step(turn.source, turn.target, draws, real=real)
                self._step("generator", loss)
                self._update_average()
        return {"loss": loss.detach(), **{name: value.detach() for name, value in parts.items()}}

    def _step(self, name: str, loss: Tensor) -> None:
        self.optimizers[name].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers[name].step()

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.average is None:
            return
        now = self.generator.state_dict()
        for key, mean in self.average.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(now[key], 1 - self.average_decay)
            else:
                mean.copy_(now[key])


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Spares the gradients of networks that a step only looks through."""
    for network in networks:
        network.requires_grad_(False)
    yield
    for network in networks:
        network.requires_grad_(True)


def card(source: Source) -> str:
    """Returns the model card of a fit."""
    height, width = source.shape
    shown = [c.name for c in source.layout.label_set.classes if c.id in source.class_ids]
    return f"""# A photo learned by SemIA, as in the paper

The networks of Li et al., *Semantic Image Analogy with a Conditional Single-Image GAN*, ACM MM 2020, trained on one
photo of {width}x{height} pixels (`photo.png`, `labels.png`) that shows {", ".join(shown)}. They bring that photo into
other layouts of its classes and size:

    scenebrush synthesize MAP --model THIS-FOLDER -o OUT.png

`config.json` says how long it was trained. Licence: the photo's own. It knows nothing but that photo.
"""
