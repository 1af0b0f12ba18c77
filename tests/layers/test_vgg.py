"""`layers.vgg`: torchvision's names, the right taps, and clear errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from scenebrush.errors import ModelError
from scenebrush.layers.vgg import VGG, VGG19_SOURCE, VGGName, convert_vgg19, layer_indices

# torchvision's `features`: the widths of the convolutions, "M" a pooling; here with 1/32 of the channels.
PLANS = {
    "vgg16": [2, 2, "M", 4, 4, "M", 8, 8, 8, "M", 16, 16, 16, "M", 16, 16, 16, "M"],
    "vgg19": [2, 2, "M", 4, 4, "M", 8, 8, 8, 8, "M", 16, 16, 16, 16, "M", 16, 16, 16, 16, "M"],
}


def features(name: str) -> nn.Sequential:
    """The network as torchvision lays it out, thin, with random weights."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    channels = 3
    for step in PLANS[name]:
        if step == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, step, 3, padding=1), nn.ReLU()]
            channels = step
    return nn.Sequential(*layers)


def tensors(network: nn.Sequential) -> dict[str, Tensor]:
    return {f"features.{key}": value.detach() for key, value in network.state_dict().items()}


# The ReLU after which each feature is taken, by its place in torchvision's list.
TAPS = {
    "vgg16": {"relu1_1": 1, "relu2_1": 6, "relu3_1": 11, "relu4_1": 18, "relu5_1": 25},
    "vgg19": {"relu1_1": 1, "relu2_1": 6, "relu3_1": 11, "relu4_1": 20, "relu5_1": 29, "relu3_4": 17, "relu5_2": 31},
}


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_features_are_torchvisions(name: VGGName) -> None:
    network = features(name)
    image = torch.rand(2, 3, 48, 32) * 2 - 1
    found = VGG(tensors(network))(image, list(TAPS[name]))
    for value, place in zip(found, TAPS[name].values(), strict=True):
        torch.testing.assert_close(value, network[: place + 1](image))


def test_the_published_parameter_count() -> None:
    """VGG19 up to relu5_1, what the perceptual loss needs; the thin plan above with 32 times the channels."""
    channels, full = 3, {}
    for place, step in enumerate(layer_plan("vgg19")):
        if step:
            full[f"features.{place}.weight"] = torch.empty(step, channels, 3, 3, device="meta")
            full[f"features.{place}.bias"] = torch.empty(step, device="meta")
            channels = step
    buffers = dict(VGG(full).named_buffers())
    names = list(VGG(full).layers)
    needed = names[: names.index("relu5_1") + 1]
    assert sum(buffers[f"{name}_{part}"].numel() for name in needed for part in ("weight", "bias")) == 12_944_960


def layer_plan(name: str) -> list[int]:
    """Returns the channels of the convolution at every place of torchvision's list, 0 for a ReLU or a pooling."""
    return [width for step in PLANS[name] for width in ([0] if step == "M" else [32 * int(step), 0])]


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_the_kind_is_told_by_the_tensors(name: VGGName) -> None:
    assert VGG(tensors(features(name))).name == name


def test_known_indices_of_vgg19() -> None:
    indices = layer_indices("vgg19")
    assert list(indices.values()) == [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]


def test_imagenet_normalisation_is_that_of_torchvision() -> None:
    network = features("vgg16")
    image = torch.rand(1, 3, 32, 32)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    wanted = network[:2]((image - mean[:, None, None]) / deviation[:, None, None])
    found = VGG(tensors(network), imagenet_normalisation=True)(image * 2 - 1, ["relu1_1"])[0]
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


def test_frozen_and_in_no_checkpoint() -> None:
    vgg = VGG(tensors(features("vgg16")))
    assert not list(vgg.parameters())
    assert not vgg.state_dict()


def test_assets_prefer_vgg19(tmp_path: Path) -> None:
    save_file(tensors(features("vgg16")), tmp_path / "lpips_vgg16.fp16.safetensors")
    assert VGG.from_assets(tmp_path).name == "vgg16"
    save_file(tensors(features("vgg19")), tmp_path / "vgg19.safetensors")
    assert VGG.from_assets(tmp_path).name == "vgg19"


def test_assets_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file(tensors(features("vgg16")), tmp_path / "vgg16.safetensors")
    monkeypatch.setenv("SCENEBRUSH_ASSETS", str(tmp_path))
    assert VGG.from_assets().name == "vgg16"


def test_no_assets_says_where_vgg19_is_had(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"SCENEBRUSH_ASSETS.*{VGG19_SOURCE.sha256}"):
        VGG.from_assets(tmp_path)


def test_wrong_tensors_and_layers_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"features\.0\.weight"):
        VGG({})
    with pytest.raises(ModelError, match="relu3_4"):
        VGG(tensors(features("vgg16")))(torch.zeros(1, 3, 32, 32), ["relu3_4"])
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    with pytest.raises(ModelError, match=r"broken\.safetensors"):
        VGG.from_file(tmp_path / "broken.safetensors")


def test_a_wrong_download_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vgg19.pth").write_bytes(b"something else")
    with pytest.raises(ModelError, match="sha256"):
        convert_vgg19(tmp_path / "vgg19.pth", tmp_path / "vgg19.safetensors")
    assert not (tmp_path / "vgg19.safetensors").exists()


def test_a_right_download_is_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tensors(features("vgg19"))
    torch.save({**state, "classifier.0.weight": torch.zeros(2)}, tmp_path / "vgg19.pth")
    monkeypatch.setattr("scenebrush.layers.vgg.check_sha256", lambda path, expected: None)
    out = convert_vgg19(tmp_path / "vgg19.pth", tmp_path / "assets" / "vgg19.safetensors")
    vgg = VGG.from_file(out)
    assert vgg.name == "vgg19"
    torch.testing.assert_close(vgg.relu5_1_weight, state["features.28.weight"].half().float())
