"""OpenSESAME's released checkpoints as our networks; what no shape tells is an option."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from scenebrush.errors import ModelError
from scenebrush.layers.norms import ParameterFreeBatchNorm
from scenebrush.methods.checkpoints import Converted, States, label_channels
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.generator import SesameGenerator
from scenebrush.methods.sesame.networks import WindowGenerator, channels_last
from scenebrush.methods.sesame.original_keys import generator_from_original
from scenebrush.scene.label_set import LabelSet


@dataclass(frozen=True)
class Options:
    """What the shapes do not tell.

    Args:
        semantics: labels of the "hole" only, as the released Cityscapes script gives them, or "everywhere", as the
            ADE20K script.
    """

    semantics: Literal["hole", "everywhere"] = "hole"


def convert(states: States, label_set: LabelSet, options: Options) -> Converted:
    """Returns configuration and generator of the authors' `*_net_G.pth`.

    Raises:
        ModelError: a key that is missing, left over or of another shape; a label set of other classes; options of the
            network that a model folder has no place for.
    """
    if states.encoder is not None:
        raise ModelError("SESAME has no style encoder; leave it out")
    generator = generator_from_original(states.generator)
    if not generator.mixes_condition:
        raise ModelError(
            "the first layer does not see photo and labels together (mix_input_gen off); such a network edits nothing"
        )
    if not isinstance(generator.core_blocks[0].modulation_0.norm, ParameterFreeBatchNorm):
        raise ModelError(
            "the generator has instance norm; expected batch norm with its running statistics, as released"
        )
    num_classes = label_channels(generator.condition_channels - 1, label_set, False).num_classes  # one is the hole
    config = _config(generator, num_classes, options)
    with torch.device("meta"):
        network = WindowGenerator(config)
    try:
        network.network.load_state_dict(generator.state_dict(), assign=True)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelError(
            f"the checkpoint has options that a model folder of SESAME has no place for: {reason}"
        ) from error
    return Converted(config, channels_last(network))


def _config(generator: SesameGenerator, num_classes: int, options: Options) -> SesameConfig:
    narrow = generator.down_blocks[-1].convolution.out_channels  # type: ignore[union-attr]
    residual = generator.residual_blocks
    broad = residual[-1].convolution_1.out_channels if len(residual) else narrow  # type: ignore[union-attr]
    return SesameConfig(
        num_classes=num_classes,
        network="paper",
        guided=False,
        width=generator.first.convolution.out_channels,
        num_blocks=len(generator.core_blocks),
        num_residual=len(residual),
        skips=generator.skips,
        wide=broad != narrow,
        semantics=options.semantics,
    )
