"""The methods: one folder per paper, and the one place that finds a model by name.

Nothing here imports a method before it is asked for, so that an edit without a network needs no torch.
"""

from __future__ import annotations

from importlib import import_module, resources
from pathlib import Path
from typing import cast

from scenebrush.errors import InputError, ModelError, nearest_name
from scenebrush.methods.base import (
    Adaptable,
    Adaptation,
    Editor,
    ModelCard,
    ObjectSynthesizer,
    PhotoSynthesizer,
    Segmenter,
    SegmentSynthesizer,
    Style,
    Synthesizer,
)
from scenebrush.scene.label_set import LabelSet

__all__ = [
    "METHODS",
    "SEGMENTERS",
    "SYNTHESIZERS",
    "Adaptable",
    "Adaptation",
    "Editor",
    "ModelCard",
    "ObjectSynthesizer",
    "PhotoSynthesizer",
    "SegmentSynthesizer",
    "Segmenter",
    "Style",
    "Synthesizer",
    "default_model",
    "find_model",
    "list_models",
    "load_model",
    "load_object_synthesizer",
    "load_segmenter",
    "load_synthesizer",
]

METHODS = ("canvas", "pix2pix", "pix2pixhd", "segmenter", "seigan", "semia", "sesame", "sims", "spade")
"""Every method: the names of the folders beside this file. `<method>/method.py` has `load(folder)`, which returns an
`Editor`, or a `Segmenter` where the method stands in `SEGMENTERS`."""

SYNTHESIZERS = ("pix2pix", "pix2pixhd", "semia", "sims", "spade")
"""The methods that make whole pictures. Each can serve an edit; but no one gets them for it without asking."""

SEGMENTERS = ("segmenter",)
"""The methods that make label maps of photos. They edit nothing."""

ONLY_BY_NAME = (*SYNTHESIZERS, *SEGMENTERS, "seigan")
"""The methods that no edit gets without asking. SEIGAN erases with any classes, but is patented in some countries."""

WITHOUT_WEIGHTS = {"canvas": "real pixels of the same photo, copied and blended; any label set, no training"}
"""The methods that are models by themselves: `load(None)` makes them."""


def list_models() -> list[ModelCard]:
    """Returns what is here: the methods without weights, then the shipped model folders by name."""
    cards = [ModelCard(name, name, summary=summary) for name, summary in WITHOUT_WEIGHTS.items()]
    shipped = Path(str(resources.files("scenebrush"))) / "models"
    return cards + [ModelCard.read(path.parent) for path in sorted(shipped.glob("*/config.json"))]


def load_model(name_or_path: str | Path, *, bank: str | Path | None = None) -> Editor:
    """Returns a model, ready to edit, by its name (`list_models`) or from a model folder.

    `bank` is the memory bank of a model that makes its pictures of one's segments; `InputError` for another model.
    `ModelError` for one that is not here, or that edits nothing.
    """
    card = find_model(name_or_path)
    if card.method in SEGMENTERS:
        raise ModelError(
            f"model {card.name!r} makes label maps of photos, it edits none; scenebrush segment uses it. Give another"
            f" model: {', '.join(c.name for c in list_models() if c.method not in SEGMENTERS)}"
        )
    model = cast(Editor, _loaded(card))
    if bank is not None:
        if not isinstance(model, SegmentSynthesizer):
            raise InputError(f"model {card.name!r} uses no memory bank; leave out {bank}, or name a model of sims")
        model.use_bank(bank)
    return model


def load_segmenter(name_or_path: str | Path) -> Segmenter:
    """Returns a model that makes label maps of photos; `ModelError` for one that does not, with those that do."""
    card = find_model(name_or_path)
    if card.method in METHODS and card.method not in SEGMENTERS:
        there = [c.name for c in list_models() if c.method in SEGMENTERS]
        raise ModelError(
            f"model {card.name!r} makes no label maps of photos; give"
            f" {' or '.join(there) if there else 'a model folder of ' + ', '.join(SEGMENTERS)}"
        )
    return cast(Segmenter, _loaded(card))


def load_synthesizer(name_or_path: str | Path, *, bank: str | Path | None = None) -> Synthesizer:
    """Returns a model that makes whole pictures; `ModelError` for one that does not, with those here that do.

    `bank` as in `load_model`.
    """
    model = load_model(name_or_path, bank=bank)
    if isinstance(model, Synthesizer):
        return model
    there = [card.name for card in list_models() if card.method in SYNTHESIZERS]
    raise ModelError(
        f"model {model.name!r} edits photos, it makes no whole pictures; give"
        f" {' or '.join(there) if there else 'a model folder of ' + ', '.join(SYNTHESIZERS)}"
    )


def load_object_synthesizer(name_or_path: str | Path) -> ObjectSynthesizer:
    """Returns a model whose objects have looks of their own; `ModelError` for one that makes whole pictures only."""
    model = load_synthesizer(name_or_path)
    if isinstance(model, ObjectSynthesizer):
        return model
    raise ModelError(
        f"model {model.name!r} draws pictures only as a whole; give a model of pix2pixhd, which draws object by object"
    )


def find_model(name_or_path: str | Path) -> ModelCard:
    """Returns the card of a model by name or folder; an unknown one raises `ModelError` with the nearest name."""
    cards = {card.name: card for card in list_models()}
    if str(name_or_path) in cards:
        return cards[str(name_or_path)]
    if Path(name_or_path).is_dir():
        return ModelCard.read(Path(name_or_path))
    hint = nearest_name(str(name_or_path), cards)
    raise ModelError(f"unknown model {str(name_or_path)!r}{hint}; here are {', '.join(cards)}, or give a model folder")


def _loaded(card: ModelCard) -> object:
    """Returns what a model's method makes of its folder."""
    if card.method not in METHODS:
        raise ModelError(
            f"{card.path}/config.json asks for method {card.method!r}{nearest_name(card.method, METHODS)};"
            f" this scenebrush has {', '.join(METHODS)}"
        )
    loaded: object = import_module(f"scenebrush.methods.{card.method}.method").load(card.path)
    return loaded


def default_model(label_set: LabelSet, *, adapting: bool = False) -> str:
    """Returns the name of the model to use where none is named: a trained one that knows these classes, or canvas.

    One that is to adapt to the photo may learn the classes there: then any trained one is better than none.
    """
    trained = [card for card in list_models() if card.label_set is not None and card.method not in ONLY_BY_NAME]
    fitting = [card for card in trained if card.fits(label_set)] or (trained if adapting else [])
    return fitting[0].name if fitting else "canvas"
