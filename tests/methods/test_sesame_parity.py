"""SESAME against the authors' own code: golden tensors, whatever packs lie in `SCENEBRUSH_PARITY`.

Every case of SESAME's there is one test, whatever it is called; format and tolerance are described in that folder's
README.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor, nn

from scenebrush.layers.norms import ParameterFreeBatchNorm
from scenebrush.losses.adversarial import hinge_discriminator, hinge_generator
from scenebrush.losses.feature_matching import feature_matching
from scenebrush.methods.sesame import original_keys
from scenebrush.methods.sesame.discriminator import Judgement, SesameDiscriminator
from scenebrush.methods.sesame.generator import SesameGenerator
from scenebrush.methods.sesame.preprocess import paste, prepare
from tests.methods.parity_packs import Pack, sesame_cases, sesame_manifests

FOLDER = Path(os.environ.get("SCENEBRUSH_PARITY") or Path(__file__).resolve().parents[2] / "../shared/parity")
CASES, MANIFESTS = sesame_cases(FOLDER), sesame_manifests(FOLDER / "keys")
NORMS = {"sync": ParameterFreeBatchNorm, "batch": ParameterFreeBatchNorm, "instance": nn.InstanceNorm2d}
Network = TypeVar("Network", bound=nn.Module)


def packs(found: Sequence[Path]) -> list[Any]:
    """Returns one test's parameters; one skipped case where there are none."""
    if found:
        return [pytest.param(path, id=path.stem) for path in found]
    absent = pytest.mark.skip(reason=f"no such SESAME case in {FOLDER}; SCENEBRUSH_PARITY names another folder")
    return [pytest.param(FOLDER, marks=absent, id="absent")]


def test_there_is_a_test_for_every_case() -> None:
    assert not CASES["unknown"], f"no test knows the kind of {[path.name for path in CASES['unknown']]}"
    if os.environ.get("SCENEBRUSH_PARITY"):  # a misspelt folder is not to pass as one whose cases all hold
        assert any(CASES.values()) or MANIFESTS, f"there is no SESAME case in {FOLDER.resolve()}"


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


@pytest.mark.parametrize("path", packs(CASES["generator"]))
@torch.no_grad()
def test_generator(path: Path) -> None:
    pack = Pack(path)
    generator = load(build_generator(pack.options), pack)
    pack.check("output/image", generator(pack.input("masked_image"), pack.input("semantics_and_mask")))
    if pack.training:
        pack.check_state(generator)


@pytest.mark.parametrize("path", packs(CASES["discriminator"]))
@torch.no_grad()
def test_discriminator(path: Path) -> None:
    pack = Pack(path)
    discriminator = load(build_discriminator(pack.options), pack)
    judged = discriminator(pack.input("semantics"), [pack.input("fake"), pack.input("real")])
    names = [name for name in pack.tensors if name.startswith("output/")]
    assert names
    for name in names:
        _, which, scale, *layer = name.split("/")
        wanted = outputs(judged[("fake", "real").index(which)])[int(scale)]
        pack.check(name, wanted[-1] if pack.options["no_ganFeat_loss"] else wanted[int(layer[0])])
    if pack.training:
        pack.check_state(discriminator)


@pytest.mark.parametrize("path", packs(CASES["losses"]))
def test_losses(path: Path) -> None:
    pack = Pack(path)
    fake, real = (
        [sorted_layers(pack, which, scale) for scale in range(num_scales(pack))] for which in ("fake", "real")
    )
    loss = hinge_discriminator([r[-1] for r in real], [f[-1] for f in fake])
    matching = feature_matching([f[:-1] for f in fake], [r[:-1] for r in real])
    pack.check_where_stored(
        G_GAN=hinge_generator([f[-1] for f in fake]),
        G_GAN_Feat=matching * pack.options["lambda_feat"],
        D_Fake=loss.fake,
        D_real=loss.real,
        D_total=loss.total,
    )


def num_scales(pack: Pack) -> int:
    return len({name.split("/")[2] for name in pack.tensors if name.startswith("input/fake/")})


def sorted_layers(pack: Pack, which: str, scale: int) -> list[Tensor]:
    count = sum(name.startswith(f"input/{which}/{scale}/") for name in pack.tensors)
    return [pack.input(f"{which}/{scale}/{layer}") for layer in range(count)]


@pytest.mark.parametrize("path", packs(CASES["step"]))
@torch.no_grad()
def test_step(path: Path) -> None:
    pack = Pack(path)
    o = pack.options
    image = pack.input("image")
    editing = not o["no_inpaint"]
    hole = pack.input("mask_in") if editing else torch.ones_like(image[:, :1])
    seen = prepare(
        image,
        pack.input("label"),
        hole,
        num_classes=o["label_nc"],
        dontcare_channel=o["contain_dontcare_label"],
        instance_map=None if o["no_instance"] else pack.input("instance"),
        semantics_everywhere=not editing or not o["segmentation_mask"],
    )
    condition = seen.condition if editing else seen.condition[:, :-1]
    raw = pack.input("raw_generator_image" if pack.has_input("raw_generator_image") else "generated_image")
    fake = paste(image, raw, hole) if editing and not o["no_mix_real_fake"] else raw
    judged_fake, judged_real = load(build_discriminator(o), pack)(condition, [fake, image])
    loss = hinge_discriminator(judged_real.logits, judged_fake.logits)
    pack.check_where_stored(
        semantics_and_mask=condition,
        semantics=condition,
        masked_image=seen.masked_image,
        pasted_image=fake,
        G_GAN=hinge_generator(judged_fake.logits),
        G_GAN_Feat=feature_matching(judged_fake.features, judged_real.features) * o["lambda_feat"],
        D_Fake=loss.fake,
        D_real=loss.real,
        D_total=loss.total,
    )


@pytest.mark.parametrize("path", packs(MANIFESTS))
def test_full_size_keys(path: Path) -> None:
    """Every key of the full-size networks, with its shape and kind, has its place in ours, and no other has."""
    manifest = json.loads(path.read_text())
    build = build_generator if "conv_img.weight" in manifest["keys"] else build_discriminator
    with torch.device("meta"):
        network = build(manifest["options"])
    names = original_keys.original_names(network.state_dict())
    shapes = {names[key]: list(value.shape) for key, value in network.state_dict().items()}
    assert shapes == {key: entry["shape"] for key, entry in manifest["keys"].items()}
    parameters = {names[key] for key, _ in network.named_parameters()}
    assert parameters == {key for key, entry in manifest["keys"].items() if entry["kind"] == "parameter"}
    assert sum(p.numel() for p in network.parameters()) == manifest["trainable_numbers"]


@pytest.mark.parametrize("path", packs([*CASES["generator"], *CASES["discriminator"]]))
def test_options_are_read_off_the_checkpoint(path: Path) -> None:
    pack = Pack(path)
    is_generator = path in CASES["generator"]
    build = original_keys.generator_from_original if is_generator else original_keys.discriminator_from_original
    network = build({f"module.{key}": value for key, value in pack.part("state").items()})
    restored = original_keys.to_original(network.state_dict())
    assert restored.keys() == pack.part("state").keys()
    assert all(torch.equal(restored[k], v.to(restored[k].dtype)) for k, v in pack.part("state").items())
