"""The facade: open a scene, edit, undo, render, save. All that the faces above call.

scene = Scene.open("street.jpg", labels="street.png", label_set="camvid")
Editor(scene).erase(at=(120, 200)).move((300, 210), by=(40, 0)).render().save("out.jpg")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from scenebrush.errors import EditError, ModelError
from scenebrush.methods import default_model, find_model, list_models, load_model
from scenebrush.methods.base import Editor as Model
from scenebrush.scene import operations
from scenebrush.scene.edit import Edit
from scenebrush.scene.editing import Editing, Operation
from scenebrush.scene.files import PhotoFile, write_instance_map, write_label_map, write_photo
from scenebrush.scene.layout import Layout
from scenebrush.scene.operations import Segment
from scenebrush.scene.operations.cutting import Corners, Cutter, has_labels, thing_in
from scenebrush.scene.scene import Scene

DEFAULT_CUTTER = "seigan-objects"
"""The model that cuts objects out of photos where none is named."""


class ModelCutter:
    """A model that cuts objects out of boxes (`Cutter`); it is loaded when the first object is to be cut out.

    Args:
        model: name or folder of a model of SEIGAN.
    """

    def __init__(self, model: str | Path = DEFAULT_CUTTER) -> None:
        self.model = model
        self._cutter: Cutter | None = None

    def __call__(self, photo: np.ndarray, box: Corners, /) -> np.ndarray:
        """Returns the object's soft mask, float32 (H, W); `ModelError` for a model that cuts nothing out."""
        if self._cutter is None:
            self._cutter = _loaded_cutter(self.model)
        return self._cutter(photo, box)


def _loaded_cutter(name_or_path: str | Path) -> Cutter:
    card = find_model(name_or_path)
    if card.method != "seigan" or card.path is None:
        there = [c.name for c in list_models() if c.method == "seigan"]
        wanted = " or ".join(there) or "a model folder of seigan"
        raise ModelError(f"model {card.name!r} cuts no objects out of photos; give {wanted}")
    # Not at the top of the file: an edit without a network needs no torch.
    from scenebrush.methods.seigan.cutting import cut_out
    from scenebrush.methods.seigan.folder import load_networks

    return partial(cut_out, load_networks(card.path)[0])


@dataclass
class _Step:
    """One queued operation: what it makes of the layout at once, and of the photo once it is rendered."""

    operation: Operation
    plan: Edit
    draft: Scene
    rendered: Scene | None = None


class Editor(Editing[_Step]):
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
        cutter: what cuts objects out of other photos (`add`), a `Cutter` or a model's name or folder; loaded when it is
            needed.

    Raises:
        EditError: a seed below 0.
    """

    def __init__(
        self,
        scene: Scene,
        model: Model | str | Path | None = None,
        *,
        redraw: bool = False,
        seed: int = 0,
        cutter: Cutter | str | Path = DEFAULT_CUTTER,
    ) -> None:
        if model is None:
            model = default_model(scene.layout.label_set)
        self.model = load_model(model) if isinstance(model, str | Path) else model
        self.redraw = redraw
        if seed < 0:
            raise EditError(f"seed {seed} will not do; give 0 or more")
        self.seed = seed
        self.cutter = ModelCutter(cutter) if isinstance(cutter, str | Path) else cutter
        super().__init__()
        self._original = scene

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

    def apply(self, operation: Operation) -> Self:
        """Queues any function Scene -> Edit; what it raises, it raises here, and nothing is queued."""
        before = self._steps[-1].draft if self._steps else self._original
        plan = operation(before)
        self._steps.append(_Step(operation, plan, Scene(before.photo, plan.layout)))
        self._undone.clear()
        return self

    def add(
        self,
        class_: str | int | None = None,
        *,
        from_: str | Path | Scene | None = None,
        box: Sequence[float] | None = None,
        **arguments: Any,
    ) -> Self:
        """Adds a class in a mask, polygon or box, or a segment of another scene: `operations.add`.

        Args:
            class_: name or id; may be left out with a segment, or where `from_` has labels.
            from_: another photo, or a scene; the object in its `box` is cut out and brings its own pixels.
            box: (x, y, width, height) of what is added, or with `from_` around the object in that photo.
            arguments: those of `operations.add`: `at`, `scale`, `flip`, ...

        Raises:
            EditError: a box outside that photo, or one in which nothing is found; and what `operations.add` raises.
            ModelError: the cutter cannot be loaded.
        """
        if from_ is None:
            return self.apply(partial(operations.add, class_=class_, box=box, **arguments))
        donor = from_ if isinstance(from_, Scene) else Scene.without_labels(from_)
        if box is None:
            raise EditError("'from_' needs 'box', (x, y, width, height) around the object in that photo")
        if class_ is None and not has_labels(donor.layout):
            raise EditError("a photo without labels does not tell what the box holds; name its class")
        if class_ is not None:
            self._original.layout.label_set.find(class_)  # a wrong one is told before anything is cut out
        segment = Segment.in_box(donor, box, self.cutter)
        if class_ is None:
            class_ = thing_in(donor.layout, segment.mask)
        return self.apply(partial(operations.add, class_=class_, segment=segment, **arguments))

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
        return save_scene(path, self.scene, like=self._original.file)

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


def save_scene(path: str | Path, scene: Scene, like: PhotoFile | None = None) -> list[Path]:
    """Writes a scene's photo, in the format of the path's ending, and its maps beside it; returns what was written.

    `like` is the photo that was opened: its EXIF, colour profile and JPEG quality are kept.
    """
    path, layout = Path(path), scene.layout
    written = [write_photo(path, scene.photo, like=like)]
    written.append(write_label_map(beside(path, "labels"), layout.label_map, layout.label_set))
    if layout.instance_map is not None:
        written.append(write_instance_map(beside(path, "instances"), layout.instance_map))
    return written


def beside(path: Path, what: str) -> Path:
    """Returns where a map of an edited photo goes: `out.png`, "labels" -> `out.labels.png`."""
    return path.with_name(f"{path.stem}.{what}.png")
