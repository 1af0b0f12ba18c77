"""The two-stream discriminator of SESAME under the paper's name (section 3.2, figure 3).

It lives in `scenebrush.layers.discriminators.two_streams`, for it serves SPADE's generator too (facts 1.11).
"""

from __future__ import annotations

from scenebrush.layers.discriminators.base import Judgement
from scenebrush.layers.discriminators.two_streams import SesameDiscriminator, TwoStreamDiscriminator

__all__ = ["Judgement", "SesameDiscriminator", "TwoStreamDiscriminator"]
