"""A bank of toy streets, and tiny networks with random weights that make pictures of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from scenebrush.data.toy import ToyWorld, write_toy_folder
from scenebrush.methods.sims.bank import Bank, build_bank
from scenebrush.methods.sims.config import SimsConfig
from scenebrush.methods.sims.cutting import cut
from scenebrush.methods.sims.folder import save_model
from scenebrush.methods.sims.networks import SimsNetworks, build_networks
from scenebrush.methods.sims.writing import BankWriter
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene

SIZE = (128, 96)
TINY = SimsConfig(
    num_classes=12,
    network="compact",
    width=6,
    body_width=2,
    working_rows=32,
    elision_band=0.05,
    elided_white=False,
)
CARD = "# A model\n\nDraws noise.\n"


def write_bank(folder: Path, count: int = 12) -> Path:
    """Returns a bank of `count` toy streets, `train/toy_9000000` and on."""
    streets = write_toy_folder(folder / "streets", count, "train", size=SIZE, seed=9)
    build_bank(streets, folder / "bank", workers=1, match_size=(64, 128))
    return folder / "bank"


def bank_without(bank: Bank, path: Path, *class_ids: int) -> Bank:
    """Returns a bank of four of the bank's streets, from which classes are left out."""
    folder = bank.path.parent / "streets" / "train"
    with BankWriter.open(path, bank.label_set, match_size=bank.match_size) as writer:
        for donor in bank.donors()[:4]:
            stem = donor.removeprefix("train/")
            labels, photo = (np.array(Image.open(folder / name / f"{stem}.png")) for name in ("labels", "images"))
            labels[np.isin(labels, class_ids)] = bank.label_set.find("void").id
            writer.append(cut(donor, stem, Layout(labels, bank.label_set), photo, match_size=bank.match_size))
    return Bank.open(path)


def tiny_networks(**changed: Any) -> SimsNetworks:
    """Returns networks in evaluation mode; the transformation network is the identity as yet."""
    torch.manual_seed(1)
    return build_networks(replace(TINY, **changed)).eval().requires_grad_(False)


def write_model(folder: Path, **changed: Any) -> Path:
    """Returns a model folder for camvid."""
    save_model(folder, tiny_networks(**changed), LabelSet.load("camvid"), {}, CARD)
    return folder


def toy_street(number: int = 3) -> Scene:
    """Returns a street that the bank does not have, of the size of its own."""
    return ToyWorld(number, SIZE).scene()
