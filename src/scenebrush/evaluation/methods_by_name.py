"""Methods by name, as tables and command lines name them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl

from scenebrush.errors import InputError, nearest_name
from scenebrush.evaluation.baselines import MeanColour, NearestOfClass, OnnxInpainting, Telea
from scenebrush.methods import load_model
from scenebrush.methods.base import Editor

BASELINES: dict[str, Callable[[], Editor]] = {"mean": MeanColour, "nearest": NearestOfClass, "telea": Telea}


def method_by_name(spec: str) -> Editor:
    """Returns the method that `spec` names.

    `mean`, `nearest`, `telea`; `onnx:FILE` (MI-GAN's interface); `model:NAME_OR_FOLDER`, or the bare name or
    folder of a model. On/off options of a model follow a question mark, the beginning of a name is enough:
    `model:sesame-street?guide=off`.
    Errors are `InputError` and `ModelError`.
    """
    if spec in BASELINES:
        return BASELINES[spec]()
    if spec.startswith("onnx:"):
        return OnnxInpainting(Path(spec.removeprefix("onnx:")))
    name, _, query = spec.removeprefix("model:").partition("?")
    editor = load_model(name)
    for option, value in parse_qsl(query, strict_parsing=True):
        _switch(editor, option, value, spec)
    return editor


def _switch(editor: Editor, option: str, value: str, spec: str) -> None:
    """Sets a public on/off attribute of the editor."""
    switches = [n for n in dir(editor) if not n.startswith("_") and isinstance(getattr(editor, n), bool)]
    found = [option] if option in switches else [name for name in switches if option and name.startswith(option)]
    if len(found) != 1:
        hint = nearest_name(option, switches)
        raise InputError(f"{spec}: no option {option!r}{hint}; {editor.name} has {', '.join(switches) or 'none'}")
    if value not in ("on", "off"):
        raise InputError(f"{spec}: {option}={value}; expected on or off")
    setattr(editor, found[0], value == "on")
