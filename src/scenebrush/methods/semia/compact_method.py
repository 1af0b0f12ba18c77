"""Drawing with our kind of fit: the photo is copied into the layout asked for (`canvas.analogy`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from scenebrush.canvas.analogy import Analogy, AnalogySettings
from scenebrush.errors import InputError, ModelError
from scenebrush.methods.semia.config import SemiaConfig
from scenebrush.methods.semia.source import Source
from scenebrush.scene.files import value_counts
from scenebrush.scene.layout import Layout


class CompactRenderer:
    """A `Renderer` that copies.

    Args:
        source: the photo.
        settings: what counts how much.
    """

    any_size = True
    varies = True

    def __init__(self, source: Source, settings: AnalogySettings) -> None:
        self.source = source
        self.analogy = Analogy(source.photo, source.layout, settings=settings, lines=line_class(source))

    def render(self, layout: Layout, seed: int) -> np.ndarray:
        """Returns the picture of a layout of any size, uint8 (H, W, 3)."""
        return self.analogy.render(layout, seed=seed).picture


def line_class(source: Source) -> int | None:
    """Returns the id of the class that is lines, where the photo was learned by its lines."""
    if source.kind != "edges":
        return None
    counts = value_counts(source.layout.label_map)
    return min(counts, key=lambda value: counts[value])


def settings_tensors(settings: AnalogySettings) -> dict[str, Tensor]:
    """Returns settings as a model folder keeps them: float64 scalars."""
    return {name: torch.tensor(float(value), dtype=torch.float64) for name, value in asdict(settings).items()}


def settings_of(tensors: Mapping[str, Tensor]) -> AnalogySettings:
    """Returns the settings of `settings_tensors`; `ValueError` where they are none."""
    kinds = {name: type(value) for name, value in asdict(AnalogySettings()).items()}
    try:
        return AnalogySettings(**{name: kind(tensors[name].item()) for name, kind in kinds.items()})
    except KeyError as error:
        raise ValueError(f"no {error.args[0]!r} in it") from error
    except (RuntimeError, InputError) as error:  # more than one number, or a number that will not do
        raise ValueError(str(error)) from error


def load_renderer(folder: Path, config: SemiaConfig, source: Source) -> CompactRenderer:
    """Returns the renderer of a model folder; `ModelError` where it does not hold what was learned."""
    path = folder / "model.safetensors"
    try:
        return CompactRenderer(source, settings_of(load_file(path)))
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelError(
            f"{path} does not hold what was learned ({error}); take the model folder from its source again"
        ) from error
