"""LPIPS against the authors' own code, PyPI lpips==0.1.4, where it is installed (pip install --no-deps lpips==0.1.4).

Their package asks torchvision for the backbones; a stand-in gives it ours, so torchvision is not needed. Run once on
pairs of CamVid's test photos: AlexNet equal to the last bit (0.50276, 0.74013, 0.52691), VGG16 to 2e-5 (its weights
are in half precision here).
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from scenebrush.evaluation.assets import load_asset
from scenebrush.evaluation.lpips import Backbone, Lpips, lpips
from scenebrush.evaluation.pictures import to_tensor

ALEXNET = [
    *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU()),
    *(nn.MaxPool2d(3, 2), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
    *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
]


def vgg16() -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels = 3
    for width, count in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return layers


def stand_in(monkeypatch: pytest.MonkeyPatch, assets: Path) -> None:
    """Puts a `torchvision.models` with our two backbones, and what else the package imports, into `sys.modules`."""

    def backbone(layers: list[nn.Module], asset: str) -> SimpleNamespace:
        features = nn.Sequential(*layers)
        tensors = load_asset(asset, assets)
        features.load_state_dict({k[9:]: v for k, v in tensors.items() if k.startswith("features.")})
        return SimpleNamespace(features=features)

    models = ModuleType("torchvision.models")
    models.alexnet = lambda pretrained: backbone(ALEXNET, "lpips-alex")  # type: ignore[attr-defined]
    models.vgg16 = lambda pretrained: backbone(vgg16(), "lpips-vgg")  # type: ignore[attr-defined]
    torchvision, tqdm, ipython = ModuleType("torchvision"), ModuleType("tqdm"), ModuleType("IPython")
    torchvision.models, tqdm.tqdm, ipython.embed = models, None, None  # type: ignore[attr-defined]
    stubs = {"torchvision": torchvision, "torchvision.models": models, "tqdm": tqdm, "IPython": ipython}
    for name, module in stubs.items():
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("backbone", "margin"), [("alex", 1e-6), ("vgg", 1e-4)])
def test_it_equals_the_authors_code(
    assets: Path,
    monkeypatch: pytest.MonkeyPatch,
    waves: np.ndarray,
    spoilt: np.ndarray,
    backbone: Backbone,
    margin: float,
) -> None:
    if find_spec("lpips") is None:
        pytest.skip("the authors' lpips is not installed (pip install --no-deps lpips==0.1.4)")
    stand_in(monkeypatch, assets)
    theirs = import_module("lpips").LPIPS(net=backbone, verbose=False).eval()
    with torch.inference_mode():
        expected = float(theirs(to_tensor(waves[None]), to_tensor(spoilt[None])))
    assert lpips(waves, spoilt, Lpips.load(backbone, assets))[0] == pytest.approx(expected, abs=margin)
