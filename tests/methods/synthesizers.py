"""Tiny networks with random weights, and layouts for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from scenebrush.methods.pix2pix.config import Pix2PixConfig
from scenebrush.methods.pix2pix.networks import Pix2PixNetwork
from scenebrush.methods.pix2pix.networks import build_network as build_pix2pix
from scenebrush.methods.pix2pixhd.config import Pix2PixHDConfig
from scenebrush.methods.pix2pixhd.folder import save_model
from scenebrush.methods.pix2pixhd.networks import Pix2PixHDNetworks
from scenebrush.methods.pix2pixhd.networks import build_networks as build_pix2pixhd
from scenebrush.methods.pix2pixhd.styles import StyleBook
from scenebrush.methods.spade.config import SpadeConfig
from scenebrush.methods.spade.networks import SpadeNetworks
from scenebrush.methods.spade.networks import build_networks as build_spade
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

CARD = "# A model\n\nDraws noise.\n"
SKY, ROAD, CAR = 0, 3, 8  # ids and indices in camvid


def tiny_pix2pix(dropout: float = 0.5) -> Pix2PixNetwork:
    torch.manual_seed(1)
    network = build_pix2pix(Pix2PixConfig(num_classes=12, width=2, depth=4, dropout=dropout))
    return network.eval().requires_grad_(False)


def tiny_spade(*, style: bool = False) -> SpadeNetworks:
    torch.manual_seed(1)
    networks = build_spade(SpadeConfig(num_classes=12, width=2, crop_size=64, style=style, style_channels=8))
    lively_(networks)
    return networks.eval().requires_grad_(False)


def tiny_pix2pixhd(num_features: int = 3) -> Pix2PixHDNetworks:
    torch.manual_seed(1)
    config = Pix2PixHDConfig(
        num_classes=12,
        num_features=num_features,
        width=4,
        num_downsamplings=2,
        num_blocks=1,
        encoder_width=4,
        encoder_downsamplings=2,
    )
    networks = build_pix2pixhd(config)
    lively_(networks)
    return networks.eval().requires_grad_(False)


def lively_(network: torch.nn.Module) -> None:
    """Makes the weights so large that the inputs show in the output."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3)


def tiny_styles() -> StyleBook:
    """Three styles for cars, two for the road."""
    cars = torch.tensor([[0.9, 0.9, 0.9], [-0.9, 0.9, 0.0], [0.0, -0.9, 0.9]])
    road = torch.tensor([[0.1, 0.2, 0.3], [-0.8, 0.4, -0.4]])
    return StyleBook(3, {CAR: cars, ROAD: road}, {CAR: (5, 3, 1), ROAD: (4, 2)})


def street(label_set: LabelSet, *, height: int = 50, width: int = 70) -> Layout:
    """Returns sky over road with two cars that touch; its sides are odd for every network."""
    labels = np.full((height, width), ROAD)
    labels[: height // 2] = SKY
    instances = np.zeros((height, width), int)
    for number, x in enumerate((10, 24), start=1):
        labels[20:34, x : x + 14] = CAR
        instances[20:34, x : x + 14] = number
    return Layout(labels, label_set, instances)


def photo_of(layout: Layout, seed: int = 0) -> np.ndarray:
    """Returns a photo of a layout: its classes' colours, a colour for each car, and grain."""
    pixels = layout.label_set.colors(layout.label_map).astype(float)
    if layout.instance_map is not None:
        pixels[layout.instance_map == 2] = (20, 160, 60)
    return np.clip(pixels + np.random.default_rng(seed).normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)


def house() -> np.ndarray:
    """Returns a label map in street_facades: a facade with two windows and a door-like shop, a street before it."""
    labels = np.full((200, 240), 1, np.uint8)
    labels[170:] = 7
    labels[40:90, 55:85] = labels[40:90, 105:135] = 2
    labels[130:170, 105:140] = 3
    return labels


def save_facades_model(folder: Path) -> None:
    """Writes a model folder for `house`: random weights, two styles for every class."""
    facades = LabelSet.load("street_facades")
    torch.manual_seed(1)
    config = Pix2PixHDConfig(
        num_classes=len(facades.classes), num_features=3, width=2, num_downsamplings=2, num_blocks=1
    )
    styles = {index: torch.tensor([[0.5, 0.0, -0.5], [-0.5, 0.5, 0.0]]) for index in range(config.num_classes)}
    book = StyleBook(3, styles, dict.fromkeys(styles, (2, 1)))
    save_model(folder, build_pix2pixhd(config).eval(), facades, {}, CARD, styles=book)
