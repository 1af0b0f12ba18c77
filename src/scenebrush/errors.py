"""The one tree of exceptions.

Every error that a user can cause is a `ScenebrushError`. Its message is one line that names the file
or argument, the value found, what was expected and how to mend it; the command line prints it as it
is and exits with 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ScenebrushError(Exception):
    """Base of all errors that scenebrush raises on purpose."""


class InputError(ScenebrushError):
    """A file or argument that cannot be used as given."""


class LabelError(InputError):
    """A label or instance map, label set or class name that does not fit."""


class EditError(InputError):
    """An operation that cannot be applied to this scene."""


class RecipeError(InputError):
    """A training recipe or setting that does not hold together."""


class ModelError(ScenebrushError):
    """A model folder or checkpoint that cannot be loaded or does not fit the scene."""


class TrainingError(ScenebrushError):
    """A training run that had to stop (for instance on NaN); the last good checkpoint is kept."""


def nearest_name(wrong: str, names: Iterable[str]) -> str:
    """Returns `" (did you mean 'car'?)"` for the name closest to `wrong`, or `""` if none is close."""
    close = difflib.get_close_matches(wrong, list(names), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
