"""Boxes and points on the command line, and the model that cuts objects out: what compose and segment share."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scenebrush.cli.edit_flags import POINT
from scenebrush.data.holes import Box
from scenebrush.errors import InputError, ModelError
from scenebrush.methods import find_model, list_models
from scenebrush.scene.files import PhotoFile, photo_format, write_photo

if TYPE_CHECKING:
    from scenebrush.methods.seigan.networks import SeiganNetworks

DEFAULT_MODEL = "seigan-objects"
METHOD = "seigan"
_MARGIN = 0.05  # of each side: what lies around the box where none is given


def box_form(flag: str, text: str | None) -> None:
    """Raises `InputError` for a box that is not of the form X,Y,W,H, or is empty; no photo is needed for that."""
    if text is not None:
        _numbers(flag, text)


def box_asked(flag: str, text: str | None, photo: PhotoFile) -> Box:
    """Returns (x0, y0, x1, y1) of X,Y,W,H; where none is given, the whole photo but for a small margin.

    Raises:
        InputError: not of that form, empty, or not inside the photo.
    """
    height, width = photo.pixels.shape[:2]
    if text is None:
        x, y = int(_MARGIN * width), int(_MARGIN * height)
        return x, y, width - x, height - y
    x, y, wide, high = _numbers(flag, text)
    if x < 0 or y < 0 or x + wide > width or y + high > height:
        raise InputError(
            f"{flag} {text} does not lie inside {photo.path}, which is {width}x{height}; give X,Y,W,H inside"
        )
    return x, y, x + wide, y + high


def point_form(flag: str, text: str) -> tuple[int, int]:
    """Returns (x, y) of X,Y; `InputError` for another form."""
    found = re.fullmatch(POINT, text)
    if found is None:
        raise InputError(f"{flag} {text!r} is not of the form X,Y (whole pixels, no spaces)")
    return int(found[1]), int(found[2])


def networks_asked(name: str | None) -> tuple[str, SeiganNetworks]:
    """Returns the name and the networks of a model of SEIGAN, by default the shipped one.

    Raises:
        InputError: none is named, and none is shipped.
        ModelError: no such model, or one that cuts no objects out.
    """
    if name is None:
        if DEFAULT_MODEL not in [card.name for card in list_models()]:
            raise InputError(
                f"{DEFAULT_MODEL} is not here; name a model with --model, trained by scenebrush train"
                " recipes/seigan/coco_things.yaml"
            )
        name = DEFAULT_MODEL
    card = find_model(name)
    if card.method != METHOD or card.path is None:
        there = [c.name for c in list_models() if c.method == METHOD]
        raise ModelError(
            f"model {card.name!r} cuts no objects out; give {' or '.join(there) or f'a model folder of {METHOD}'}"
        )
    from scenebrush.methods.seigan.folder import load_networks

    return card.name, load_networks(card.path)[0].eval().requires_grad_(False)


def write_cut_out(path: Path, cut_out: np.ndarray, like: PhotoFile) -> Path:
    """Writes a cut-out, uint8 (H, W, 4) RGBA, with the metadata of the photo that it is of; returns the path."""
    return write_photo(path, cut_out[..., :3], like=replace(like, alpha=cut_out[..., 3]))


def writable_picture(path: Path, ending: str, what: str = "picture") -> Path:
    """Returns where a picture goes, with an ending; `InputError` where it cannot be written."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; name the {what}, for instance {path / 'out.png'}")
    path = path if path.suffix else path.with_suffix(ending)
    photo_format(path)
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: the folder {path.parent} does not exist; make it")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{path} cannot be written: the folder {path.parent} is read-only; choose another place")
    return path


def _numbers(flag: str, text: str) -> tuple[int, int, int, int]:
    found = re.fullmatch(f"{POINT},{POINT}", text)
    if found is None:
        raise InputError(f"{flag} {text!r} is not of the form X,Y,W,H (whole pixels, no spaces)")
    x, y, width, height = (int(number) for number in found.groups())
    if width < 1 or height < 1:
        raise InputError(f"{flag} {text} is empty; give X,Y,W,H with a width and height of 1 or more")
    return x, y, width, height
