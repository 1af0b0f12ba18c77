"""Drawing with the paper's networks: the photo is brought from its own layout into the one asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scenebrush.methods.layout_arrays import photo_tensor, picture
from scenebrush.methods.model_folder import load_weights
from scenebrush.methods.semia.config import SemiaConfig
from scenebrush.methods.semia.generator import SemiaGenerator
from scenebrush.methods.semia.source import Source
from scenebrush.scene.layout import Layout


class PaperRenderer:
    """A `Renderer` with the paper's generator.

    Args:
        generator: in evaluation mode.
        source: what it learned: the photo and layout that every picture is made from.
        divisor: what the sides must be divisible by; pictures are padded for it, and cropped again.
    """

    any_size = False  # photo and layout are seen together, pixel by pixel
    varies = False

    def __init__(self, generator: SemiaGenerator, source: Source, divisor: int = 8) -> None:
        self.generator = generator
        self.source = source
        self.divisor = divisor

    def render(self, layout: Layout, seed: int) -> np.ndarray:
        """Returns the picture of a layout of the source's size, uint8 (H, W, 3); the seed changes nothing."""
        with torch.inference_mode():
            drawn = self.generator(
                photo_tensor(self.source.photo, self.divisor),
                layout_picture(self.source.layout, self.divisor),
                layout_picture(layout, self.divisor),
            ).picture
            return picture(drawn, layout.shape)


def build_generator(config: SemiaConfig) -> SemiaGenerator:
    """Returns the generator of a configuration, with new weights."""
    return SemiaGenerator(
        config.condition_channels,
        width=config.width,
        levels=config.levels,
        modulate_encoder=config.modulate_encoder,
        modulate_decoder=config.modulate_decoder,
        skips=config.skips,
    )


def layout_picture(layout: Layout, divisor: int = 1) -> Tensor:
    """Returns a layout in its classes' colours, float (1, 3, H', W') in [-1, 1], its sides padded to the divisor."""
    return photo_tensor(layout.label_set.colors(layout.label_map), divisor)


def load_renderer(folder: Path, config: SemiaConfig, source: Source) -> PaperRenderer:
    """Returns the renderer of a model folder; `ModelError` where its weights do not fit the configuration."""
    return PaperRenderer(load_weights(folder, lambda: build_generator(config)), source, config.divisor)
