"""LPIPS v0.1 (Zhang et al., CVPR 2018): the perceptual distance of two pictures.

d(x, y) = sum_l mean_p sum_c w_lc (f_lc(x, p) - f_lc(y, p))^2, with f_l the features of layer l, scaled
to unit length over the channels at each position p, and w_l >= 0 the learned heads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scenebrush.errors import InputError
from scenebrush.evaluation.assets import load_asset
from scenebrush.evaluation.pictures import Pictures, batches, stack_holes, stack_pair, to_tensor

Backbone = Literal["alex", "vgg"]
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
SMALLEST_SIDE = {"alex": 31, "vgg": 16}


def alexnet_stages() -> nn.ModuleList:
    """Returns AlexNet's five convolutions as stages; each ends after its ReLU, where LPIPS taps."""
    relu, pool = nn.ReLU(), nn.MaxPool2d(3, stride=2)
    return nn.ModuleList(
        [
            nn.Sequential(nn.Conv2d(3, 64, 11, stride=4, padding=2), relu),
            nn.Sequential(pool, nn.Conv2d(64, 192, 5, padding=2), relu),
            nn.Sequential(pool, nn.Conv2d(192, 384, 3, padding=1), relu),
            nn.Sequential(nn.Conv2d(384, 256, 3, padding=1), relu),
            nn.Sequential(nn.Conv2d(256, 256, 3, padding=1), relu),
        ]
    )


def vgg16_stages() -> nn.ModuleList:
    """Returns VGG16's five stages; they end after relu1_2, 2_2, 3_3, 4_3 and 5_3."""
    stages, channels = nn.ModuleList(), 3
    for depth, (width, convs) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]):
        layers: list[nn.Module] = [nn.MaxPool2d(2)] if depth else []
        for _ in range(convs):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        stages.append(nn.Sequential(*layers))
    return stages


class Lpips(nn.Module):
    """LPIPS v0.1 on one backbone; frozen, always in float32.

    Args:
        stages: feature stages, applied one after the other; each one's output is compared.
        widths: channels of each stage's output.
    """

    def __init__(self, stages: nn.ModuleList, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stages = stages
        self.heads = nn.ParameterList(torch.zeros(1, width, 1, 1) for width in widths)
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1))

    @classmethod
    def load(cls, backbone: Backbone = "alex", folder: Path | None = None) -> Self:
        """Returns the network with its weights from the assets folder; errors as `assets.find_asset`."""
        network = cls.build(backbone)
        tensors = load_asset(f"lpips-{backbone}", folder)
        convs = [m for stage in network.stages for m in stage.modules() if isinstance(m, nn.Conv2d)]
        places = sorted({int(key.split(".")[1]) for key in tensors if key.startswith("features.")})
        for place, conv in zip(places, convs, strict=True):
            conv.load_state_dict({part: tensors[f"features.{place}.{part}"] for part in ("weight", "bias")})
        for index, head in enumerate(network.heads):
            head.data.copy_(tensors[f"lin{index}.weight"])
        return network.eval().requires_grad_(False)

    @classmethod
    def build(cls, backbone: Backbone) -> Self:
        """Returns the network with random features and heads of zero."""
        if backbone == "alex":
            return cls(alexnet_stages(), (64, 192, 384, 256, 256))
        return cls(vgg16_stages(), (64, 128, 256, 512, 512))

    def features(self, x: Tensor) -> list[Tensor]:
        """Returns the unit-length features of each stage for x (B, 3, H, W) in [-1, 1]."""
        out = []
        x = (x - self.get_buffer("shift")) / self.get_buffer("scale")
        for stage in self.stages:
            x = stage(x)
            out.append(x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10))
        return out

    def layer_maps(self, first: Tensor, second: Tensor) -> list[Tensor]:
        """Returns one map (B, 1, h, w) of weighted squared differences per stage."""
        with torch.autocast(first.device.type, enabled=False):
            pairs = zip(self.features(first.float()), self.features(second.float()), self.heads, strict=True)
            return [((a - b).square() * head).sum(dim=1, keepdim=True) for a, b, head in pairs]

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Returns the distances (B,) of pictures (B, 3, H, W) in [-1, 1]."""
        return torch.stack([m.mean(dim=(1, 2, 3)) for m in self.layer_maps(first, second)]).sum(dim=0)

    def spatial(self, first: Tensor, second: Tensor) -> Tensor:
        """Returns the distance at each pixel, (B, H, W): the stages' maps enlarged bilinearly and summed."""
        size = first.shape[-2:]
        maps = [F.interpolate(m, size, mode="bilinear", align_corners=False) for m in self.layer_maps(first, second)]
        return torch.stack(maps).sum(dim=0)[:, 0]


@torch.inference_mode()
def lpips(
    first: Pictures, second: Pictures, network: Lpips, *, holes: Pictures | None = None, batch: int = 16
) -> np.ndarray:
    """Returns LPIPS, float64 (N,), of pictures uint8 (N, H, W, 3); 0 = equal, lower is better.

    With `holes`, bool (N, H, W), the spatial map is averaged over the hole alone (not the authors'
    figure: theirs is the window's mean over each stage's own map).
    """
    a, b = stack_pair(first, second)
    masks = stack_holes(holes, a)
    _check_size(a, network)
    device = network.heads[0].device
    out = []
    for part in batches(len(a), batch):
        x, y = to_tensor(a[part], device), to_tensor(b[part], device)
        if masks is None:
            out.append(network(x, y))
        else:
            mask = torch.tensor(masks[part], device=device)
            out.append((network.spatial(x, y) * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2)))
    return torch.cat(out).double().cpu().numpy()


def _check_size(pictures: np.ndarray, network: Lpips) -> None:
    smallest = SMALLEST_SIDE["alex" if network.heads[1].shape[1] == 192 else "vgg"]
    height, width = pictures.shape[1:3]
    if min(height, width) < smallest:
        raise InputError(f"a picture of {width}x{height} is too small for LPIPS; it needs {smallest} px a side")
