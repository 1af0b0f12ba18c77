"""A part of a picture drawn again, as if the whole were: the maps of the whole picture lie around it in every layer.

A part that is drawn by itself has other statistics for its instance norms, and its padding is seen far inside: nine
residual blocks at a sixteenth of the size look more than 256 pixels far. So the norms are those of the whole picture,
and every convolution reads, beyond the part's edge, what the whole picture had there (`strips.render_traced`). With an
unchanged layout the part is that of the whole picture; with a changed one only that is missing which the change would
have done beyond the edge and to the norms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.discriminators.patches import pyramid
from scenebrush.methods.pix2pixhd.blocks import ConvolutionBlock, ResidualBlock, UpBlock
from scenebrush.methods.pix2pixhd.generator import HEAD_KERNEL, CoarseToFineGenerator, LocalEnhancer
from scenebrush.methods.pix2pixhd.strips import StoredRows, Trace
from scenebrush.methods.pix2pixhd.windows import Box

MakeInput = Callable[[Box], Tensor]
"""Returns a box of the generator's input, (1, C, h, w)."""


@torch.inference_mode()
def render_part(generator: CoarseToFineGenerator, make_input: MakeInput, trace: Trace, box: Box) -> Tensor:
    """Returns a box of a picture, float32 (1, 3, h, w) in [-1, 1] on the CPU.

    Args:
        generator: the one that drew the trace.
        make_input: of the new layout; called once, for the box and a little around it.
        trace: of another layout of the same size, which differs inside the box.
        box: sides are multiples of `generator.divisor`.
    """
    return _PartRunner(generator, trace).run(make_input, box)


class _Map(Protocol):
    """A map of the whole picture, to be read in boxes."""

    height: int
    width: int

    def read_box(self, rows: slice, columns: slice) -> Tensor: ...


@dataclass(frozen=True)
class _Part:
    """New values (1, C, h, w) of a box of a map, and the map around it as it was."""

    values: Tensor
    box: Box
    around: _Map

    def framed(self, pixels: int, *, mirror: bool) -> Tensor:
        """Returns the values with so many pixels around them; beyond the picture mirrored ones, or zeros."""
        height, width = self.around.height, self.around.width
        outer = self.box.grown(pixels, (height, width))
        frame = self.around.read_box(*outer.slices).to(self.values).clone()
        rows = slice(self.box.top - outer.top, self.box.bottom - outer.top)
        columns = slice(self.box.left - outer.left, self.box.right - outer.left)
        frame[..., rows, columns] = self.values
        missing = [pixels - self.box.left + outer.left, pixels - outer.right + self.box.right]
        missing += [pixels - self.box.top + outer.top, pixels - outer.bottom + self.box.bottom]
        if not any(missing):
            return frame
        return F.pad(frame, missing, mode="reflect") if mirror else F.pad(frame, missing)


class _InputMap:
    """The input around a part: (1, C, h, w) with its upper left corner at a place of a picture of `shape` (H, W)."""

    def __init__(self, tensor: Tensor, top: int, left: int, shape: tuple[int, int]) -> None:
        self.tensor, self.top, self.left = tensor, top, left
        self.height, self.width = shape

    def read_box(self, rows: slice, columns: slice) -> Tensor:
        return self.tensor[
            ..., rows.start - self.top : rows.stop - self.top, columns.start - self.left : columns.stop - self.left
        ]


class _PartRunner:
    """Runs the layers of a generator on a box, in the order in which `strips` made the trace."""

    def __init__(self, generator: CoarseToFineGenerator, trace: Trace) -> None:
        self.generator = generator
        self.maps: Iterator[StoredRows] = iter(trace.maps)
        self.norms = iter(trace.norms)
        self.shape = (trace.picture.shape[2], trace.picture.shape[3])

    def run(self, make_input: MakeInput, box: Box) -> Tensor:
        inputs = self.inputs(make_input, box)
        features = inputs.pop()
        for block in self.generator.trunk.blocks():
            features = self.block(features, block)
        for enhancer in self.generator.enhancers:
            assert isinstance(enhancer, LocalEnhancer)
            features = self.enhancer(inputs.pop(), features, enhancer)
        head = self.generator.head(len(self.generator.enhancers))
        values = F.conv2d(features.framed(HEAD_KERNEL // 2, mirror=True), head.weight, head.bias)
        return torch.tanh(values.float()).cpu()

    def inputs(self, make_input: MakeInput, box: Box) -> list[_Part]:
        """Returns the input of every level, the finest first, with what the first convolution sees around it."""
        levels = self.generator.num_levels
        outer = box.grown(2 * HEAD_KERNEL * 2**levels, self.shape)  # even; averaging spoils a pixel of its edge
        weight = next(self.generator.parameters())
        parts = []
        for level, x in enumerate(pyramid(make_input(outer).to(weight), levels)):
            shape = (self.shape[0] >> level, self.shape[1] >> level)
            around = _InputMap(x, outer.top >> level, outer.left >> level, shape)
            small = box.over(2**level)
            parts.append(_Part(around.read_box(*small.slices), small, around))
        return parts

    def enhancer(self, x: _Part, coarse: _Part, enhancer: LocalEnhancer) -> _Part:
        down = enhancer.down_block.convolution
        fine = self.convolve(self.block(x, enhancer.first), down, relu=True, plus=coarse.values)
        for block in [*enhancer.residual_blocks, enhancer.up_block]:
            fine = self.block(fine, block)
        return fine

    def block(self, x: _Part, block: nn.Module) -> _Part:
        if isinstance(block, ResidualBlock):
            inner = self.convolve(x, block.convolution_0, mirror=True, relu=True)
            return self.convolve(inner, block.convolution_1, mirror=True, plus=x.values)
        if isinstance(block, UpBlock):
            return self.double(x, block.convolution)
        assert isinstance(block, ConvolutionBlock)
        return self.convolve(x, block.convolution, mirror=block.reflection > 0, relu=True)

    def convolve(
        self, x: _Part, convolution: nn.Conv2d, *, mirror: bool = False, relu: bool = False, plus: Tensor | None = None
    ) -> _Part:
        """Returns convolution, norm and ReLU of a part; `plus` is added at last."""
        stride = convolution.stride[0]
        framed = x.framed(convolution.kernel_size[0] // 2, mirror=mirror)
        values = self.normalized(F.conv2d(framed, convolution.weight, convolution.bias, stride))
        values = F.relu_(values) if relu else values
        return _Part(values if plus is None else values + plus, x.box.over(stride), next(self.maps))

    def double(self, x: _Part, convolution: nn.ConvTranspose2d) -> _Part:
        """Returns transposed 3x3 convolution with stride 2, norm and ReLU of a part."""
        framed = x.framed(1, mirror=False)
        doubled = F.conv_transpose2d(framed, convolution.weight, convolution.bias, 2, 1, output_padding=1)
        values = F.relu_(self.normalized(doubled[..., 2:-2, 2:-2]))
        return _Part(values, x.box.times(2), next(self.maps))

    def normalized(self, values: Tensor) -> Tensor:
        scale, shift = next(self.norms)
        return torch.addcmul(shift, values.float(), scale).to(values.dtype)
