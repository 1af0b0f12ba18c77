"""What SESAME can do: render edits with a trained generator, and adapt itself to one photo."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from scenebrush.canvas import compose
from scenebrush.data.split_in_memory import connected_objects
from scenebrush.errors import ModelError
from scenebrush.methods.base import Adaptation
from scenebrush.methods.sesame.adaptation import adapt
from scenebrush.methods.sesame.compact import CompactGenerator
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.dataset import class_indices
from scenebrush.methods.sesame.folder import load_generator
from scenebrush.methods.sesame.hints import paint_colors
from scenebrush.methods.sesame.networks import WindowGenerator, build_generator
from scenebrush.methods.sesame.render import Drawable, draw
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet

from scenebrush.scene.scene import Scene


class SesameEditor:
    """Renders edits: stuff from the canvas where the gate keeps it, objects and the rest drawn.

    Args:
        generator: a trained generator.
        label_set: the classes that it knows, in the order of its indices.
        name: for messages and tables.
        guided: False draws without the canvas (a guided generator can do both).
    """

    def __init__(self, generator: WindowGenerator, label_set: LabelSet, *, name: str = "sesame", guided: bool = True) -> None:
        self.generator = generator
        self.label_set = label_set
        self.name = name
        self.guided = guided and generator.config.network == "compact" and generator.config.guided

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        """Returns the photo after the edit; see `methods.base.Editor.edit`.

        Seed 0 lets the network choose what colour objects have; others choose a paint for each object.
        """
        self._check(scene.layout.label_set)
        canvas = compose(scene, edit)
        hole = edit.hole & ~canvas.carried
        if not hole.any():
            return canvas.photo
        layout = edit.layout
        instances = layout.instance_map if layout.instance_map is not None else connected_objects(layout.label_map, layout.label_set)
        drawable = Drawable(
            photo=canvas.photo,
            labels=class_indices(layout.label_map, layout.label_set),
            instances=np.asarray(instances),
            hole=hole,
            guide=canvas.photo if self.guided else None,
            copied=canvas.copied if self.guided else None,
            things=layout.label_set.is_kind(layout.label_map, "thing"),
        )
        return draw(self.generator, drawable, paint_colors(scene, drawable.instances, hole, seed))

    def with_label_set(self, label_set: LabelSet) -> SesameEditor:
        """Returns this editor for another label set: classes of equal name keep their embedding.

        A class that the model never saw begins with the mean of the known classes of its kind; it has to be learned
        (`adapt`).
        """
        if label_set == self.label_set:
            return self
        network = self.generator.network
        if not isinstance(network, CompactGenerator):
            raise ModelError(f"model {self.name!r} has one-hot labels of {self.label_set.name!r}; they cannot be extended")
        things = tuple(i for i, c in enumerate(label_set.classes) if c.kind == "thing")
        config = dataclasses.replace(self.generator.config, num_classes=len(label_set.classes), thing_classes=things)
        return SesameEditor(
            _with_classes(self.generator, self.label_set, config, label_set), label_set, name=self.name, guided=self.guided
        )

    def adapt(
        self, scene: Scene, *, seconds: float, seed: int = 0, report: Callable[[float], None] | None = None
    ) -> Adaptation:
        """Learns from the scene's photo; see `methods.base.Adaptable` and `adaptation.adapt`.

        Where the scene has another label set, the model is extended to it first, and stays so.
        """
        editor = self.with_label_set(scene.layout.label_set)
        adapted = adapt(editor.generator, scene, seconds=seconds, seed=seed, report=report)
        if adapted.better:
            editor = SesameEditor(adapted.generator, editor.label_set, name=self.name, guided=self.guided)
        return Adaptation(editor, adapted.before, adapted.after, adapted.better)

    def _check(self, label_set: LabelSet) -> None:
        if [(c.id, c.name) for c in label_set.classes] != [(c.id, c.name) for c in self.label_set.classes]:
            raise ModelError(
                f"model {self.name!r} knows the classes of {self.label_set.name!r}, not of {label_set.name!r};"
                " use --model canvas, or --adapt SECONDS so that it learns them from the photo"
            )


def load(folder: Path | None) -> SesameEditor:
    """Returns the editor of a model folder."""
    if folder is None:
        raise ModelError("method 'sesame' needs a model folder; train one with scenebrush train recipes/sesame/street.yaml")
    generator, label_set = load_generator(folder)
    return SesameEditor(generator, label_set, name=folder.name)


def _with_classes(
    generator: WindowGenerator, old: LabelSet, config: SesameConfig, label_set: LabelSet
) -> WindowGenerator:
    extended = build_generator(config)
    state: Mapping[str, torch.Tensor] = generator.state_dict()
    by_class = ("network.label_embedding.weight", "network.gate_bias.weight")
    rows = {key: _rows(state[key], old, label_set) for key in by_class}
    extended.load_state_dict({**state, **rows})
    return extended.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _rows(table: torch.Tensor, old: LabelSet, new: LabelSet) -> torch.Tensor:
    """Returns the embedding rows of the new classes: the same-named class's, else the mean of its kind, else of all."""
    index = {c.name: i for i, c in enumerate(old.classes)}
    rows = []
    for c in new.classes:
        same_kind = [i for i, o in enumerate(old.classes) if o.kind == c.kind] or list(range(len(old.classes)))
        rows.append(table[index[c.name]] if c.name in index else table[same_kind].mean(0))
    return torch.stack(rows)
