"""Methods by name, as tables and command lines name them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl

from scenebrush.errors import InputError, nearest_name
from scenebrush.evaluation.baselines import MeanColour, NearestOfClass, OnnxInpainting, Telea
from scenebrush.evaluation.edit_cases import Truth
from scenebrush.methods import find_model, load_model
from scenebrush.methods.base import Editor, ModelCard
from scenebrush.scene.label_set import LabelSet

WITHOUT_LABELS = ("mean", "nearest", "telea")

BASELINES: dict[str, Callable[[], Editor]] = {
    "mean": MeanColour,
    "nearest": NearestOfClass,
    "telea": Telea,
    "truth": Truth,
}


def method_by_name(
    spec: str, label_set: LabelSet | None = None, *, whole: bool = False, bank: Path | None = None
) -> Editor:
    """Returns the method that `spec` names.

    Args:
        spec: `mean`, `nearest`, `telea`, `truth` (the real pictures, for the ceiling); `onnx:FILE` (MI-GAN's
            interface); `model:NAME_OR_FOLDER`, or the bare name or folder of a model. On/off options of a model
            follow a question mark, the beginning of a name is enough: `model:sesame-street?guide=off`.
        label_set: of the data it is to be measured on; None = whatever the model has.
        whole: it will be shown nothing of a photo, so that what only fills holes is of no use.
        bank: the memory bank of models that make pictures of one's segments; others do not look at it.

    Raises:
        InputError: an option that does not exist, a model of other classes than the data, or one that cannot make
            whole pictures.
        ModelError: no such model.
    """
    if whole and (spec in WITHOUT_LABELS or spec.startswith("onnx:")):
        raise InputError(
            f"{spec} fills holes from what is visible, and here nothing is; name a model that draws by labels"
        )
    if spec in BASELINES:
        return BASELINES[spec]()
    if spec.startswith("onnx:"):
        return OnnxInpainting(Path(spec.removeprefix("onnx:")))
    name, _, query = spec.removeprefix("model:").partition("?")
    if label_set is not None:
        check_classes(find_model(name), label_set)
    editor = load_model(name, bank=bank if bank is not None and find_model(name).method == "sims" else None)
    for option, value in parse_qsl(query, strict_parsing=True):
        _switch(editor, option, value, spec)
    return editor


def check_classes(card: ModelCard, label_set: LabelSet) -> None:
    """Raises `InputError` for a model that knows other classes than the data has."""
    if not card.fits(label_set):
        raise InputError(
            f"model {card.name!r} knows the classes of {card.label_set!r}, the data has {label_set.name!r}; take data"
            " of the model's label set, or a model of the data's"
        )


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
