"""A tiny segmenter with random weights."""

from __future__ import annotations

from pathlib import Path

import torch

from scenebrush.methods.segmenter.classes import known_ids
from scenebrush.methods.segmenter.config import SegmenterConfig
from scenebrush.methods.segmenter.folder import save_model
from scenebrush.methods.segmenter.network import SegmentationNetwork, build_network
from scenebrush.scene.label_set import LabelSet

CARD = "# A model\n\nGuesses.\n"


def tiny_config(label_set: LabelSet, **more: int) -> SegmenterConfig:
    return (
        SegmenterConfig(
            num_outputs=len(known_ids(label_set)),
            widths=(4, 4, 8, 8),
            depths=(1, 1, 1, 1),
            decoder_width=4,
            group_width=4,
        )
        if not more
        else SegmenterConfig(**{**vars(tiny_config(label_set)), **more})
    )


def tiny_network(config: SegmenterConfig) -> SegmentationNetwork:
    """Returns a network whose every layer shows in its scores, its norms' too."""
    torch.manual_seed(3)
    network = build_network(config)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("running_var") or (tensor.ndim == 1 and name.endswith("weight")):
                tensor.uniform_(0.5, 1.5)
            elif name.endswith(("running_mean", "bias")):
                tensor.normal_(0, 0.3)
    return network.eval()


def write_tiny(folder: Path, label_set: LabelSet, **more: int) -> Path:
    """Writes a model folder and returns it."""
    config = tiny_config(label_set, **more)
    save_model(folder, tiny_network(config), config, label_set, {"steps": 0}, CARD)
    return folder
