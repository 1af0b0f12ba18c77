"""The convolutions of VGG16 and VGG19 (Simonyan & Zisserman 2014) as frozen feature extractors.

Built from plain tensors in a safetensors file with torchvision's names (`features.N.weight`, `features.N.bias`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.errors import ModelError
from scenebrush.layers.checksum import check_sha256

VGGName = Literal["vgg16", "vgg19"]

_BLOCKS: Final[dict[VGGName, tuple[int, ...]]] = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
_ASSETS: Final[tuple[tuple[VGGName, str], ...]] = (
    ("vgg19", "vgg19.safetensors"),
    ("vgg16", "vgg16.safetensors"),
    ("vgg16", "lpips_vgg16.fp16.safetensors"),
)
# ImageNet's mean and deviation for images in [-1, 1] instead of [0, 1].
_MEAN: Final = (-0.030, -0.088, -0.188)
_DEVIATION: Final = (0.458, 0.448, 0.450)


class Source(NamedTuple):
    """Where a weight file is had, and how to tell that it is the right one."""

    url: str
    sha256: str
    bytes: int


VGG19_SOURCE: Final = Source(
    "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
    "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
    574_673_361,
)


class VGG(nn.Module):
    """The features of VGG16 or VGG19. The weights are buffers outside the state dict: frozen and in no checkpoint.

    Images are taken as they are, in [-1, 1], as SESAME, SPADE and pix2pixHD do; with `imagenet_normalisation`
    they are shifted and scaled to what the network was trained on.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, tensors: Mapping[str, Tensor], name: VGGName | None = None, *, imagenet_normalisation: bool = False
    ) -> None:
        super().__init__()
        self.name: VGGName = name or ("vgg19" if "features.34.weight" in tensors else "vgg16")
        self.imagenet_normalisation = imagenet_normalisation
        self.layers = layer_indices(self.name)
        for layer, index in self.layers.items():
            for part in ("weight", "bias"):
                self.register_buffer(f"{layer}_{part}", _tensor(tensors, f"features.{index}.{part}"), persistent=False)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(_DEVIATION).view(1, 3, 1, 1), persistent=False)

    @classmethod
    def from_file(cls, path: Path, name: VGGName | None = None, *, imagenet_normalisation: bool = False) -> Self:
        """Returns the network of a safetensors file; `ModelError` where it cannot be read or is no VGG."""
        try:
            return cls(load_file(path), name, imagenet_normalisation=imagenet_normalisation)
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{path} cannot be read as safetensors ({error}); {how_to_get_vgg19()}") from error

    @classmethod
    def from_assets(cls, folder: Path | None = None, *, imagenet_normalisation: bool = False) -> Self:
        """Returns VGG19 where the assets hold it (`vgg19.safetensors`), else VGG16; `folder` as in `assets_folder`."""
        folder = assets_folder() if folder is None else folder
        for name, file in _ASSETS:
            if (folder / file).is_file():
                return cls.from_file(folder / file, name, imagenet_normalisation=imagenet_normalisation)
        raise ModelError(
            f"{folder} holds no VGG weights; set SCENEBRUSH_ASSETS to a folder that does; {how_to_get_vgg19()}"
        )

    def forward(self, image: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Returns the features (B, C, h, w) after the named layers (`relu3_1`) of an image (B, 3, H, W) in [-1, 1]."""
        unknown = [layer for layer in layers if layer not in self.layers]
        if unknown:
            raise ModelError(f"{self.name} has no layer {unknown[0]!r}; it has {', '.join(self.layers)}")
        found: dict[str, Tensor] = {}
        x = (image - self.mean) / self.deviation if self.imagenet_normalisation else image
        for layer in self.layers:
            if layer.endswith("_1") and layer != "relu1_1":
                x = F.max_pool2d(x, 2)
            x = F.relu(F.conv2d(x, getattr(self, f"{layer}_weight"), getattr(self, f"{layer}_bias"), padding=1))
            found[layer] = x
            if len(found.keys() & set(layers)) == len(set(layers)):
                break
        return [found[layer] for layer in layers]


def layer_indices(name: VGGName) -> dict[str, int]:
    """Returns for every layer, `relu1_1` and so on, the N of its convolution's `features.N` in torchvision's names."""
    indices: dict[str, int] = {}
    index = 0
    for block, convolutions in enumerate(_BLOCKS[name], start=1):
        for number in range(1, convolutions + 1):
            indices[f"relu{block}_{number}"] = index
            index += 2  # convolution, ReLU
        index += 1  # pooling
    return indices


def assets_folder() -> Path:
    """Returns the folder of pretrained networks: `SCENEBRUSH_ASSETS`, or else `~/.cache/scenebrush`."""
    return Path(os.environ.get("SCENEBRUSH_ASSETS") or Path.home() / ".cache" / "scenebrush")


def how_to_get_vgg19() -> str:
    """Returns one line: where the VGG19 weights are had, their SHA-256, and how to make the file that we read."""
    url, sha256, size = VGG19_SOURCE
    return (
        f"VGG19 is had from {url} ({size / 1e6:.0f} MB, sha256 {sha256}):"
        " scenebrush.layers.vgg.convert_vgg19(downloaded_file) writes vgg19.safetensors to SCENEBRUSH_ASSETS"
    )


def convert_vgg19(checkpoint: Path, out: Path | None = None) -> Path:
    """Writes torchvision's VGG19 checkpoint as `vgg19.safetensors` (features only, half precision); returns its path.

    The SHA-256 is checked first; a wrong file raises `ModelError`.
    """
    check_sha256(checkpoint, VGG19_SOURCE.sha256)
    out = assets_folder() / "vgg19.safetensors" if out is None else out
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    features = {k: v.half().contiguous() for k, v in state.items() if k.startswith("features.")}
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(features, out)
    return out


def _tensor(tensors: Mapping[str, Tensor], key: str) -> Tensor:
    if key not in tensors:
        raise ModelError(f"VGG weights lack {key!r}; expected torchvision's names; {how_to_get_vgg19()}")
    return tensors[key].float()
