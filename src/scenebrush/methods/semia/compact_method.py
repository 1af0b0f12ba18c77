"""Drawing with our networks: the photo is copied into the layout asked for, and what does not fit is gone over."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from scenebrush.canvas.analogy import Analogy, AnalogySettings
from scenebrush.errors import ModelError
from scenebrush.methods.base import read_config
from scenebrush.methods.layout_arrays import class_indices, picture
from scenebrush.methods.model_folder import load_weights
from scenebrush.methods.semia.config import SemiaConfig
from scenebrush.methods.semia.refiner import Refiner
from scenebrush.methods.semia.source import Source
from scenebrush.scene.files import value_counts
from scenebrush.scene.layout import Layout

_FITS = 1e-6  # a copy that costs no more is the photo itself
_SIDE = 8

PROFILES: Final = (
    AnalogySettings(),
    AnalogySettings(coherence=0.3),
    AnalogySettings(coherence=3.0),
    AnalogySettings(guide=0.2),
    AnalogySettings(guide=1.5),
    AnalogySettings(place=0.1),
    AnalogySettings(place=2.0),
    AnalogySettings(reach=20.0),
)
"""The ways of copying that a fit tries; the first is the one for all photos."""


class CompactRenderer:
    """A `Renderer` that copies, and goes over the copy where learning has shown that it helps.

    Args:
        source: the photo.
        settings: of the copy.
        refiner: in evaluation mode; None = the copy is the picture.
    """

    any_size = True
    varies = True

    def __init__(self, source: Source, settings: AnalogySettings, refiner: Refiner | None) -> None:
        self.source = source
        self.refiner = refiner
        self.analogy = Analogy(source.photo, source.layout, settings=settings, lines=line_class(source))

    def render(self, layout: Layout, seed: int) -> np.ndarray:
        """Returns the picture of a layout of any size, uint8 (H, W, 3)."""
        made = self.analogy.render(layout, seed=seed)
        if self.refiner is None:
            return made.picture
        doubt = ndimage.binary_dilation(made.cost > _FITS)
        return refined(self.refiner, made.picture, class_indices(layout.label_map, layout.label_set), doubt, made.cost)


def refined(
    refiner: Refiner, canvas: np.ndarray, classes: np.ndarray, doubt: np.ndarray, cost: np.ndarray
) -> np.ndarray:
    """Returns the canvas, uint8 (H, W, 3), gone over where `doubt`, bool (H, W); elsewhere it is as it was."""
    if not doubt.any():
        return canvas
    device = next(refiner.parameters()).device
    planes = [
        _plane(canvas).float() / 127.5 - 1,
        _plane(classes)[:, 0].long(),
        _plane(doubt).float(),
        _plane(cost).float(),
    ]
    with torch.inference_mode():
        drawn = picture(refiner(*(plane.to(device) for plane in planes)), canvas.shape[:2])
    return np.where(doubt[..., None], drawn, canvas)


def line_class(source: Source) -> int | None:
    """Returns the id of the class that is lines, where the photo was learned by its lines."""
    if source.kind != "edges":
        return None
    counts = value_counts(source.layout.label_map)
    return min(counts, key=lambda value: counts[value])


def build_refiner(config: SemiaConfig, num_classes: int) -> Refiner:
    """Returns the network of a configuration, with new weights; it changes nothing yet."""
    return Refiner(num_classes, width=config.refiner_width)


def load_renderer(folder: Path, config: SemiaConfig, source: Source) -> CompactRenderer:
    """Returns the renderer of a model folder; `ModelError` where its weights do not fit the configuration."""
    training = read_config(folder).get("training") or {}
    # Read in any case: a folder that is not whole is to be known as such.
    refiner = load_weights(folder, lambda: build_refiner(config, len(source.layout.label_set.classes)))
    profile = training.get("copying", 0)
    if profile not in range(len(PROFILES)):
        raise ModelError(
            f"{folder}/config.json copies by profile {profile!r}; this scenebrush has 0-{len(PROFILES) - 1}"
        )
    return CompactRenderer(source, PROFILES[profile], refiner if training.get("refiner_helps") else None)


def _plane(values: np.ndarray) -> Tensor:
    """(1, C, H', W') of (H, W) or (H, W, C), padded to sides divisible by 8."""
    padding = [(0, -n % _SIDE) for n in values.shape[:2]] + [(0, 0)] * (values.ndim - 2)
    padded = np.pad(values, padding, mode="edge")
    padded = padded[..., None] if values.ndim == 2 else padded
    return torch.from_numpy(np.ascontiguousarray(padded)).permute(2, 0, 1)[None]
