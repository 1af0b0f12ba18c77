"""SESAME against the authors' own code: golden tensors, whatever packs lie in `SCENEBRUSH_PARITY`.

Every `sesame_*.json` there is one test; format, tolerance and cases are described in that folder's README.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from scenebrush.layers.norms import ParameterFreeBatchNorm
from scenebrush.losses.adversarial import hinge_discriminator, hinge_generator
from scenebrush.losses.feature_matching import feature_matching
from scenebrush.methods.sesame import original_keys
from scenebrush.methods.sesame.discriminator import Judgement, SesameDiscriminator
from scenebrush.methods.sesame.generator import SesameGenerator
from scenebrush.methods.sesame.preprocess import paste, prepare

FOLDER = Path(os.environ.get("SCENEBRUSH_PARITY", Path(__file__).resolve().parents[2] / "../shared/parity"))
NORMS = {"sync": ParameterFreeBatchNorm, "batch": ParameterFreeBatchNorm, "instance": nn.InstanceNorm2d}
Network = TypeVar("Network", bound=nn.Module)
absent = f"no SESAME parity packs in {FOLDER}; set SCENEBRUSH_PARITY to the folder that holds them"


def packs(prefix: str, folder: Path = FOLDER) -> list[Any]:
    """Returns the cases whose name begins so; one skipped case where there are none."""
    found = sorted(folder.glob(f"{prefix}*.json"))
    if found:
        return [pytest.param(path, id=path.stem) for path in found]
    return [pytest.param(folder, marks=pytest.mark.skip(reason=absent), id="absent")]


class Pack:
    """One case: options by name, inputs cast as the JSON says, wanted outputs."""

    def __init__(self, path: Path) -> None:
        self.json = json.loads(path.read_text())
        self.tensors = load_file(path.with_suffix(".safetensors"))
        options = self.json["options"]
        self.options = options if isinstance(options, dict) else {o["name"]: o["value"] for o in options}
        self.training = self.json["mode"] == "training"

    def part(self, name: str) -> dict[str, Tensor]:
        return {k.removeprefix(f"{name}/"): v for k, v in self.tensors.items() if k.startswith(f"{name}/")}

    def input(self, name: str) -> Tensor:
        dtype = getattr(torch, self.json["inputs"][f"input/{name}"]["use_as"])
        return self.tensors[f"input/{name}"].to(dtype)

    def check(self, name: str, value: Tensor) -> None:
        wanted, tolerance = self.tensors[name], self.json["tolerance"]
        assert value.shape == wanted.shape, name
        scale = max(1.0, float(wanted.abs().max())) if wanted.numel() else 1.0
        bound = 0.0 if name in tolerance["exact"] else tolerance["atol"] + tolerance["rtol"] * scale
        worst = float((value.double() - wanted.double()).abs().max()) if wanted.numel() else 0.0
        assert worst <= bound, f"{name} is off by {worst:.2e}, {worst / bound:.1f} times the tolerance"

    def check_state(self, network: nn.Module) -> None:
        """After one pass: the buffers that the original changed have its values, all others their own."""
        after = original_keys.to_original(network.state_dict())
        for key, before in self.part("state").items():
            if f"state_after/{key}" in self.tensors:
                self.check(f"state_after/{key}", after[key])
            else:
                assert torch.equal(after[key], before.to(after[key].dtype)), f"{key} must not change"


def condition_channels(options: dict[str, Any]) -> int:
    return int(options["semantic_nc"]) + (0 if options["no_inpaint"] else 1)


def build_generator(o: dict[str, Any]) -> SesameGenerator:
    """Builds the generator from the original's options, as a user of our constructor would."""
    condition = condition_channels(o)
    norm = next(build for name, build in NORMS.items() if name in o.get("norm_G", "sync"))
    return SesameGenerator(
        condition,
        width=o["ngf"],
        num_downsamplings=o["resnet_n_downsample"],
        num_residual_blocks=o["resnet_n_blocks"],
        num_spade_blocks=o["spade_n_blocks"],
        first_kernel_size=o["resnet_initial_kernel_size"],
        residual_kernel_size=o["resnet_kernel_size"],
        spade_kernel_size=int(o.get("norm_G", "3x3")[-1]),
        skips=not o["no_skip_connections"],
        wide=o["wide"],
        image_channels=o["output_nc"],
        first_channels=None if o["mix_input_gen"] else int(o["semantic_nc"]),
        norm=norm,
    )


def build_discriminator(o: dict[str, Any]) -> SesameDiscriminator:
    return SesameDiscriminator(
        condition_channels(o),
        image_channels=o["output_nc"],
        width=o["ndf"],
        num_layers=o["n_layers_D"],
        num_scales=o["num_D"],
    )


def load(network: Network, pack: Pack) -> Network:
    network.load_state_dict(original_keys.from_original(pack.part("state"), network))
    return network.train(pack.training)


def outputs(judgement: Judgement) -> list[list[Tensor]]:
    return [[*maps, logits] for maps, logits in zip(judgement.features, judgement.logits, strict=True)]


@pytest.mark.parametrize("path", packs("sesame_generator"))
@torch.no_grad()
def test_generator(path: Path) -> None:
    pack = Pack(path)
    generator = load(build_generator(pack.options), pack)
    pack.check("output/image", generator(pack.input("masked_image"), pack.input("semantics_and_mask")))
    if pack.training:
        pack.check_state(generator)


@pytest.mark.parametrize("path", packs("sesame_discriminator"))
@torch.no_grad()
def test_discriminator(path: Path) -> None:
    pack = Pack(path)
    discriminator = load(build_discriminator(pack.options), pack)
    judged = discriminator(pack.input("semantics"), [pack.input("fake"), pack.input("real")])
    names = [name for name in pack.tensors if name.startswith("output/")]
    assert names
    for name in names:
        _, which, scale, layer = name.split("/")
        wanted = outputs(judged[("fake", "real").index(which)])[int(scale)]
        pack.check(name, wanted[-1] if pack.options["no_ganFeat_loss"] else wanted[int(layer)])
    if pack.training:
        pack.check_state(discriminator)


@pytest.mark.parametrize("path", packs("sesame_losses"))
def test_losses(path: Path) -> None:
    pack = Pack(path)
    fake, real = (
        [sorted_layers(pack, which, scale) for scale in range(num_scales(pack))] for which in ("fake", "real")
    )
    loss = hinge_discriminator([r[-1] for r in real], [f[-1] for f in fake])
    matching = feature_matching([f[:-1] for f in fake], [r[:-1] for r in real])
    pack.check("output/G_GAN", hinge_generator([f[-1] for f in fake]))
    pack.check("output/G_GAN_Feat", matching * pack.options["lambda_feat"])
    pack.check("output/D_Fake", loss.fake)
    pack.check("output/D_real", loss.real)
    pack.check("output/D_total", loss.total)


def num_scales(pack: Pack) -> int:
    return len({name.split("/")[2] for name in pack.tensors if name.startswith("input/fake/")})


def sorted_layers(pack: Pack, which: str, scale: int) -> list[Tensor]:
    count = sum(name.startswith(f"input/{which}/{scale}/") for name in pack.tensors)
    return [pack.input(f"{which}/{scale}/{layer}") for layer in range(count)]


@pytest.mark.parametrize("path", packs("sesame_step"))
@torch.no_grad()
def test_step(path: Path) -> None:
    pack = Pack(path)
    o = pack.options
    image, hole = pack.input("image"), pack.input("mask_in")
    seen = prepare(
        image,
        pack.input("label"),
        hole,
        num_classes=o["label_nc"],
        dontcare_channel=o["contain_dontcare_label"],
        instance_map=None if o["no_instance"] else pack.input("instance"),
        semantics_everywhere=not o["segmentation_mask"],
    )
    pack.check("output/semantics_and_mask", seen.condition)
    pack.check("output/masked_image", seen.masked_image)
    raw = pack.input("raw_generator_image")
    fake = raw if o["no_mix_real_fake"] else paste(image, raw, hole)
    pack.check("output/pasted_image", fake)
    judged_fake, judged_real = load(build_discriminator(o), pack)(seen.condition, [fake, image])
    loss = hinge_discriminator(judged_real.logits, judged_fake.logits)
    matching = feature_matching(judged_fake.features, judged_real.features)
    pack.check("output/G_GAN", hinge_generator(judged_fake.logits))
    pack.check("output/G_GAN_Feat", matching * o["lambda_feat"])
    pack.check("output/D_Fake", loss.fake)
    pack.check("output/D_real", loss.real)


@pytest.mark.parametrize("path", packs("sesame_", FOLDER / "keys"))
def test_full_size_keys(path: Path) -> None:
    """Every key of the full-size networks, with its shape and kind, has its place in ours, and no other has."""
    manifest = json.loads(path.read_text())
    build = build_generator if "generator" in path.stem else build_discriminator
    with torch.device("meta"):
        network = build(manifest["options"])
    names = original_keys.original_names(network.state_dict())
    shapes = {names[key]: list(value.shape) for key, value in network.state_dict().items()}
    assert shapes == {key: entry["shape"] for key, entry in manifest["keys"].items()}
    parameters = {names[key] for key, _ in network.named_parameters()}
    assert parameters == {key for key, entry in manifest["keys"].items() if entry["kind"] == "parameter"}
    assert sum(p.numel() for p in network.parameters()) == manifest["trainable_numbers"]


@pytest.mark.parametrize("path", [*packs("sesame_generator"), *packs("sesame_discriminator")])
def test_options_are_read_off_the_checkpoint(path: Path) -> None:
    pack = Pack(path)
    is_generator = "generator" in path.stem
    build = original_keys.generator_from_original if is_generator else original_keys.discriminator_from_original
    network = build({f"module.{key}": value for key, value in pack.part("state").items()})
    restored = original_keys.to_original(network.state_dict())
    assert restored.keys() == pack.part("state").keys()
    assert all(torch.equal(restored[k], v.to(restored[k].dtype)) for k, v in pack.part("state").items())
