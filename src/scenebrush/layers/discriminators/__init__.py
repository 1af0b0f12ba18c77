"""Conditional patch discriminators as exchangeable parts: one file each, chosen by name (`build_discriminator`)."""

from scenebrush.layers.discriminators.base import ConditionalDiscriminator, Judgement
from scenebrush.layers.discriminators.build import DISCRIMINATORS, DiscriminatorName, build_discriminator

__all__ = ["DISCRIMINATORS", "ConditionalDiscriminator", "DiscriminatorName", "Judgement", "build_discriminator"]
