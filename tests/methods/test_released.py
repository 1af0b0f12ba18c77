"""The authors' full-size networks find their label sets: key manifests of the released configurations, no values."""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
import torch
from torch import Tensor

from scenebrush.methods.checkpoints import Converted, States, check_kind, read_options
from scenebrush.scene.label_set import LabelClass, LabelSet

KEYS: Final = (
    Path(os.environ.get("SCENEBRUSH_PARITY") or Path(__file__).resolve().parents[2] / "../shared/parity") / "keys"
)
EDITING_ADE20K: Final = LabelSet("ade49", tuple(LabelClass(i, f"c{i}", (i, i, i), "stuff") for i in range(49)))


def state(name: str) -> dict[str, Tensor]:
    """Returns the state dict of a manifest: shapes and types, no memory."""
    path = KEYS / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    keys = json.loads(path.read_text())["keys"]
    return {k: torch.empty(v["shape"], dtype=getattr(torch, v["dtype"]), device="meta") for k, v in keys.items()}


def convert(method: str, label_set: str | LabelSet, generator: str, encoder: str = "", **settings: str) -> Converted:
    released: Any = import_module(f"scenebrush.methods.{method}.released")
    states = States(state(generator), state(encoder) if encoder else None)
    check_kind(Path("net_G.pth"), states.generator, method)
    classes = LabelSet.load(label_set) if isinstance(label_set, str) else label_set
    found: Converted = released.convert(states, classes, read_options(released.Options, settings))
    return found


def parameters(converted: Converted) -> int:
    return sum(p.numel() for p in converted.network.parameters())


@pytest.mark.parametrize(
    ("label_set", "name", "wanted", "count"),
    [
        ("cityscapes", "spade_generator_cityscapes", (35, True, "more"), 93_048_003),
        ("cocostuff", "spade_generator_coco", (183, True, "normal"), 97_480_899),
        ("cocostuff", "spade_generator_coco_most", (183, True, "most"), 98_515_043),
        ("ade20k", "spade_generator_ade20k", (151, False, "normal"), 96_492_483),
    ],
)
def test_spade(label_set: str, name: str, wanted: tuple[int, bool, str], count: int) -> None:
    found = convert("spade", label_set, name)
    config = found.config
    assert (config.num_classes, config.boundary_channel, config.upsampling) == wanted
    assert config.width == 64 and not config.style and parameters(found) == count


def test_spade_with_styles() -> None:
    found = convert("spade", "cocostuff", "spade_generator_coco_vae", "spade_encoder_coco_vae")
    assert found.config.style and found.config.style_channels == 256 and found.config.crop_size == 256
    assert parameters(found) == 112_626_883 + 10_463_424


@pytest.mark.parametrize(
    ("name", "encoder", "wanted", "count"),
    [
        ("pix2pixhd_generator_512p", "", (0, 0), 182_546_755),
        ("pix2pixhd_generator_1024p", "", (1, 0), 182_857_059),
        ("pix2pixhd_generator_512p_features", "pix2pixhd_encoder", (0, 3), 182_556_163 + 788_803),
        ("pix2pixhd_generator_1024p_features", "pix2pixhd_encoder", (1, 3), 182_871_171 + 788_803),
    ],
)
def test_pix2pixhd(name: str, encoder: str, wanted: tuple[int, int], count: int) -> None:
    found = convert("pix2pixhd", "cityscapes", name, encoder)
    config = found.config
    assert (config.num_enhancers, config.num_features) == wanted and parameters(found) == count
    assert config.num_classes == 35 and config.boundaries and config.width == 64


@pytest.mark.parametrize(
    ("label_set", "name", "classes", "skips"),
    [
        ("cityscapes", "sesame_generator_edit_cityscapes", 35, False),
        ("cityscapes", "sesame_generator_edit_cityscapes_skips", 35, True),
        (EDITING_ADE20K, "sesame_generator_edit_ade20k", 49, False),
    ],
)
def test_sesame(label_set: str | LabelSet, name: str, classes: int, skips: bool) -> None:
    config = convert("sesame", label_set, name, semantics="everywhere").config
    assert (config.num_classes, config.skips, config.semantics) == (classes, skips, "everywhere")
    assert (config.network, config.width, config.num_blocks, config.num_residual) == ("paper", 64, 5, 4)
