"""The toy world: seeded scenes with exact labels that can be rendered with and without any one object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count

import numpy as np
from scipy import ndimage

from scenebrush.data.toy.contents import draw_contents
from scenebrush.data.toy.parts import ToyObject
from scenebrush.data.toy.rendering import Picture, render
from scenebrush.errors import EditError
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """The same scene with and without one object: the true answer to erasing it, and to adding it.

    Args:
        instance_id: the object's number in `present`'s instance map.
        present, absent: the scene with and without it.
        influence: bool (H, W), where the two differ: the object and its shadow.
    """

    instance_id: int
    present: Scene
    absent: Scene
    influence: np.ndarray


class ToyWorld:
    """One seeded street scene.

    Args:
        seed: with the size it decides everything.
        size: (width, height) in pixels.

    Labels are in the ids of the label set `camvid`; every object (car, person, bicyclist, tree, lamp, sign)
    has a number 1..N in the instance map, stuff has 0.
    """

    def __init__(self, seed: int, size: tuple[int, int] = (256, 192)) -> None:
        self.seed, self.size = seed, size
        self.label_set = LabelSet.load("camvid")
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))
        self._contents = draw_contents(rng, size)

    @property
    def objects(self) -> tuple[ToyObject, ...]:
        """The objects, the farthest first; some may be hidden by others."""
        return self._contents.objects

    def scene(self) -> Scene:
        """Returns the scene with all its objects."""
        return self._as_scene(self._whole)

    def without(self, instance_id: int) -> Scene:
        """Returns the scene as it is without one object: its shadow is gone too, all else is the same to the pixel."""
        self._find(instance_id)
        return self._as_scene(self._picture(instance_id))

    def counterfactual(self, instance_id: int) -> Counterfactual:
        """Returns the scene with and without one object, and where the two differ."""
        self._find(instance_id)
        present, absent = self._whole, self._picture(instance_id)
        return Counterfactual(instance_id, self._as_scene(present), self._as_scene(absent), present.differs(absent))

    def visible_ids(self) -> tuple[int, ...]:
        """Returns the numbers of the objects that the label maps show."""
        shown = np.unique(self._whole.instance_map)
        return tuple(int(i) for i in shown if i)

    def _find(self, instance_id: int) -> ToyObject:
        for thing in self.objects:
            if thing.id == instance_id:
                return thing
        raise EditError(f"toy world {self.seed} has no object {instance_id}; it has 1 to {len(self.objects)}")

    @cached_property
    def _whole(self) -> Picture:
        return render(self._contents, self.label_set, None)

    def _picture(self, leave_out: int) -> Picture:
        return render(self._contents, self.label_set, leave_out)

    def _as_scene(self, picture: Picture) -> Scene:
        return Scene(picture.photo, Layout(picture.label_map, self.label_set, picture.instance_map))


def draw_counterfactuals(
    n: int,
    *,
    size: tuple[int, int] = (256, 192),
    seed: int = 0,
    classes: Sequence[str] = ("car", "pedestrian", "bicyclist"),
    least_object: int = 16,
) -> Iterator[Counterfactual]:
    """Yields `n` scenes with and without one object, each from a world of its own.

    Args:
        n: how many.
        size: (width, height) in pixels.
        seed: worlds `seed * 1_000_000`, ... are used.
        classes: the object is of one of these; worlds that show none are passed over.
        least_object: its visible part's longer side has at least so many pixels.
    """
    worlds = (ToyWorld(seed * 1_000_000 + k, size) for k in count())
    found = 0
    while found < n:
        world = next(worlds)
        fitting = _shown(world, classes, least_object)
        if fitting:
            found += 1
            yield world.counterfactual(fitting[world.seed % len(fitting)])


def _shown(world: ToyWorld, classes: Sequence[str], least_object: int) -> list[int]:
    wanted = {o.id for o in world.objects if o.class_name in classes}
    instance_map = world.scene().layout.instance_map
    boxes = ndimage.find_objects(instance_map) if instance_map is not None else []
    sides = {i: max(s.stop - s.start for s in box) for i, box in enumerate(boxes, start=1) if box is not None}
    return sorted(i for i, side in sides.items() if i in wanted and side >= least_object)
