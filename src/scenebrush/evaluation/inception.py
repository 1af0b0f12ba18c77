"""The InceptionV3 that FID and KID are defined on (TensorFlow's graph of 2015-12-05), batch norms folded.

Parts keep the names of the weights file: `Mixed_5b.branch1x1.conv.weight` and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scenebrush.evaluation.assets import load_asset
from scenebrush.evaluation.pictures import Pictures, batches, to_tensor

INPUT_SIZE = 299
FEATURES = 2048


class Conv(nn.Module):
    """Convolution with bias (the folded batch norm), then ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1, padding: int | str = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x), inplace=True)


def _same(inputs: int, outputs: int, kernel: int | tuple[int, int]) -> Conv:
    return Conv(inputs, outputs, kernel, padding="same")


def _pooled(x: Tensor, pool: Literal["average", "maximum"] = "average") -> Tensor:
    """Returns x pooled 3x3 at stride 1; averages leave the padding out, which torchvision's Inception does not."""
    if pool == "maximum":
        return F.max_pool2d(x, 3, stride=1, padding=1)
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class BlockA(nn.Module):
    """Mixed_5b to 5d: 1x1, 5x5 and double 3x3 branches, pooled branch of `pooled` channels."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = _same(inputs, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = _same(inputs, 48, 1), _same(48, 64, 5)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _same(inputs, 64, 1), _same(64, 96, 3)
        self.branch3x3dbl_3 = _same(96, 96, 3)
        self.branch_pool = _same(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(_pooled(x))], dim=1)


class BlockB(nn.Module):
    """Mixed_6a: halves the size, 288 -> 768."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3 = Conv(288, 384, 3, stride=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _same(288, 64, 1), _same(64, 96, 3)
        self.branch3x3dbl_3 = Conv(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), three, F.max_pool2d(x, 3, stride=2)], dim=1)


class BlockC(nn.Module):
    """Mixed_6b to 6e: 7x7 factored into 1x7 and 7x1, `middle` channels within."""

    def __init__(self, middle: int) -> None:
        super().__init__()
        self.branch1x1 = _same(768, 192, 1)
        self.branch7x7_1, self.branch7x7_2 = _same(768, middle, 1), _same(middle, middle, (1, 7))
        self.branch7x7_3 = _same(middle, 192, (7, 1))
        self.branch7x7dbl_1, self.branch7x7dbl_2 = _same(768, middle, 1), _same(middle, middle, (7, 1))
        self.branch7x7dbl_3, self.branch7x7dbl_4 = _same(middle, middle, (1, 7)), _same(middle, middle, (7, 1))
        self.branch7x7dbl_5 = _same(middle, 192, (1, 7))
        self.branch_pool = _same(768, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(_pooled(x))], dim=1)


class BlockD(nn.Module):
    """Mixed_7a: halves the size, 768 -> 1280."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = _same(768, 192, 1), Conv(192, 320, 3, stride=2)
        self.branch7x7x3_1, self.branch7x7x3_2 = _same(768, 192, 1), _same(192, 192, (1, 7))
        self.branch7x7x3_3, self.branch7x7x3_4 = _same(192, 192, (7, 1)), Conv(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), seven, F.max_pool2d(x, 3, stride=2)], dim=1)


class BlockE(nn.Module):
    """Mixed_7b and 7c: forked 3x3 branches; 7b pools by average, 7c by maximum."""

    def __init__(self, inputs: int, pool: Literal["average", "maximum"]) -> None:
        super().__init__()
        self.pool = pool
        self.branch1x1 = _same(inputs, 320, 1)
        self.branch3x3_1 = _same(inputs, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = _same(384, 384, (1, 3)), _same(384, 384, (3, 1))
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _same(inputs, 448, 1), _same(448, 384, 3)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = _same(384, 384, (1, 3)), _same(384, 384, (3, 1))
        self.branch_pool = _same(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        forks = [self.branch3x3_2a(three), self.branch3x3_2b(three)]
        forks += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return torch.cat([self.branch1x1(x), *forks, self.branch_pool(_pooled(x, self.pool))], dim=1)


class InceptionV3(nn.Module):
    """FID's InceptionV3 up to pool3: (B, 3, 299, 299) in [-1, 1] -> (B, 2048); frozen, float32."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Conv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = _same(32, 64, 3)
        self.Conv2d_3b_1x1 = Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = Conv(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = BlockA(192, 32), BlockA(256, 64), BlockA(288, 64)
        self.Mixed_6a = BlockB()
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = BlockC(128), BlockC(160), BlockC(160), BlockC(192)
        self.Mixed_7a = BlockD()
        self.Mixed_7b, self.Mixed_7c = BlockE(1280, "average"), BlockE(2048, "maximum")

    @classmethod
    def load(cls, folder: Path | None = None) -> Self:
        """Returns the network with its weights from the assets folder; errors as `assets.find_asset`."""
        network = cls()
        network.load_state_dict(load_asset("inception", folder))
        return network.eval().requires_grad_(False)

    def first_features(self, x: Tensor, pool: Literal[1, 2] = 1) -> Tensor:
        """Returns the features just before the first or the second max pooling, of x (B, 3, H, W) in [-1, 1].

        (B, 64, h, w) before the first, with h = (H - 1) // 2 - 2; (B, 192, h', w') before the second.
        """
        with torch.autocast(x.device.type, enabled=False):
            x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x.float())))
            return x if pool == 1 else self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, stride=2)))

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            x = self.first_features(x, 2)
            x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, stride=2))))
            x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
            x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
            return x.mean(dim=(2, 3))


def resize(pictures: Tensor) -> Tensor:
    """Returns (B, 3, 299, 299): bilinear, corners not aligned, no antialiasing, as pytorch-fid (SPADE's FID)."""
    return F.interpolate(pictures, (INPUT_SIZE, INPUT_SIZE), mode="bilinear", align_corners=False)


@torch.inference_mode()
def inception_features(pictures: Pictures, network: InceptionV3, *, batch: int = 16) -> np.ndarray:
    """Returns features, float64 (N, 2048), of pictures uint8 (N, H, W, 3); sizes in a sequence may differ."""
    device = network.Conv2d_1a_3x3.conv.weight.device
    out = [np.empty((0, FEATURES))]
    for part in batches(len(pictures), batch):
        x = torch.cat([resize(to_tensor(p[None], device)) for p in _slice(pictures, part)])
        out.append(network(x).double().cpu().numpy())
    return np.concatenate(out)


def _slice(pictures: Pictures, part: slice) -> Sequence[np.ndarray]:
    return list(pictures[part])
