"""Random small scenes for property tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from scenebrush.scene import LabelClass, LabelSet, Layout, Scene

SMALL = LabelSet(
    "small",
    (
        LabelClass(0, "void", (0, 0, 0), "void"),
        LabelClass(1, "sky", (70, 130, 180), "stuff"),
        LabelClass(2, "building", (70, 70, 70), "stuff"),
        LabelClass(3, "road", (128, 64, 128), "stuff"),
        LabelClass(4, "car", (0, 0, 142), "thing"),
        LabelClass(5, "person", (220, 20, 60), "thing"),
    ),
    ignore_id=0,
)
VOID, SKY, BUILDING, ROAD, CAR, PERSON = range(6)


@st.composite
def scenes(draw: st.DrawFn, instances: bool | None = None, void: bool = True) -> Scene:
    """A scene of up to 40x40: stuff in layers and blocks, boxes of things (at least one), an instance map or none."""
    height, width = draw(st.integers(8, 40)), draw(st.integers(8, 40))
    labels = np.full((height, width), draw(st.sampled_from([SKY, BUILDING])))
    labels[draw(st.integers(1, height - 1)) :] = draw(st.sampled_from([BUILDING, ROAD]))
    numbers = np.zeros_like(labels)
    for _ in range(draw(st.integers(0, 3))):
        classes = [VOID, SKY, BUILDING, ROAD] if void else [SKY, BUILDING, ROAD]
        labels[_box(draw, height, width)] = draw(st.sampled_from(classes))
    for number in range(1, draw(st.integers(1, 4)) + 1):
        box = _box(draw, height, width)
        labels[box], numbers[box] = draw(st.sampled_from([CAR, PERSON])), number
    # One object never covers all.
    labels[0], numbers[0] = SKY, 0
    if not np.isin(labels, (CAR, PERSON)).any():
        labels[-1, -1], numbers[-1, -1] = CAR, 9
    with_instances = draw(st.booleans()) if instances is None else instances
    photo = np.random.default_rng(draw(st.integers(0, 9))).integers(0, 256, (height, width, 3), np.uint8)
    return Scene(photo, Layout(labels, SMALL, numbers if with_instances else None))


def flat_scene(height: int = 40, width: int = 60, *, instances: bool = True, class_id: int = ROAD) -> Scene:
    """A scene of one stuff class with a car (instance 1) at x 10-19, y 12-17."""
    labels, numbers = np.full((height, width), class_id), np.zeros((height, width), int)
    labels[12:18, 10:20], numbers[12:18, 10:20] = CAR, 1
    photo = np.full((height, width, 3), 100, np.uint8)
    return Scene(photo, Layout(labels, SMALL, numbers if instances else None))


def thing_point(scene: Scene, pick: int) -> tuple[int, int]:
    """A point (x, y) on some thing of the scene."""
    rows, columns = np.nonzero(SMALL.is_kind(scene.layout.label_map, "thing"))
    index = pick % len(rows)
    return int(columns[index]), int(rows[index])


def _box(draw: st.DrawFn, height: int, width: int) -> tuple[slice, slice]:
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    return slice(top, top + draw(st.integers(1, 12))), slice(left, left + draw(st.integers(1, 12)))
