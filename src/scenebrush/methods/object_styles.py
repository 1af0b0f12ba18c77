"""Which looks objects may be given: the numbers of their class's styles, and those of other objects."""

from __future__ import annotations

from scenebrush.errors import InputError
from scenebrush.methods.base import Look, ObjectSynthesizer


def checked_style(model: ObjectSynthesizer, class_name: str, style: int) -> int:
    """Returns a style's number; `InputError` where the class has no such in this model."""
    if not model.has_looks:
        raise InputError(f"model {model.name!r} was trained without styles; style {style} was asked for, leave it out")
    count = model.num_styles(class_name)
    if not 0 <= style < count:
        there = f"styles 0 to {count - 1}" if count else "no styles; let the object look like another (like)"
        raise InputError(f"style {style} was asked for; class {class_name!r} has in model {model.name!r} {there}")
    return int(style)


def checked_look(model: ObjectSynthesizer, class_name: str, look: Look) -> Look:
    """Returns a look, its features as floats; `InputError` for a style that the class does not have in this model."""
    if isinstance(look, int):
        return checked_style(model, class_name, look)
    return tuple(float(value) for value in look)


def look_like(look: Look | None, class_name: str, other_class: str) -> Look:
    """Returns the look of an object of `other_class` for one of `class_name`.

    Raises:
        InputError: it has none, or a style by a number that counts in its own class only.
    """
    if look is None:
        raise InputError(f"the {other_class} to look like has no look of its own; its model was trained without styles")
    if isinstance(look, int) and class_name != other_class:
        raise InputError(
            f"style {look} to look like is one of class {other_class!r}, the object is of {class_name!r}; give the"
            " number of one of its own styles, or an object of its class"
        )
    return look
