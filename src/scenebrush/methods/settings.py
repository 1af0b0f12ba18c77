"""From a recipe's plain settings to a method's dataclasses, each mistake named with its place."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from scenebrush.errors import RecipeError, nearest_name

AnySettings = TypeVar("AnySettings")


def checked_settings(
    kind: type[AnySettings], given: Mapping[str, Any], *, method: str, place: str, what: str
) -> AnySettings:
    """Returns the dataclass `kind` of plain values; unknown names and wrong types raise `RecipeError`.

    The error says that `method` has no such `what`, and where: at `place` of the recipe.
    """
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in given:
        if name not in names:
            hint = nearest_name(name, names)
            raise RecipeError(f"{place}.{name}: {method} has no such {what}{hint}; it has {', '.join(names)}")
    try:
        return TypeAdapter(kind).validate_python(dict(given))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in (place, *fault["loc"]))
        raise RecipeError(f"{where}: {fault['msg']} (found {fault['input']!r})") from error


def checked_losses(kind: type[AnySettings], given: Mapping[str, Any], *, method: str) -> AnySettings:
    """Returns a stage's loss weights as the dataclass `kind`, which has a property `any`.

    Raises:
        RecipeError: a name or value that is none, one below 0, or no loss at all.
    """
    weights = checked_settings(kind, given, method=method, place="losses", what="loss")
    for name, value in vars(weights).items():
        if not isinstance(value, str) and value < 0:
            raise RecipeError(f"losses.{name} is {value}; expected 0 (off) or more")
    if not getattr(weights, "any"):  # noqa: B009
        names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
        raise RecipeError(f"losses: all are 0; give one of {', '.join(names)} a weight above 0")
    return weights
