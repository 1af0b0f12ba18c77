"""The discriminators by the name that recipes use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, get_args

from scenebrush.errors import RecipeError, nearest_name
from scenebrush.layers.discriminators.base import ConditionalDiscriminator
from scenebrush.layers.discriminators.concatenated import ConcatenatedDiscriminator
from scenebrush.layers.discriminators.feature_pyramid import FeaturePyramidDiscriminator
from scenebrush.layers.discriminators.hidden_concatenation import HiddenConcatenationDiscriminator
from scenebrush.layers.discriminators.patch_projection import PatchProjectionDiscriminator
from scenebrush.layers.discriminators.two_streams import SesameDiscriminator
from scenebrush.layers.spectral_norm import settle_

DiscriminatorName = Literal[
    "concatenated", "hidden_concatenation", "patch_projection", "feature_pyramid", "two_streams"
]
"""In the order of the argument: each takes the condition more seriously than the one before."""

DISCRIMINATORS: tuple[DiscriminatorName, ...] = get_args(DiscriminatorName)

_CLASSES: Final[dict[DiscriminatorName, Callable[..., ConditionalDiscriminator]]] = {
    "concatenated": ConcatenatedDiscriminator,
    "hidden_concatenation": HiddenConcatenationDiscriminator,
    "patch_projection": PatchProjectionDiscriminator,
    "feature_pyramid": FeaturePyramidDiscriminator,
    "two_streams": SesameDiscriminator,
}


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
    """Returns a new discriminator by name, ready to judge; `RecipeError` for an unknown name.

    It is initialised from torch's global seed, and its spectral norms are settled: a generator's first step asks it
    in evaluation mode, before it has learned anything.

    `num_layers` and `num_scales` say nothing to "feature_pyramid", which has its own levels; `mean_gate` is for
    "two_streams" alone (see there).
    """
    options: dict[str, Any] = {"image_channels": image_channels, "width": width}
    if name == "two_streams":
        options["mean_gate"] = mean_gate
    if name != "feature_pyramid":
        options |= {"num_layers": num_layers, "num_scales": num_scales}
    if name not in _CLASSES:
        raise RecipeError(f"unknown discriminator {name!r}{nearest_name(name, DISCRIMINATORS)}; there are {_names()}")
    discriminator = _CLASSES[name](condition_channels, **options)
    settle_(discriminator)
    return discriminator


def _names() -> str:
    return ", ".join(DISCRIMINATORS)
