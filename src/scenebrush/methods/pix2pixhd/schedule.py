"""Training coarse to fine (paper section 3.1, facts 1.6): what is trained and frozen in each phase, and at what size.

The authors train G1, then load it into G1 + G2 and train G2 alone while G1 is fixed, then everything. Here it is one
network with a head per level (`Pix2PixHDNetworks(config, every_level=True)`) and one run: each stage of a recipe takes
a `Phase`. With more enhancers it goes on in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from scenebrush.errors import InputError, ModelError
from scenebrush.layers.layouts import LayoutBatch
from scenebrush.methods.pix2pixhd.discriminator import MultiscaleDiscriminator
from scenebrush.methods.pix2pixhd.generator import CoarseToFineGenerator
from scenebrush.methods.pix2pixhd.networks import Pix2PixHDNetworks
from scenebrush.methods.pix2pixhd.preprocess import shrink_image, shrink_map


@dataclass(frozen=True)
class Phase:
    """A part of the schedule.

    Args:
        level: of the pictures that are made: 0 = the global generator's, each enhancer doubles the size.
        newest_only: only the level's own enhancer and head are trained; all that is coarser, and the encoder, is fixed.
    """

    level: int = 0
    newest_only: bool = False

    @property
    def name(self) -> str:
        """ "global", "enhancer 1", "together 1", "enhancer 2", ..."""
        if self.level == 0:
            return "global"
        return f"{'enhancer' if self.newest_only else 'together'} {self.level}"


def phases(num_enhancers: int) -> tuple[Phase, ...]:
    """Returns the whole schedule in order: global; then for each enhancer it alone, then all together."""
    finer = (Phase(level, newest) for level in range(1, num_enhancers + 1) for newest in (True, False))
    return (Phase(), *finer)


def trained_names(networks: Pix2PixHDNetworks, phase: Phase) -> set[str]:
    """Returns the names of the parameters that a phase trains; `InputError` for a level that is not there."""
    if not 0 <= phase.level < networks.generator.num_levels:
        raise InputError(
            f"phase {phase.name!r} is of level {phase.level}; the generator has levels 0 to"
            f" {networks.generator.num_levels - 1}; set num_enhancers"
        )
    networks.generator.head(phase.level)
    newest = [f"generator.enhancers.{phase.level - 1}.", f"generator.heads.{phase.level}."]
    coarser = ["encoder.", "generator.trunk.", *(f"generator.enhancers.{i}." for i in range(phase.level - 1))]
    prefixes = tuple(newest if phase.newest_only else newest + coarser)
    return {name for name, _ in networks.named_parameters() if name.startswith(prefixes)}


def set_phase(networks: Pix2PixHDNetworks, phase: Phase) -> list[nn.Parameter]:
    """Freezes what a phase does not train; returns the parameters that it does.

    A frozen parameter gets no gradient, and Adam leaves alone what has none. The authors start Adam anew when G1 joins;
    parameters that were frozen till then have no history here either.
    """
    names = trained_names(networks, phase)
    for name, parameter in networks.named_parameters():
        parameter.requires_grad_(name in names)
        if name not in names:
            parameter.grad = None
    return [parameter for name, parameter in networks.named_parameters() if name in names]


def num_scales(discriminator: nn.Module, networks: Pix2PixHDNetworks, phase: Phase) -> int | None:
    """Returns how many scales judge a phase's pictures: the coarsest, one less for each level that is still to come.

    So with the authors' 3 scales at 1024p, 2 see the global generator's pictures, of the sizes they keep later on.
    None, all of them, for another discriminator than pix2pixHD's own.
    """
    if not isinstance(discriminator, MultiscaleDiscriminator):
        return None
    return max(1, len(discriminator.scales) - (networks.generator.num_levels - 1 - phase.level))


def shrink(batch: LayoutBatch, times: int) -> LayoutBatch:
    """Returns a batch of a coarser level, halved so many times: labels by every second pixel, photos by means."""
    maps = [_channel(m) for m in (batch.label_map, batch.instance_map)]
    label_map, instance_map = (None if m is None else shrink_map(m, times) for m in maps)
    assert label_map is not None
    return LayoutBatch(shrink_image(batch.image, times), label_map, instance_map)


def start_from(fine: nn.Module, coarse: nn.Module) -> list[str]:
    """Copies what a coarser model has learned into one with more levels or scales; returns the names it did not fill.

    Generators: trunk, enhancers and heads keep their level. Discriminators: the coarsest scales stay the coarsest, the
    finest begin new. `ModelError` where a part is there in both and of another shape.
    """
    source, target = coarse.state_dict(), fine.state_dict()
    for name in source.keys() & target.keys():
        if source[name].shape != target[name].shape:
            raise ModelError(
                f"{name} is {tuple(source[name].shape)} in the coarser model, {tuple(target[name].shape)} here;"
                " give both the same width, blocks and classes"
            )
    fine.load_state_dict({name: source.get(name, value) for name, value in target.items()})
    return sorted(target.keys() - source.keys())


def without_coarser_heads(generator: CoarseToFineGenerator) -> CoarseToFineGenerator:
    """Returns the generator itself with the finest head alone, as a model folder and the authors' files have it."""
    finest = str(generator.num_levels - 1)
    for level in list(generator.heads):
        if level != finest:
            del generator.heads[level]
    return generator


def _channel(plane: torch.Tensor | None) -> torch.Tensor | None:
    return plane[:, None] if plane is not None and plane.ndim == 3 else plane
