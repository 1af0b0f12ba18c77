"""What SESAME can do: render edits with a trained generator, and adapt itself to one photo."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from scenebrush.canvas import compose
from scenebrush.errors import ModelError
from scenebrush.methods.base import Adaptation
from scenebrush.methods.sesame.adaptation import adapt
from scenebrush.methods.sesame.compact import CompactGenerator
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.dataset import class_indices, object_map
from scenebrush.methods.sesame.folder import load_generator
from scenebrush.methods.sesame.hints import paint_colors
from scenebrush.methods.sesame.networks import WindowGenerator, build_generator
from scenebrush.methods.sesame.render import Drawable, draw
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


class SesameEditor:
    """Renders edits: stuff from the canvas where the gate keeps it, objects and the rest drawn.

    Args:
        generator: a trained generator.
        label_set: the classes that it knows, in the order of its indices.
        name: for messages and tables.
        guided: False draws without the canvas (a guided generator can do both).
        lend: the canvas lends objects the look of others of their class, as `--model canvas` does; for a generator
            that has learned to see them (`adapt`).
    """

    def __init__(
        self,
        generator: WindowGenerator,
        label_set: LabelSet,
        *,
        name: str = "sesame",
        guided: bool = True,
        lend: bool = False,
    ) -> None:
        self.generator = generator
        self.label_set = label_set
        self.name = name
        self.lend = lend
        self.guided = guided and generator.config.network == "compact" and generator.config.guided

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        """Returns the photo after the edit; see `methods.base.Editor.edit`.

        Seed 0 lets the network choose what colour objects have; others choose a paint for each object.
        """
        self._check(scene.layout.label_set)
        canvas = compose(scene, edit, lend=self.lend)
        hole = edit.hole & ~canvas.carried  # a carried object, soft rim included, is known and stays
        if not hole.any():
            return canvas.photo
        layout, instances = edit.layout, object_map(edit.layout)
        drawable = Drawable(
            photo=canvas.photo,
            labels=class_indices(layout.label_map, layout.label_set),
            instances=instances,
            hole=hole,
            guide=canvas.photo if self.guided else None,
            copied=canvas.copied if self.guided else None,
            things=layout.label_set.is_kind(layout.label_map, "thing"),
        )
        return draw(self.generator, drawable, paint_colors(scene, layout, instances, hole, seed))

    def with_label_set(self, label_set: LabelSet) -> SesameEditor:
        """Returns this editor for another label set: classes of equal name keep their embedding.

        A class that the model never saw begins with the mean of the known classes of its kind; it has to be learned
        (`adapt`). Only the compact network can be extended; the paper's raises `ModelError`.
        """
        if label_set == self.label_set:
            return self
        if not isinstance(self.generator.network, CompactGenerator):
            known = self.label_set.name
            raise ModelError(f"model {self.name!r} has one-hot labels of {known!r}; they cannot be extended")
        extended = _with_classes(self.generator, self.label_set, label_set)
        return SesameEditor(extended, label_set, name=self.name, guided=self.guided)

    def adapt(
        self,
        scene: Scene,
        edits: Sequence[Edit] = (),
        *,
        seconds: float,
        seed: int = 0,
        report: Callable[[float], None] | None = None,
    ) -> Adaptation:
        """Learns from the scene's photo; see `methods.base.Adaptable` and `adaptation.adapt`.

        Where the scene has another label set, the model is extended to it first, and stays so. Where learning does
        not help with classes that it never saw, the canvas alone makes the picture if that does better.
        """
        editor = self.with_label_set(scene.layout.label_set)
        new = _new_classes(scene.layout, self.label_set)
        adapted = adapt(editor.generator, scene, edits, seconds=seconds, seed=seed, new_classes=new, report=report)
        if new or adapted.better:
            editor = SesameEditor(
                adapted.generator, editor.label_set, name=self.name, guided=self.guided, lend=bool(new) or self.lend
            )
        return Adaptation(
            editor, adapted.before, adapted.after, adapted.better, adapted.margin, adapted.measure, adapted.steps
        )

    def _check(self, label_set: LabelSet) -> None:
        if [(c.id, c.name) for c in label_set.classes] != [(c.id, c.name) for c in self.label_set.classes]:
            raise ModelError(
                f"model {self.name!r} knows the classes of {self.label_set.name!r}, not of {label_set.name!r};"
                " use --model canvas, or --adapt SECONDS so that it learns them from the photo"
            )


def load(folder: Path | None) -> SesameEditor:
    """Returns the editor of a model folder; see `folder.load_generator` for what may be wrong with it."""
    if folder is None:
        raise ModelError(
            "method 'sesame' needs a model folder; train one with scenebrush train recipes/sesame/street.yaml"
        )
    generator, label_set = load_generator(folder)
    return SesameEditor(generator, label_set, name=folder.name)


def _new_classes(layout: Layout, known: LabelSet) -> list[int]:
    """Returns the indices of the layout's classes that its label map shows and `known` does not name, void aside."""
    shown, names = set(np.unique(layout.label_map).tolist()), {c.name for c in known.classes}
    classes = enumerate(layout.label_set.classes)
    return [i for i, c in classes if c.id in shown and c.kind != "void" and c.name not in names]


def _with_classes(generator: WindowGenerator, old: LabelSet, new: LabelSet) -> WindowGenerator:
    """Returns the compact generator for another label set; only its tables by class change."""
    extended = build_generator(_for_label_set(generator.config, new))
    state: dict[str, torch.Tensor] = generator.state_dict()
    by_class = ("network.label_embedding.weight", "network.gate_bias.weight")
    extended.load_state_dict({**state, **{key: _rows(state[key], old, new) for key in by_class}})
    return extended.eval().requires_grad_(False)


def _for_label_set(config: SesameConfig, label_set: LabelSet) -> SesameConfig:
    things = tuple(index for index, c in enumerate(label_set.classes) if c.kind == "thing")
    return dataclasses.replace(config, num_classes=len(label_set.classes), thing_classes=things)


def _rows(table: torch.Tensor, old: LabelSet, new: LabelSet) -> torch.Tensor:
    """Returns the rows of the new classes: the same-named class's, else the mean of its kind, else of all."""
    index = {c.name: i for i, c in enumerate(old.classes)}
    rows = []
    for c in new.classes:
        same_kind = [i for i, o in enumerate(old.classes) if o.kind == c.kind] or list(range(len(old.classes)))
        rows.append(table[index[c.name]] if c.name in index else table[same_kind].mean(0))
    return torch.stack(rows)
