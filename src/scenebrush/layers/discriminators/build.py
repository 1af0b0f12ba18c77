"""The discriminators by the name that recipes use."""

from __future__ import annotations

from typing import Any, Literal, get_args

from scenebrush.errors import RecipeError, nearest_name
from scenebrush.layers.discriminators.base import ConditionalDiscriminator
from scenebrush.layers.discriminators.concatenated import ConcatenatedDiscriminator
from scenebrush.layers.discriminators.feature_pyramid import FeaturePyramidDiscriminator
from scenebrush.layers.discriminators.hidden_concatenation import HiddenConcatenationDiscriminator
from scenebrush.layers.discriminators.patch_projection import PatchProjectionDiscriminator
from scenebrush.layers.discriminators.two_streams import SesameDiscriminator

DiscriminatorName = Literal[
    "concatenated", "hidden_concatenation", "patch_projection", "feature_pyramid", "two_streams"
]
"""In the order of the argument: each takes the condition more seriously than the one before."""

DISCRIMINATORS: tuple[DiscriminatorName, ...] = get_args(DiscriminatorName)


def build_discriminator(
    name: DiscriminatorName,
    condition_channels: int,
    *,
    image_channels: int = 3,
    width: int = 64,
    num_layers: int = 4,
    num_scales: int = 2,
    mean_gate: bool = False,
) -> ConditionalDiscriminator:
    """Returns a discriminator by name, initialised from torch's global seed; `RecipeError` for an unknown name.

    `num_layers` and `num_scales` say nothing to "feature_pyramid", which has its own levels; `mean_gate` is for
    "two_streams" alone (see there).
    """
    sizes: dict[str, Any] = {"image_channels": image_channels, "width": width}
    scales: dict[str, Any] = {**sizes, "num_layers": num_layers, "num_scales": num_scales}
    match name:
        case "concatenated":
            return ConcatenatedDiscriminator(condition_channels, **scales)
        case "hidden_concatenation":
            return HiddenConcatenationDiscriminator(condition_channels, **scales)
        case "patch_projection":
            return PatchProjectionDiscriminator(condition_channels, **scales)
        case "feature_pyramid":
            return FeaturePyramidDiscriminator(condition_channels, **sizes)
        case "two_streams":
            return SesameDiscriminator(condition_channels, **scales, mean_gate=mean_gate)
    raise RecipeError(f"unknown discriminator {name!r}{nearest_name(name, DISCRIMINATORS)}; there are {_names()}")


def _names() -> str:
    return ", ".join(DISCRIMINATORS)
