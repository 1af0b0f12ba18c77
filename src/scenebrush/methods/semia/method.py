"""What SemIA can do: draw whole pictures of any layout in the look of the one photo it learned, and serve edits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from scenebrush.errors import InputError, ModelError
from scenebrush.methods.base import Style
from scenebrush.methods.semia.folder import Renderer, load_renderer, read_fit
from scenebrush.methods.semia.layout_files import read_target_layout
from scenebrush.methods.semia.source import Source
from scenebrush.methods.semia.target_layout import TargetLayout, target_layout
from scenebrush.methods.synthesis_editing import edit_by_synthesis
from scenebrush.scene.edit import Edit
from scenebrush.scene.files import MAX_MEGAPIXELS
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


class SemiaModel:
    """Draws pictures in the look of one photo; a `PhotoSynthesizer` and, through `edit_by_synthesis`, an `Editor`.

    Args:
        renderer: what draws.
        source: the photo that was learned, and its layout.
        name: for messages and tables.

    `nearest_class` may be set: layouts may then have classes that the photo lacks; the nearest that it has are drawn.
    """

    def __init__(self, renderer: Renderer, source: Source, *, name: str = "semia") -> None:
        self.renderer = renderer
        self.source = source
        self.name = name
        self.nearest_class = False

    @property
    def label_set(self) -> LabelSet:
        """The classes of the photo's layout."""
        return self.source.layout.label_set

    def synthesize(self, layout: Layout, *, seed: int = 0, style: Style | None = None) -> np.ndarray:
        """Returns the picture of a layout, of its size; see `methods.base.Synthesizer`.

        The look is the photo's: any other style is an `InputError`, and so is what `target_layout` refuses.
        """
        if style is not None:
            raise InputError(f"fit {self.name!r} has one look, that of its photo; leave the style out")
        target = self._target(layout).layout
        picture = self.renderer.render(target, seed)
        if target.shape == layout.shape:
            return picture
        size = (layout.shape[1], layout.shape[0])
        return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))

    def varies(self, style: Style | None = None) -> bool:
        """Returns whether seeds change the picture."""
        return self.renderer.varies

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        """Returns the photo after the edit; see `methods.base.Editor.edit`. It is meant for the photo that was learned.

        On another photo of the same classes the hole is drawn in the look of the learned one.
        """
        return edit_by_synthesis(self, scene, edit, seed=seed)

    def notes(self, layout: Layout) -> tuple[str, ...]:
        """Returns what is to be said about drawing this layout, one line each: that it is resized, say.

        Raises what `synthesize` would.
        """
        return self._target(layout).notes

    def read_layout(self, path: str | Path, *, max_megapixels: float | None = MAX_MEGAPIXELS) -> Layout:
        """Returns the layout in a file, made as the photo's was: ids, a drawing in its colours, or lines."""
        return read_target_layout(path, self.source, max_megapixels=max_megapixels)

    def _target(self, layout: Layout) -> TargetLayout:
        return target_layout(
            layout,
            self.source,
            name=self.name,
            any_size=self.renderer.any_size,
            nearest_class=self.nearest_class,
        )


def load(folder: Path | None) -> SemiaModel:
    """Returns the model in a folder that `scenebrush fit` wrote; `ModelError` says what is wrong with it."""
    if folder is None:
        raise ModelError("method 'semia' needs a model folder; make one of a photo with scenebrush fit")
    fit = read_fit(folder)
    return SemiaModel(load_renderer(folder, fit), fit.source, name=folder.resolve().name)
