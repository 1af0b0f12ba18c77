"""SPADE's discriminator: multi-scale PatchGAN on the concatenated pair of semantics and image (facts 2.4).

It lives in `scenebrush.layers.discriminators.concatenated` beside its rivals, among them SESAME's two streams (facts
1.11); `networks.build_discriminator` takes the one that the configuration names.
"""

from __future__ import annotations

from scenebrush.layers.discriminators.base import Judgement
from scenebrush.layers.discriminators.concatenated import ConcatenatedDiscriminator as SPADEDiscriminator

__all__ = ["Judgement", "SPADEDiscriminator"]
