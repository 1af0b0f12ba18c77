"""From a layout that somebody asks for to one that a fit can draw."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from scenebrush.errors import InputError
from scenebrush.methods.layout_arrays import check_label_set
from scenebrush.methods.semia.source import Source, resized_layout
from scenebrush.scene.files import value_counts
from scenebrush.scene.layout import Layout

SAME_SHAPE = 0.02
"""Shapes (width / height) that differ by less are one; then a layout of another size is brought to the photo's."""


class TargetLayout(NamedTuple):
    """What is to be drawn, and what to tell whoever asked for it: one line each."""

    layout: Layout
    notes: tuple[str, ...] = ()


def target_layout(
    layout: Layout, source: Source, *, name: str, any_size: bool = True, nearest_class: bool = False
) -> TargetLayout:
    """Returns a layout with classes of the source only, and of its size unless it has another shape.

    Args:
        layout: asked for, in the source's label set.
        source: what the fit learned.
        name: of the fit, for messages.
        any_size: whether the fit draws layouts of any shape. One of the photo's shape is brought to its size, by
            nearest neighbour, in any case.
        nearest_class: what shows a class that the photo lacks takes the class next to it that the photo has.

    Raises:
        ModelError: another label set.
        InputError: a class that the photo lacks, or a size that does not do.
    """
    check_label_set(name, source.layout.label_set, layout)
    notes: list[str] = []
    size, learned = (layout.shape[1], layout.shape[0]), (source.shape[1], source.shape[0])
    same_shape = abs(np.log(size[0] / size[1] * learned[1] / learned[0])) <= SAME_SHAPE
    if size != learned and (same_shape or not any_size):
        # Drawn at another size than it was learned at, everything in the photo would have the wrong size.
        if not same_shape:
            raise InputError(
                f"the layout is {size[0]}x{size[1]}, fit {name!r} learned a photo of {learned[0]}x{learned[1]} and"
                " draws that shape only; cut or extend the layout to it"
            )
        notes.append(
            f"the layout is {size[0]}x{size[1]}, fit {name!r} learned {learned[0]}x{learned[1]}: drawn at that size,"
            " the picture is scaled"
        )
        layout = resized_layout(layout, learned, lines=source.kind == "edges")
    lacking = lacking_classes(layout, source)
    if lacking and not nearest_class:
        raise InputError(_lacking_message(lacking, layout, source, name))
    if lacking:
        notes.append(f"the photo shows no {_names(lacking, layout)}: the nearest class it shows is drawn there")
        layout = with_nearest_classes(layout, source, name)
    return TargetLayout(layout, tuple(notes))


def lacking_classes(layout: Layout, source: Source) -> dict[int, int]:
    """Returns {class id: pixels} of a layout's classes that the source's photo does not show, the largest first."""
    there = set(source.class_ids)
    lacking = {value: n for value, n in value_counts(layout.label_map).items() if value not in there}
    return dict(sorted(lacking.items(), key=lambda item: -item[1]))


def with_nearest_classes(layout: Layout, source: Source, name: str) -> Layout:
    """Returns a layout whose pixels of a class that the source lacks have the class of the nearest pixel it has.

    `InputError` where the layout has none of the source's classes. Objects that change their class are none any more.
    """
    foreign = ~np.isin(layout.label_map, source.class_ids)
    if foreign.all():
        raise InputError(
            f"the layout has no class at all that the photo of fit {name!r} shows; it shows"
            f" {_names(source.class_ids, source.layout)}"
        )
    rows, columns = ndimage.distance_transform_edt(foreign, return_distances=False, return_indices=True)
    instances = None if layout.instance_map is None else np.where(foreign, 0, layout.instance_map)
    return Layout(layout.label_map[rows, columns], layout.label_set, instances)


def _lacking_message(lacking: dict[int, int], layout: Layout, source: Source, name: str) -> str:
    first, pixels = next(iter(lacking.items()))
    more = f", nor {_names([c for c in lacking if c != first], layout)}" if len(lacking) > 1 else ""
    return (
        f"the photo of fit {name!r} shows no {_names([first], layout)}, which the layout has in {pixels}"
        f" pixel{'s' if pixels != 1 else ''}{more}; it shows {_names(source.class_ids, source.layout)}: paint one of"
        " these, or give --nearest-class (nearest_class = True)"
    )


def _names(ids: Iterable[int], layout: Layout) -> str:
    known = layout.label_set.by_id
    return ", ".join(repr(known[i].name) if i in known else f"id {i}" for i in ids)
