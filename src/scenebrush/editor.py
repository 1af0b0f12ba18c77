"""The facade: open a scene, edit, undo, render, save. All that the faces above call.

scene = Scene.open("street.jpg", labels="street.png", label_set="camvid")
Editor(scene).erase(at=(120, 200)).move((300, 210), by=(40, 0)).render().save("out.jpg")
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from scenebrush.errors import EditError, ModelError
from scenebrush.methods import default_model, load_model
from scenebrush.methods.base import Editor as Model
from scenebrush.scene import operations
from scenebrush.scene.edit import Edit
from scenebrush.scene.files import write_instance_map, write_label_map, write_photo
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene

Operation = Callable[[Scene], Edit]


@dataclass
class _Step:
    """One queued operation: what it makes of the layout at once, and of the photo once it is rendered."""

    operation: Operation
    plan: Edit
    draft: Scene
    rendered: Scene | None = None


class Editor:
    """Edits one scene with one model.

    Operations are checked and change the layout when they are called; `render` makes the pixels, one edit after
    another, each on the picture that the one before it made. What is rendered stays rendered: `undo` and `redo` cost
    nothing. Every method but `save` returns the editor itself.

    Args:
        scene: the photo and its layout.
        model: a loaded model, its name or folder; None takes the trained model that knows the label set, or canvas.
        redraw: let the model draw moved and added objects instead of carrying their own pixels.
        seed: two renderings with the same seed are the same picture; 0 leaves what is open, such as the paint of a car,
            to the model, others draw it, anew for each edit.

    Raises:
        EditError: a seed below 0.
    """

    def __init__(
        self, scene: Scene, model: Model | str | Path | None = None, *, redraw: bool = False, seed: int = 0
    ) -> None:
        if model is None:
            model = default_model(scene.layout.label_set)
        self.model = load_model(model) if isinstance(model, str | Path) else model
        self.redraw = redraw
        if seed < 0:
            raise EditError(f"seed {seed} will not do; give 0 or more")
        self.seed = seed
        self._original = scene
        self._steps: list[_Step] = []
        self._undone: list[_Step] = []

    @property
    def layout(self) -> Layout:
        """The layout after all operations, rendered or not."""
        return self._steps[-1].draft.layout if self._steps else self._original.layout

    @property
    def scene(self) -> Scene:
        """The scene as far as it is rendered: the last photo made, and the layout that belongs to it."""
        done = [step.rendered for step in self._steps if step.rendered is not None]
        return done[-1] if done else self._original

    @property
    def photo(self) -> np.ndarray:
        """The last photo rendered, uint8 (H, W, 3)."""
        return self.scene.photo

    @property
    def pending(self) -> int:
        """How many operations `render` has still to make."""
        return sum(step.rendered is None for step in self._steps)

    @property
    def plans(self) -> list[Edit]:
        """The edits that `render` has still to make, as they look before any of them is rendered."""
        return [step.plan for step in self._steps if step.rendered is None]

    def erase(self, **arguments: Any) -> Self:
        """Removes an object, a class or a region: `operations.erase`."""
        return self.apply(lambda scene: operations.erase(scene, **arguments))

    def add(self, class_: str | int, **arguments: Any) -> Self:
        """Adds a class in a mask, polygon or box, or a segment of another scene: `operations.add`."""
        return self.apply(lambda scene: operations.add(scene, class_, **arguments))

    def move(self, at: tuple[int, int], by: tuple[int, int], **arguments: Any) -> Self:
        """Moves, scales, turns or flips the object at a point: `operations.move`."""
        return self.apply(lambda scene: operations.move(scene, at, by, **arguments))

    def resize(self, at: tuple[int, int], *args: Any, **arguments: Any) -> Self:
        """Makes the object at a point larger or smaller: `operations.resize`."""
        return self.apply(lambda scene: operations.resize(scene, at, *args, **arguments))

    def relabel(self, at: tuple[int, int], to: str | int) -> Self:
        """Makes the object at a point one of another class: `operations.relabel`."""
        return self.apply(lambda scene: operations.relabel(scene, at, to))

    def paint(self, class_: str | int, mask: np.ndarray) -> Self:
        """Paints a class over a region: `operations.paint`."""
        return self.apply(lambda scene: operations.paint(scene, class_, mask))

    def apply(self, operation: Operation) -> Self:
        """Queues any function Scene -> Edit; what it raises, it raises here, and nothing is queued."""
        before = self._steps[-1].draft if self._steps else self._original
        plan = operation(before)
        self._steps.append(_Step(operation, plan, Scene(before.photo, plan.layout)))
        self._undone.clear()
        return self

    def undo(self) -> Self:
        """Takes the last operation back."""
        if not self._steps:
            raise EditError("there is no edit to undo")
        self._undone.append(self._steps.pop())
        return self

    def redo(self) -> Self:
        """Does again what the last `undo` took back."""
        if not self._undone:
            raise EditError("there is no undone edit to do again")
        self._steps.append(self._undone.pop())
        return self

    def render(self, report: Callable[[int, int], None] | None = None) -> Self:
        """Makes the pixels of every operation not yet rendered; `report(done, total)` is told after each."""
        total = self.pending
        scene = self._original
        done = 0
        for index, step in enumerate(self._steps):
            if step.rendered is None:
                # The operation runs again, on the rendered photo: a carried object brings those pixels along.
                step.rendered = self._rendered(scene, step.operation(scene), self.seed + index if self.seed else 0)
                done += 1
                if report is not None:
                    report(done, total)
            scene = step.rendered
        return self

    def save(self, path: str | Path) -> list[Path]:
        """Renders what is pending and writes the photo and, beside it, `<stem>.labels.png` and `<stem>.instances.png`.

        The format is that of the path's ending. EXIF, colour profile and JPEG quality of the opened photo are kept.
        An instance map is written where the scene has one. Returns what was written.
        """
        self.render()
        path, layout = Path(path), self.scene.layout
        written = [write_photo(path, self.photo, like=self._original.file)]
        written.append(write_label_map(beside(path, "labels"), layout.label_map, layout.label_set))
        if layout.instance_map is not None:
            written.append(write_instance_map(beside(path, "instances"), layout.instance_map))
        return written

    def _rendered(self, scene: Scene, edit: Edit, seed: int) -> Scene:
        if self.redraw:
            edit = replace(edit, carries=())
        photo = self.model.edit(scene, edit, seed=seed)
        if photo.shape != scene.photo.shape or photo.dtype != np.uint8:
            raise ModelError(
                f"model {self.model.name!r} returned {photo.dtype} {photo.shape} for a photo of {scene.photo.shape}"
            )
        # Models promise to leave the rest alone; here it is made sure of.
        kept = np.where(edit.hole[..., None], photo, scene.photo)
        return Scene(kept, edit.layout)


def beside(path: Path, what: str) -> Path:
    """Returns where a map of an edited photo goes: `out.png`, "labels" -> `out.labels.png`."""
    return path.with_name(f"{path.stem}.{what}.png")
