"""A photo of a hill under a sky, and a pupil that learns it in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scenebrush.methods.layout_arrays import photo_tensor
from scenebrush.methods.semia.config import SemiaConfig
from scenebrush.methods.semia.folder import save_model
from scenebrush.methods.semia.paper_method import PaperRenderer, build_generator, layout_picture
from scenebrush.methods.semia.source import Source
from scenebrush.scene.label_set import LabelClass, LabelSet
from scenebrush.scene.layout import Layout

LAND = LabelSet(
    "land",
    (
        LabelClass(0, "sky", (120, 180, 250), "stuff"),
        LabelClass(1, "hill", (60, 140, 50), "stuff"),
        LabelClass(2, "hut", (180, 60, 40), "thing"),
        LabelClass(7, "lake", (20, 60, 160), "stuff"),
    ),
)
CONFIG = SemiaConfig(kind="paper", width=4, levels=1)


def land(height: int = 72, width: int = 88, horizon: float = 0.5) -> Layout:
    """Returns sky over a hill, with a hut; no lake."""
    labels = np.ones((height, width), np.int32)
    labels[: int(horizon * height)] = 0
    labels[height // 2 : height // 2 + 16, 10:30] = 2
    return Layout(labels, LAND)


def photo_of(layout: Layout, seed: int = 0) -> np.ndarray:
    """Returns the classes' colours with grain."""
    grain = np.random.default_rng(seed).normal(0, 6, (*layout.shape, 3))
    return np.clip(layout.label_set.colors(layout.label_map) + grain, 0, 255).astype(np.uint8)


def tiny_source(**changes: Any) -> Source:
    return Source(photo_of(land(**changes)), land(**changes))


class TinyPupil:
    """Learns to paint its photo with the paper's generator at a tiny size; a `Pupil`."""

    def __init__(self, source: Source, config: SemiaConfig = CONFIG, *, seed: int = 0) -> None:
        self.source, self.seed = source, seed
        self.config = SemiaConfig(kind="paper", width=4, levels=1)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.generator = build_generator(self.config)
        self.optimizer = torch.optim.Adam(self.generator.parameters(), lr=1e-2)
        self.shares: list[float] = []

    total: int | None = None

    def iterate(self, iteration: int, share: float) -> Mapping[str, float]:
        self.shares.append(share)
        rng = torch.Generator().manual_seed(self.seed * 1000 + iteration)
        top = int(torch.randint(0, 3, (1,), generator=rng)) * 8
        photo = photo_tensor(self.source.photo)[:, :, top : top + 16, :32]
        layout = layout_picture(self.source.layout)[:, :, top : top + 16, :32]
        noisy = photo + 0.1 * torch.rand(photo.shape, generator=rng)
        for group in self.optimizer.param_groups:
            group["lr"] = 1e-2 * (1 - share)
        self.generator.train()
        loss = (self.generator(noisy, layout, layout).picture - photo).abs().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": float(loss.detach()), "reconstruction": float(loss.detach())}

    def picture(self) -> np.ndarray:
        renderer = PaperRenderer(self.generator.eval(), self.source)
        return np.hstack([self.source.photo, renderer.render(self.source.layout, 0)])

    def state_dict(self) -> dict[str, Tensor]:
        state = {f"generator/{key}": value for key, value in self.generator.state_dict().items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            state |= {f"optimizer/{index}/{key}": torch.as_tensor(value) for key, value in values.items()}
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        def below(prefix: str) -> dict[str, Tensor]:
            return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}

        self.generator.load_state_dict(below("generator/"))
        filled: dict[int, dict[str, Tensor]] = {}
        for key, value in below("optimizer/").items():
            filled.setdefault(int(key.split("/")[0]), {})[key.split("/")[1]] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": filled, "param_groups": groups})

    def export(self, folder: Path, facts: Mapping[str, Any]) -> None:
        state = self.generator.state_dict()
        save_model(folder, self.config, self.source, state, facts, "# A fit\n\nPaints a hill.\n")
