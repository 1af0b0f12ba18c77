"""What the patch discriminators share: streams of 4x4 convolutions (PatchGAN) and the pyramid of their scales."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.norms import InstanceNorm
from scenebrush.layers.receptive_field import Window
from scenebrush.layers.spectral_norm import SpectralConv2d

KERNEL, PADDING = 4, 2
MAX_WIDTH = 512
HALVE = Window(kernel=3, stride=2, padding=1)


def stream_widths(width: int, num_layers: int) -> list[int]:
    """Returns the channels after each layer of a stream: doubled from layer to layer, up to 512."""
    return [min(width * 2**i, MAX_WIDTH) for i in range(num_layers)]


def patch_stream(in_channels: int, width: int, num_layers: int) -> nn.ModuleList:
    """Returns the layers of one stream: the first without norm, the others with spectral and instance norm.

    All end in leaky ReLU 0.2; all halve the size but the last. With 4 layers, 256x256 becomes 34x34.
    """
    widths = [in_channels, *stream_widths(width, num_layers)]
    first = nn.Sequential(nn.Conv2d(in_channels, width, KERNEL, stride(0, num_layers), PADDING), nn.LeakyReLU(0.2))
    later = (patch_layer(widths[i], widths[i + 1], stride(i, num_layers)) for i in range(1, num_layers))
    return nn.ModuleList([first, *later])


def patch_layer(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """Returns 4x4 convolution with spectral norm and without bias, instance norm without parameters, leaky ReLU."""
    return nn.Sequential(
        SpectralConv2d(in_channels, out_channels, KERNEL, stride=stride, padding=PADDING, bias=False),
        InstanceNorm(out_channels),
        nn.LeakyReLU(0.2),
    )


def patch_prediction(width: int, num_layers: int, out_channels: int = 1) -> nn.Conv2d:
    """Returns the last convolution, from a stream's last map to the logits: 4x4, no norm."""
    return nn.Conv2d(stream_widths(width, num_layers)[-1], out_channels, KERNEL, padding=PADDING)


def patch_windows(num_layers: int) -> list[Window]:
    """Returns the geometry of a stream and its prediction: patches of 70 px with 4 layers, of 34 px with 3."""
    return [Window(KERNEL, stride(i, num_layers), PADDING) for i in range(num_layers)] + [Window(KERNEL, 1, PADDING)]


def stride(layer: int, num_layers: int) -> int:
    """Returns a layer's stride: all layers halve, but the last one of a stream; a first layer always does."""
    return 1 if layer == num_layers - 1 and layer > 0 else 2


def through(layers: Iterable[nn.Module], x: Tensor) -> list[Tensor]:
    """Returns the maps after each layer, one after another; the last one is the stream's result."""
    maps = []
    for layer in layers:
        x = layer(x)
        maps.append(x)
    return maps


def pyramid(x: Tensor, num_scales: int) -> list[Tensor]:
    """Returns x (B, C, H, W) at full, half, quarter, ... size by 3x3 means that leave the padding out."""
    levels = [x]
    for _ in range(num_scales - 1):
        levels.append(F.avg_pool2d(levels[-1], HALVE.kernel, HALVE.stride, HALVE.padding, count_include_pad=False))
    return levels


def shares(condition: Tensor, size: tuple[int, int]) -> Tensor:
    """Returns the condition (B, S, H, W) averaged to (B, S, h, w): of one-hot labels, each class's share of a place."""
    return F.adaptive_avg_pool2d(condition, size)
