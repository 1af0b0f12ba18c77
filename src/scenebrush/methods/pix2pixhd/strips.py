"""Pictures of any size in bounded memory: the generator runs layer by layer, each layer in strips of rows.

Instance norm needs the statistics of the whole picture, so a picture cannot be cut into tiles that are drawn one by
one: every tile would be normalised by itself. Here each LAYER is cut instead. A strip of rows (with the rows that the
kernel sees beyond it) is convolved and stored; mean and variance are gathered strip by strip, and when the map is
complete they are applied while the next layer reads it. So the result is that of the plain network up to rounding, for
instance norm, batch norm and every size.

What grows with the picture are two or three stored maps, in host memory or, with `spool`, in files that the system can
write out; what the device that computes holds is the weights and one strip.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.errors import InputError
from scenebrush.layers.norms import InstanceNorm
from scenebrush.methods.pix2pixhd.blocks import ConvolutionBlock, ResidualBlock, UpBlock
from scenebrush.methods.pix2pixhd.generator import HEAD_KERNEL, CoarseToFineGenerator, GlobalTrunk, LocalEnhancer


@dataclass(frozen=True)
class Strips:
    """How to cut. `pixels` of a layer's output are made at once; `spool`: a folder for the maps, None = in memory."""

    pixels: int = 2**17
    spool: Path | None = None


class Rows(Protocol):
    """A map (1, C, H, W) that is read in rows."""

    height: int
    width: int

    def read(self, first: int, last: int) -> Tensor:
        """Returns rows first to last - 1, all inside: (1, C, last - first, W); not to be changed in place."""
        ...


class TensorRows:
    """A tensor (1, C, H, W) as `Rows`."""

    def __init__(self, x: Tensor) -> None:
        if x.shape[0] != 1:
            raise InputError(f"input has {x.shape[0]} samples; expected 1: give one after another")
        self.tensor = x
        self.height, self.width = x.shape[2:]

    def read(self, first: int, last: int) -> Tensor:
        return self.tensor[:, :, first:last]


class HalfRows:
    """`Rows` at half the size, averaged as `layers.discriminators.patches.pyramid` does, made while they are read."""

    def __init__(self, source: Rows) -> None:
        self.source = source
        self.height, self.width = (source.height + 1) // 2, (source.width + 1) // 2

    def read(self, first: int, last: int) -> Tensor:
        begin = max(2 * first - 2, 0)  # even, so that the grid stays; one row more than is used
        rows = self.source.read(begin, min(2 * last, self.source.height))
        pooled = F.avg_pool2d(rows, 3, 2, 1, count_include_pad=False)
        skipped = first - begin // 2
        return pooled[:, :, skipped : skipped + last - first]


class StoredRows:
    """A map in a store, (H, W, C), so that rows lie together; its norm and ReLU are applied while it is read."""

    def __init__(self, store: Tensor, device: torch.device) -> None:
        self.store = store
        self.device = device
        self.height, self.width = store.shape[:2]
        self.scale: Tensor | None = None
        self.shift: Tensor | None = None
        self.relu = False

    def read(self, first: int, last: int) -> Tensor:
        return self.read_box(slice(first, last), slice(None))

    def read_box(self, rows: slice, columns: slice) -> Tensor:
        """Returns a box of the map, all inside: (1, C, h, w); not to be changed in place."""
        return self.normalized(self.store[rows, columns].to(self.device).permute(2, 0, 1)[None])

    def normalized(self, rows: Tensor) -> Tensor:
        """Returns values (1, C, h, w) of this map as they are read, for those that are stored."""
        if self.scale is not None and self.shift is not None:
            rows = torch.addcmul(self.shift, rows.float(), self.scale).to(rows.dtype)
        return F.relu(rows) if self.relu else rows

    def write(self, first: int, rows: Tensor) -> None:
        """Stores rows (1, C, h, W) from row `first` on."""
        self.store[first : first + rows.shape[2]] = rows[0].permute(1, 2, 0)


class Trace(NamedTuple):
    """A picture and how it came about, for `parts.render_part`.

    `picture` float32 (1, 3, H, W) in [-1, 1] on the CPU; `maps` the outputs of all convolutions, with a sum in place of
    its last summand, in the order in which they are made; `norms` (scale, shift), (1, C, 1, 1) each, of every norm.
    """

    picture: Tensor
    maps: tuple[StoredRows, ...]
    norms: tuple[tuple[Tensor, Tensor], ...]


@torch.inference_mode()
def render(generator: CoarseToFineGenerator, x: Rows, strips: Strips | None = None) -> Tensor:
    """Returns the picture, float32 (1, 3, H, W) in [-1, 1] on the CPU: what `generator(x)` gives, up to rounding.

    The generator's weights decide the device and the precision (`generator.bfloat16()`); the maps have that precision
    too. Sides must be divisible by `generator.divisor`.
    """
    _check_sides(generator, x)
    return _Runner(generator, strips or Strips()).run(x)


@torch.inference_mode()
def render_traced(generator: CoarseToFineGenerator, x: Rows, strips: Strips | None = None) -> Trace:
    """Returns what `render` does, with all maps on the way."""
    _check_sides(generator, x)
    runner = _Runner(generator, strips or Strips(), traced=True)
    return Trace(runner.run(x), tuple(runner.maps), tuple(runner.norms))


def _check_sides(generator: CoarseToFineGenerator, x: Rows) -> None:
    if x.height % generator.divisor or x.width % generator.divisor:
        raise InputError(f"input is {x.width}x{x.height}; expected sides divisible by {generator.divisor}; pad it")


class _Runner:
    """Runs the layers of a generator on `Rows`."""

    def __init__(self, generator: CoarseToFineGenerator, strips: Strips, *, traced: bool = False) -> None:
        weight = next(generator.parameters())
        self.generator, self.strips, self.traced = generator, strips, traced
        self.maps: list[StoredRows] = []  # with `traced`
        self.norms: list[tuple[Tensor, Tensor]] = []
        self.device, self.dtype = weight.device, weight.dtype

    def run(self, x: Rows) -> Tensor:
        inputs: list[Rows] = [x]
        for _ in self.generator.enhancers:
            inputs.append(HalfRows(inputs[-1]))
        features = self.trunk(inputs.pop(), self.generator.trunk)
        for enhancer in self.generator.enhancers:
            assert isinstance(enhancer, LocalEnhancer)
            features = self.enhancer(inputs.pop(), features, enhancer)
        head = self.generator.head(len(self.generator.enhancers))
        picture = self.convolve(features, head, reflect=HEAD_KERNEL // 2)
        return torch.tanh(picture.store.permute(2, 0, 1)[None].float())

    def trunk(self, x: Rows, trunk: GlobalTrunk) -> StoredRows:
        for block in trunk.blocks():
            x = self.block(x, block)
        assert isinstance(x, StoredRows)
        return x

    def enhancer(self, x: Rows, coarse: StoredRows, enhancer: LocalEnhancer) -> StoredRows:
        fine = self.block(self.block(x, enhancer.first), enhancer.down_block)
        fine = self.add(coarse, fine)
        for block in [*enhancer.residual_blocks, enhancer.up_block]:
            fine = self.block(fine, block)
        return fine

    def block(self, x: Rows, block: nn.Module) -> StoredRows:
        if isinstance(block, ResidualBlock):
            inner = self.norm(self.convolve(x, block.convolution_0, reflect=1), block.norm_0, relu=True)
            return self.add(x, self.norm(self.convolve(inner, block.convolution_1, reflect=1), block.norm_1))
        if isinstance(block, UpBlock):
            return self.norm(self.double(x, block.convolution), block.norm, relu=True)
        assert isinstance(block, ConvolutionBlock)
        return self.norm(self.convolve(x, block.convolution, reflect=block.reflection), block.norm, relu=True)

    def convolve(self, x: Rows, convolution: nn.Conv2d, *, reflect: int) -> StoredRows:
        """Returns a convolution's output; `reflect`: mirrored pixels around its input, else it pads with zeros."""
        kernel, stride = convolution.kernel_size[0], convolution.stride[0]
        padding = reflect or int(convolution.padding[0])
        size = [(length + 2 * padding - kernel) // stride + 1 for length in (x.height, x.width)]

        def make(first: int, last: int) -> Tensor:
            rows = _padded(x, first * stride - padding, (last - 1) * stride - padding + kernel, padding, bool(reflect))
            return F.conv2d(self._moved(rows), convolution.weight, convolution.bias, stride)

        return self._fill(size[0], size[1], convolution.out_channels, make)

    def double(self, x: Rows, convolution: nn.ConvTranspose2d) -> StoredRows:
        """Returns the output of a transposed 3x3 convolution with stride 2."""

        def make(first: int, last: int) -> Tensor:
            # Output row 2i sees input row i, row 2i + 1 sees i and i + 1.
            rows = self._moved(x.read(first // 2, min(last // 2 + 1, x.height)))
            doubled = F.conv_transpose2d(rows, convolution.weight, convolution.bias, 2, 1, output_padding=1)
            return doubled[:, :, : last - first]

        return self._fill(2 * x.height, 2 * x.width, convolution.out_channels, make)

    def norm(self, x: StoredRows, norm: nn.Module, *, relu: bool = False) -> StoredRows:
        """Lets a map be normalised while it is read, by the statistics of all of it or by running ones."""
        if isinstance(norm, nn.BatchNorm2d) and not norm.training:
            assert norm.running_mean is not None and norm.running_var is not None
            mean, variance, eps = norm.running_mean.double(), norm.running_var.double(), norm.eps
        else:
            assert isinstance(norm, InstanceNorm | nn.BatchNorm2d)
            (mean, variance), eps = self._moments(x), norm.eps
        scale = (variance + eps).rsqrt()
        if isinstance(norm, nn.BatchNorm2d):
            scale = scale * norm.weight.double()
        shift = -mean * scale
        if isinstance(norm, nn.BatchNorm2d):
            shift = shift + norm.bias.double()
        x.scale, x.shift, x.relu = scale.float().view(1, -1, 1, 1), shift.float().view(1, -1, 1, 1), relu
        self.norms.append((x.scale, x.shift))
        return x

    def add(self, x: Rows, y: StoredRows) -> StoredRows:
        """Returns x + y in y's place."""
        for first, last in self._strips(y.height, y.width):
            y.write(first, self._moved(x.read(first, last)) + y.read(first, last))
        y.scale = y.shift = None
        y.relu = False
        return y

    def _moments(self, x: StoredRows) -> tuple[Tensor, Tensor]:
        """Returns mean and variance per channel, float64: strips joined by Chan's formula, which does not cancel."""
        count, mean, squares = 0, torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
        mean, squares = mean.to(self.device), squares.to(self.device)
        for first, last in self._strips(x.height, x.width):
            rows = x.read(first, last)[0].float()
            new = rows.shape[1] * rows.shape[2]
            variance, average = torch.var_mean(rows, dim=(1, 2), correction=0)
            step = average.double() - mean
            squares = squares + variance.double() * new + step.square() * (count * new / (count + new))
            mean = mean + step * (new / (count + new))
            count += new
        return mean, squares / count

    def _fill(self, height: int, width: int, channels: int, make: Callable[[int, int], Tensor]) -> StoredRows:
        out = StoredRows(self._allocate(height, width, channels), self.device)
        for first, last in self._strips(height, width):
            out.write(first, make(first, last))
        if self.traced:
            self.maps.append(out)
        return out

    def _strips(self, height: int, width: int) -> Iterator[tuple[int, int]]:
        """Yields first and last row of strips; an even number of rows each, as doubling needs it."""
        rows = max(self.strips.pixels // width // 2 * 2, 2)
        for first in range(0, height, rows):
            yield first, min(first + rows, height)

    def _moved(self, rows: Tensor) -> Tensor:
        return rows.to(self.device, self.dtype)

    def _allocate(self, height: int, width: int, channels: int) -> Tensor:
        shape = (height, width, channels)
        if self.strips.spool is None:
            return torch.empty(shape, dtype=self.dtype)
        with tempfile.NamedTemporaryFile(dir=self.strips.spool) as file:  # without a name it goes with the tensor
            numel = height * width * channels
            os.ftruncate(file.fileno(), numel * self.dtype.itemsize)
            return torch.from_file(file.name, shared=True, size=numel, dtype=self.dtype).view(shape)


def _padded(x: Rows, first: int, last: int, padding: int, mirror: bool) -> Tensor:
    """Returns rows first to last - 1, which may lie outside, and as many columns beyond each side as `padding`."""
    if not mirror:
        inside = x.read(max(first, 0), min(last, x.height))
        return F.pad(inside, (padding, padding, max(-first, 0), max(last - x.height, 0)))
    wanted = torch.arange(first, last).abs()
    wanted = (x.height - 1) - (x.height - 1 - wanted).abs()
    begin = int(wanted.min())
    rows = x.read(begin, int(wanted.max()) + 1)
    return F.pad(rows[:, :, (wanted - begin).to(rows.device)], (padding, padding, 0, 0), mode="reflect")
