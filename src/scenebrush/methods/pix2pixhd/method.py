"""What pix2pixHD can do: draw whole pictures from layouts, each object in a style of its own, and serve edits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from scenebrush.errors import InputError, ModelError
from scenebrush.methods.base import Drawing, Look, Style
from scenebrush.methods.layout_arrays import check_label_set, layout_tensors, picture
from scenebrush.methods.pix2pixhd.folder import load_model
from scenebrush.methods.pix2pixhd.looks import PhotoLooks, features, features_of_looks, looks_of_objects
from scenebrush.methods.pix2pixhd.networks import Pix2PixHDNetworks
from scenebrush.methods.pix2pixhd.preprocess import StyledLayout
from scenebrush.methods.pix2pixhd.redrawing import Drawn, Memory, draw_again, draw_whole
from scenebrush.methods.pix2pixhd.strips import Strips
from scenebrush.methods.pix2pixhd.styles import StyleBook
from scenebrush.methods.synthesis_editing import edit_by_synthesis
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.object_keys import ObjectKey
from scenebrush.scene.scene import Scene

_LARGE: Final = 2**20  # pixels; a larger picture is drawn in strips, so that memory stays flat


class Pix2PixHDSynthesizer:
    """Draws pictures; an `ObjectSynthesizer` and, through `edit_by_synthesis`, an `Editor`.

    Args:
        networks: trained, in evaluation mode.
        label_set: the classes that they know, in the order of their indices.
        styles: the styles of each class; None = the model has none, or none were made.
        name: for messages and tables.
    """

    def __init__(
        self,
        networks: Pix2PixHDNetworks,
        label_set: LabelSet,
        styles: StyleBook | None = None,
        *,
        name: str = "pix2pixhd",
    ) -> None:
        self.networks = networks
        self.label_set = label_set
        self.styles = styles
        self.name = name

    def synthesize(self, layout: Layout, *, seed: int = 0, style: Style | None = None) -> np.ndarray:
        """Returns the picture of a layout; see `methods.base.Synthesizer`.

        Objects look as `looks.features` says. Seed 0 gives those for which nothing was asked the most frequent style of
        their class, other seeds draw one for each object. A style's photo needs a layout.
        """
        large = layout.shape[0] * layout.shape[1] > _LARGE
        with torch.inference_mode():
            styles = self._features(layout, seed, style)
            label_map, instance_map = layout_tensors(layout)
            drawn = self.networks.synthesize(label_map, instance_map, styles=styles, strips=Strips() if large else None)
            return picture(drawn, layout.shape)

    @property
    def has_looks(self) -> bool:
        """Whether the model was trained with styles."""
        return self.networks.encoder is not None

    def looks(self, layout: Layout, *, seed: int = 0, style: Style | None = None) -> dict[ObjectKey, Look]:
        """Returns how `synthesize` draws each object; see `methods.base.ObjectSynthesizer.looks`."""
        with torch.inference_mode():
            drawn = self._features(layout, seed, style)
        if drawn is None:
            return {}
        found = looks_of_objects(layout_tensors(layout), drawn, self._book())
        ids = self.label_set.ids
        return {(ids[index], instance): look for (index, instance), look in found.items()}

    def draw(self, layout: Layout, looks: Mapping[ObjectKey, Look]) -> Drawing:
        """Returns the picture of a layout, and its maps; see `methods.base.ObjectSynthesizer.draw`."""
        drawn = draw_whole(self.networks, self._styled(layout, looks))
        return self._drawing(drawn, layout, looks)

    def redraw(self, drawing: Drawing, layout: Layout, looks: Mapping[ObjectKey, Look]) -> Drawing:
        """Returns the picture of a changed layout; see `methods.base.ObjectSynthesizer.redraw`."""
        memory = drawing.memory
        if layout.shape != drawing.layout.shape or not isinstance(memory, Memory):
            return self.draw(layout, looks)
        before, styled = self._styled(drawing.layout, drawing.looks), self._styled(layout, looks)
        return self._drawing(draw_again(self.networks, drawing.picture, before, styled, memory), layout, looks)

    def varies(self, style: Style | None = None) -> bool:
        """Returns whether seeds may change the picture: where there are styles to draw from."""
        return self.networks.encoder is not None and (
            self.styles is not None or (style is not None and style.photo is not None)
        )

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        """Returns the photo after the edit, its objects in their own look; see `methods.base.Editor.edit`."""
        return edit_by_synthesis(self, scene, edit, seed=seed, photo_style=self.networks.encoder is not None)

    def num_styles(self, class_name: str) -> int:
        """Returns how many styles a class has, perhaps 0; `LabelError` for a class that is not in the label set."""
        return 0 if self.styles is None else self.styles.num_styles(self._index(class_name))

    def _features(self, layout: Layout, seed: int, style: Style | None) -> Tensor | None:
        """Returns the generator's features (1, F, H, W) of a layout; None where the model has none."""
        check_label_set(self.name, self.label_set, layout)
        if self.networks.encoder is None:
            if style is not None:
                raise InputError(
                    f"model {self.name!r} was trained without styles: one layout, one picture; give no style"
                )
            return None
        return features(
            layout_tensors(layout),
            self._book(),
            looks=self._looks(style),
            by_class=self._by_class(style),
            seed=seed or None,
            pooling=self.networks.config.pooling,
        )

    def _styled(self, layout: Layout, looks: Mapping[ObjectKey, Look]) -> StyledLayout:
        """Returns a layout with the features of its objects, as the networks take it."""
        check_label_set(self.name, self.label_set, layout)
        maps = layout_tensors(layout)
        if not self.has_looks:
            if looks:
                raise InputError(f"model {self.name!r} was trained without styles; give its objects no looks")
            return StyledLayout.of(*maps, None)
        by_index = {(self._index(class_id), number): look for (class_id, number), look in looks.items()}
        return StyledLayout.of(*maps, features_of_looks(maps, by_index, self._book()))

    def _drawing(self, drawn: Drawn, layout: Layout, looks: Mapping[ObjectKey, Look]) -> Drawing:
        height, width = layout.shape
        inside = [box.grown(0, (height, width)) for box in drawn.boxes]
        boxes = tuple((b.left, b.top, b.right - b.left, b.bottom - b.top) for b in inside)
        return Drawing(drawn.picture, layout, dict(looks), boxes, drawn.memory)

    def _index(self, class_: str | int) -> int:
        return self.label_set.classes.index(self.label_set.find(class_))

    def _book(self) -> StyleBook:
        return self.styles or StyleBook(self.networks.config.num_features, {}, {})

    def _by_class(self, style: Style | None) -> dict[int, int]:
        asked = {} if style is None else dict(style.classes)
        for name, number in asked.items():
            count = self.num_styles(name)
            if not 0 <= number < count:
                there = f"styles 0 to {count - 1}" if count else "no styles"
                raise InputError(f"class {name!r} has {there} in model {self.name!r}; style {number} was asked for")
        return {self._index(name): number for name, number in asked.items()}

    def _looks(self, style: Style | None) -> PhotoLooks | None:
        if style is None or style.photo is None:
            return None
        if style.layout is None:
            raise InputError(f"model {self.name!r} takes a style per object; give the style photo's label map too")
        check_label_set(self.name, self.label_set, style.layout)
        if style.photo.shape[:2] != style.layout.shape:
            raise InputError(
                f"style photo is {style.photo.shape[1]}x{style.photo.shape[0]}, its label map"
                f" {style.layout.shape[1]}x{style.layout.shape[0]}; give the photo's own map"
            )
        return PhotoLooks.of(self.networks, style)


def load(folder: Path | None) -> Pix2PixHDSynthesizer:
    """Returns the synthesizer of a model folder; see `folder.load_model` for what may be wrong with it."""
    if folder is None:
        raise ModelError(
            "method 'pix2pixhd' needs a model folder; name one that was trained, or use scenebrush convert"
        )
    return Pix2PixHDSynthesizer(*load_model(folder), name=folder.resolve().name)
