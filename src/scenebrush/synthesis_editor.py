"""The facade for pictures made object by object: change the layout, choose styles, and only that is drawn again.

editor = SynthesisEditor(Layout(label_map, label_set), "runs/facades/model")
editor.add("window", box=(40, 60, 30, 50), style=2).relabel((200, 90), "balcony_fence").render().save("out.png")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, Self

import numpy as np

from scenebrush.editor import save_scene
from scenebrush.errors import EditError, InputError
from scenebrush.methods import load_object_synthesizer
from scenebrush.methods.base import Drawing, Look, ObjectSynthesizer, Style
from scenebrush.methods.object_styles import checked_look, checked_style, look_like
from scenebrush.methods.synthesis_editing import insert
from scenebrush.scene import operations
from scenebrush.scene.editing import Editing, Operation
from scenebrush.scene.layout import Layout
from scenebrush.scene.object_keys import ObjectKey, added_key, key_at, mask_of, object_keys, preview_box
from scenebrush.scene.objects import numbered
from scenebrush.scene.operations.holes import rim
from scenebrush.scene.operations.shapes import Point, stroke_mask
from scenebrush.scene.scene import Scene

PREVIEW = 128
"""Pixels: an alternative shows at least so much around its object on either axis, where the picture has it."""


@dataclass(eq=False)
class _Step:
    """The layout and looks after a step, and where it changes a photo; the pixels once they are rendered."""

    layout: Layout
    looks: Mapping[ObjectKey, Look]
    hole: np.ndarray
    drawing: Drawing | None = None
    picture: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Alternative:
    """One object in one of its class's styles.

    Args:
        style: its number.
        picture: uint8 (h, w, 3), the object and what is around it.
        box: (x, y, width, height), where that lies in the whole picture.
    """

    style: int
    picture: np.ndarray
    box: tuple[int, int, int, int]


class SynthesisEditor(Editing[_Step]):
    """Edits a picture that a model makes of a layout, or a photo, object by object, each in a look of its own.

    Operations and styles are checked and change `layout` and `looks` when they are called; `render` draws, and only
    around what changed. What is rendered stays rendered: `undo` and `redo` cost nothing. An object keeps its look when
    another is edited. Every method of editing returns the editor itself.

    An object is an instance; things without a number get one each when the editor is made. All stuff of a class is one
    object: the sky has one style, wherever it is seen.

    Args:
        start: a layout, of which the whole picture is drawn; or a scene, whose photo is kept where it is not edited,
            and whose objects look as they do in the photo. Objects that are moved are drawn anew: `Editor` carries
            their pixels along.
        model: a loaded model, its name or folder.
        style: the look at the start, and of new objects: a photo's, or numbers per class. A scene's photo is its own.
        seed: 0 gives objects for which nothing is asked their class's most frequent style, others draw one for each.
        looks: of single objects at the start, such as those of an earlier editor; they go before `style`.

    Raises:
        ModelError: a model that cannot draw object by object, or knows other classes.
        InputError: a style that the model does not have, or a look of an object that is not there.
        EditError: a seed below 0.
    """

    def __init__(
        self,
        start: Layout | Scene,
        model: ObjectSynthesizer | str | Path,
        *,
        style: Style | None = None,
        seed: int = 0,
        looks: Mapping[ObjectKey, Look] | None = None,
    ) -> None:
        super().__init__()
        if seed < 0:
            raise EditError(f"seed {seed} will not do; give 0 or more")
        self.model = load_object_synthesizer(model) if isinstance(model, str | Path) else model
        self.seed = seed
        self._scene = start if isinstance(start, Scene) else None
        layout = numbered(start.layout if isinstance(start, Scene) else start)
        self._style = style
        if self._scene is not None and self.model.has_looks:
            self._style = Style(self._scene.photo, layout, classes=style.classes if style else {})
        photo = None if self._scene is None else self._scene.photo
        self._start = _Step(layout, self._looks(layout), np.zeros(layout.shape, bool), picture=photo)
        self._start.looks = {**self._start.looks, **self._given(looks or {})}

    @property
    def layout(self) -> Layout:
        """The layout after all steps, rendered or not; its instance map numbers all things."""
        return self._now.layout

    @property
    def looks(self) -> dict[ObjectKey, Look]:
        """How each object looks after all steps, rendered or not: {(class id, instance): style or features}."""
        return dict(self._now.looks)

    @property
    def picture(self) -> np.ndarray:
        """The last picture rendered, uint8 (H, W, 3); `EditError` before the first of a layout."""
        done = self._rendered()
        if done is None or done.picture is None:
            raise EditError("there is no picture yet; call render() first")
        return done.picture

    @property
    def drawn_boxes(self) -> tuple[tuple[int, int, int, int], ...]:
        """(x, y, width, height) of the parts that were drawn for the last picture rendered."""
        done = self._rendered()
        return () if done is None or done.drawing is None else done.drawing.boxes

    @property
    def pending(self) -> int:
        """How many steps `render` has still to draw; the first picture of a layout counts as one."""
        return sum(1 for _ in takewhile(lambda step: step.picture is None, reversed(self._all())))

    def apply(self, operation: Operation) -> Self:
        """Changes the layout by any function Scene -> Edit; what it raises, it raises here, and nothing is changed."""
        return self._push(self._edited(operation))

    def add(self, class_: str | int, *, style: int | None = None, **arguments: Any) -> Self:
        """Adds a class in a mask, polygon or box: `operations.add`; `style` is the number of one of its styles.

        A segment of another scene gives its shape; it is drawn, not copied.
        """
        step = self._edited(lambda scene: operations.add(scene, class_, **arguments))
        if style is not None:
            key = added_key(self.layout, step.layout, class_)
            step.looks = {**step.looks, key: self._checked(key, style)}
        return self._push(step)

    def stroke(self, class_: str | int, points: Sequence[Point], width: float) -> Self:
        """Paints a class with a round brush, `width` pixels wide, along (x, y) points: `operations.paint`."""
        return self.paint(class_, stroke_mask(points, width, self.layout.shape))

    def set_style(self, at: Point, style: int | None = None, *, like: Point | None = None) -> Self:
        """Gives the object at a point one of its class's styles, by number, or the look of the object at `like`.

        Raises:
            EditError: a point outside the picture, or not exactly one of `style` and `like`.
            InputError: a style that is not there, or a style of an object of another class.
        """
        if (style is None) == (like is None):
            raise EditError("set_style takes one of a style's number and a point on an object to look like (like)")
        key = self._key(at)
        look: Look
        if style is not None:
            look = self._checked(key, style)
        else:
            assert like is not None
            other = self._key(like)
            look = look_like(self._now.looks.get(other), self._class_name(key), self._class_name(other))
        return self._push(_Step(self.layout, {**self._now.looks, key: look}, self._around(key)))

    def style(self, at: Point) -> int | None:
        """Returns the number of the style that the object at a point has; None = a look of its own, or none at all."""
        look = self._now.looks.get(self._key(at))
        return look if isinstance(look, int) else None

    def num_styles(self, at: Point) -> int:
        """Returns from how many styles the object at a point can have one."""
        return self.model.num_styles(self._class_name(self._key(at)))

    def alternatives(self, at: Point, styles: Sequence[int] | None = None) -> list[Alternative]:
        """Returns the object at a point in each style of its class, or in those named, all else as it is.

        What is pending is rendered first. `InputError`: its class has no styles, or not this one.
        """
        key = self._key(at)
        numbers = range(self.num_styles(at) or 1) if styles is None else styles
        looks = [self._checked(key, number) for number in numbers]
        self.render()
        hole, box = self._around(key), preview_box(mask_of(self.layout, key), PREVIEW)
        x, y, width, height = box
        made = []
        for number, look in zip(numbers, looks, strict=True):
            step = _Step(self.layout, {**self._now.looks, key: look}, hole)
            picture = self._shown(self._redrawn(self._now, step), self._now.picture, step)
            made.append(Alternative(number, picture[y : y + height, x : x + width].copy(), box))
        return made

    def render(self, *, whole: bool = False) -> Self:
        """Draws what is pending, around where it changed; with `whole` the picture, or all that was edited, anew.

        Parts that are drawn one after another keep the statistics of the last whole picture; `whole` takes new ones.
        """
        now, done = self._now, self._rendered()
        if done is now and not whole:
            return self
        base = self._start if whole or done is None else done
        if whole or (done is None and self._scene is None):
            now.drawing = self.model.draw(now.layout, now.looks)
        else:
            now.drawing = self._redrawn(base, now)
        now.picture = self._shown(now.drawing, base.picture, *self._after(base))
        self._forget()
        return self

    def save(self, path: str | Path) -> list[Path]:
        """Renders what is pending and writes the picture and, beside it, its label and instance maps.

        The format is that of the path's ending. Returns what was written.
        """
        scene = Scene(self.render().picture, self.layout)
        return save_scene(path, scene, like=None if self._scene is None else self._scene.file)

    @property
    def _now(self) -> _Step:
        return self._steps[-1] if self._steps else self._start

    def _all(self) -> list[_Step]:
        return [self._start, *self._steps]

    def _after(self, base: _Step) -> list[_Step]:
        steps = self._all()
        return steps[steps.index(base) + 1 :]

    def _rendered(self) -> _Step | None:
        return next((step for step in reversed(self._all()) if step.picture is not None), None)

    def _push(self, step: _Step) -> Self:
        self._steps.append(step)
        self._undone.clear()
        return self

    def _edited(self, operation: Operation) -> _Step:
        """Returns the step that an operation makes: objects that go on keep their looks, new ones get theirs."""
        done = self._rendered()
        unseen = np.zeros((*self.layout.shape, 3), np.uint8)  # nothing is drawn yet, so there are no shadows to find
        plan = operation(Scene(unseen if done is None or done.picture is None else done.picture, self.layout))
        layout = numbered(plan.layout)
        there, looks = object_keys(layout), self._now.looks
        if self.model.has_looks and there - object_keys(self.layout):
            looks = {**self._looks(layout), **looks}
        return _Step(layout, {key: look for key, look in looks.items() if key in there}, plan.hole)

    def _looks(self, layout: Layout) -> dict[ObjectKey, Look]:
        return self.model.looks(layout, seed=self.seed, style=self._style)

    def _redrawn(self, base: _Step, step: _Step) -> Drawing:
        """Returns the drawing of a step, made of that of one before it; a photo's is drawn when it is first needed."""
        if base.drawing is None:
            base.drawing = self.model.draw(base.layout, base.looks)
        return self.model.redraw(base.drawing, step.layout, step.looks)

    def _shown(self, drawing: Drawing, before: np.ndarray | None, *steps: _Step) -> np.ndarray:
        """Returns what is to be seen of a drawing: all of it, or of a photo's what the steps changed."""
        if self._scene is None or before is None:
            return drawing.picture
        hole = np.any([step.hole for step in steps], axis=0) if steps else np.zeros(drawing.layout.shape, bool)
        return insert(drawing.picture, before, drawing.layout.label_map, hole) if hole.any() else before

    def _forget(self) -> None:
        """Lets go of the memories of pictures that were drawn whole earlier: they are large."""
        assert self._now.drawing is not None
        for step in self._all():
            if step.drawing is not None and step.drawing.memory is not self._now.drawing.memory:
                step.drawing = replace(step.drawing, memory=None)

    def _key(self, at: Point) -> ObjectKey:
        return key_at(self.layout, at)

    def _around(self, key: ObjectKey) -> np.ndarray:
        """Returns the pixels of an object and of its sloppy edges, bool (H, W)."""
        around: np.ndarray = (mask := mask_of(self.layout, key)) | rim(self.layout, mask, None)
        return around

    def _class_name(self, key: ObjectKey) -> str:
        return self.layout.label_set.find(key[0]).name

    def _checked(self, key: ObjectKey, style: int) -> int:
        return checked_style(self.model, self._class_name(key), style)

    def _given(self, looks: Mapping[ObjectKey, Look]) -> dict[ObjectKey, Look]:
        unknown = looks.keys() - object_keys(self.layout)
        if unknown:
            raise InputError(f"looks names object {min(unknown)} (class id, number); the layout holds no such")
        return {key: checked_look(self.model, self._class_name(key), look) for key, look in looks.items()}
