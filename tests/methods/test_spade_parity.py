"""SPADE against the authors' own code: golden tensors, whatever packs lie in `SCENEBRUSH_PARITY`.

Every case of SPADE's there is one test, whatever it is called; format and tolerance are described in that folder's
README. SESAME's discriminator as SPADE's partner is checked with SESAME's cases (`test_sesame_parity.py`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
import torch
from torch import Tensor, nn

from scenebrush.layers.discriminators import Judgement, build_discriminator
from scenebrush.layers.norms import ParameterFreeBatchNorm
from scenebrush.losses.adversarial import hinge_discriminator
from scenebrush.losses.divergence import kl_to_standard_normal
from scenebrush.methods.spade import original_keys
from scenebrush.methods.spade.discriminator import SPADEDiscriminator
from scenebrush.methods.spade.encoder import ImageEncoder
from scenebrush.methods.spade.generator import SPADEGenerator
from scenebrush.methods.spade.objective import LossWeights, generator_losses
from scenebrush.methods.spade.preprocess import prepare
from tests.methods.parity_packs import Pack

FOLDER: Final = Path(os.environ.get("SCENEBRUSH_PARITY") or Path(__file__).resolve().parents[2] / "../shared/parity")
KINDS: Final = {
    "step": "input/label",
    "discriminator": "input/fake",
    "losses": "input/fake/0/0",
    "generator": "input/semantics",
    "encoder": "input/image",
}
"""Kind of case -> an input that this kind has and none of those after it."""
NORMS: Final = {"sync": ParameterFreeBatchNorm, "batch": ParameterFreeBatchNorm, "instance": nn.InstanceNorm2d}
Network = TypeVar("Network", bound=nn.Module)


def facts(path: Path, kind: str) -> dict[str, Any]:
    """Returns what a JSON says; nothing where it is of another kind or not SPADE's."""
    found = json.loads(path.read_text(encoding="utf-8"))
    spade = isinstance(found, dict) and "spade" in str(found.get("official_repository")).lower()
    return found if spade and str(found.get("format")).startswith(kind) else {}


def cases() -> dict[str, list[Path]]:
    """Returns SPADE's cases in the folder by kind; those of no known kind are under "unknown"."""
    found: dict[str, list[Path]] = {kind: [] for kind in (*KINDS, "unknown")}
    for path in sorted(FOLDER.glob("*.json")):
        if case := facts(path, "parity-pack"):
            found[next((kind for kind, name in KINDS.items() if name in case["inputs"]), "unknown")].append(path)
    return found


CASES: Final = cases()
MANIFESTS: Final = [path for path in sorted((FOLDER / "keys").glob("*.json")) if facts(path, "parity-keys")]


def packs(found: Sequence[Path]) -> list[Any]:
    """Returns one test's parameters; one skipped case where there are none."""
    if found:
        return [pytest.param(path, id=path.stem) for path in found]
    absent = pytest.mark.skip(reason=f"no such SPADE case in {FOLDER}; SCENEBRUSH_PARITY names another folder")
    return [pytest.param(FOLDER, marks=absent, id="absent")]


def test_there_is_a_test_for_every_case() -> None:
    assert not CASES["unknown"], f"no test knows the kind of {[path.name for path in CASES['unknown']]}"
    if os.environ.get("SCENEBRUSH_PARITY"):  # a misspelt folder is not to pass as one whose cases all hold
        assert any(CASES.values()) or MANIFESTS, f"there is no SPADE case in {FOLDER.resolve()}"


def style_channels(o: dict[str, Any]) -> int | None:
    return int(o.get("z_dim", 256)) if o.get("use_vae") else None


def build_generator(o: dict[str, Any]) -> SPADEGenerator:
    """Builds the generator from the original's options, as a user of our constructor would."""
    return SPADEGenerator(
        o["semantic_nc"],
        width=o["ngf"],
        upsampling=o["num_upsampling_layers"],
        crop_size=o["crop_size"],
        aspect_ratio=o["aspect_ratio"],
        style_channels=style_channels(o),
        image_channels=o["output_nc"],
        spade_kernel_size=int(o.get("norm_G", "3x3")[-1]),
        any_size=False,
        norm=next(build for name, build in NORMS.items() if name in o.get("norm_G", "sync")),
    )


def build_spade_discriminator(o: dict[str, Any]) -> SPADEDiscriminator:
    return SPADEDiscriminator(
        o["semantic_nc"],
        image_channels=o["output_nc"],
        width=o["ndf"],
        num_layers=o["n_layers_D"],
        num_scales=o["num_D"],
    )


def build_encoder(o: dict[str, Any]) -> ImageEncoder:
    return ImageEncoder(width=o["ngf"], style_channels=int(o.get("z_dim", 256)), image_channels=o["output_nc"])


def load(network: Network, pack: Pack) -> Network:
    network.load_state_dict(original_keys.from_original(pack.part("state"), network))
    return network.train(pack.training)


def check_state(network: nn.Module, pack: Pack) -> None:
    """After one pass: the buffers that the original changed have its values, all others their own."""
    after = original_keys.to_original(network.state_dict())
    for key, before in pack.part("state").items():
        if f"state_after/{key}" in pack.tensors:
            pack.check(f"state_after/{key}", after[key])
        else:
            assert torch.equal(after[key], before.to(after[key].dtype)), f"{key} must not change"


@pytest.mark.parametrize("path", packs(CASES["generator"]))
@torch.no_grad()
def test_generator(path: Path) -> None:
    pack = Pack(path)
    generator = load(build_generator(pack.options), pack)
    style = pack.input("z") if pack.has_input("z") else None
    pack.check("output/image", generator(pack.input("semantics"), style))
    if pack.training:
        check_state(generator, pack)


@pytest.mark.parametrize("path", packs(CASES["encoder"]))
@torch.no_grad()
def test_encoder(path: Path) -> None:
    pack = Pack(path)
    encoder = load(build_encoder(pack.options), pack)
    style = encoder(pack.input("image"))
    pack.check_where_stored(mu=style.mean, logvar=style.log_variance, KLD=kl_to_standard_normal(*style))
    if pack.training:
        check_state(encoder, pack)


def outputs(judgement: Judgement) -> list[list[Tensor]]:
    return [[*maps, logits] for maps, logits in zip(judgement.features, judgement.logits, strict=True)]


@pytest.mark.parametrize("path", packs(CASES["discriminator"]))
@torch.no_grad()
def test_discriminator(path: Path) -> None:
    pack = Pack(path)
    discriminator = load(build_spade_discriminator(pack.options), pack)
    judged = discriminator(pack.input("semantics"), [pack.input("fake"), pack.input("real")])
    names = [name for name in pack.tensors if name.startswith("output/")]
    assert names
    for name in names:
        _, which, scale, *layer = name.split("/")
        wanted = outputs(judged[("fake", "real").index(which)])[int(scale)]
        pack.check(name, wanted[-1] if pack.options["no_ganFeat_loss"] else wanted[int(layer[0])])
    if pack.training:
        check_state(discriminator, pack)


def check_losses(pack: Pack, fake: Judgement, real: Judgement, **more: Tensor) -> None:
    weights = LossWeights(feature_matching=pack.options["lambda_feat"])
    parts = generator_losses(fake, real, weights)
    loss = hinge_discriminator(real.logits, fake.logits)
    pack.check_where_stored(
        G_GAN=parts["adversarial"],
        G_GAN_Feat=parts["feature_matching"] * weights.feature_matching,
        D_Fake=loss.fake,
        D_real=loss.real,
        D_total=loss.total,
        **more,
    )


def stored_judgement(pack: Pack, which: str) -> Judgement:
    numbers = [name.split("/")[2:] for name in pack.tensors if name.startswith(f"input/{which}/")]
    scales = [
        [pack.input(f"{which}/{scale}/{layer}") for layer in range(sum(int(n[0]) == scale for n in numbers))]
        for scale in range(len({n[0] for n in numbers}))
    ]
    return Judgement([scale[:-1] for scale in scales], [scale[-1] for scale in scales])


@pytest.mark.parametrize("path", packs(CASES["losses"]))
def test_losses(path: Path) -> None:
    pack = Pack(path)
    check_losses(pack, stored_judgement(pack, "fake"), stored_judgement(pack, "real"))


@pytest.mark.parametrize("path", packs(CASES["step"]))
@torch.no_grad()
def test_step(path: Path) -> None:
    pack = Pack(path)
    o = pack.options
    semantics = prepare(
        pack.input("label"),
        num_classes=o["label_nc"],
        dontcare_channel=o["contain_dontcare_label"],
        instance_map=None if o["no_instance"] else pack.input("instance"),
    )
    discriminator = load(build_spade_discriminator(o), pack)
    check_losses(
        pack, *discriminator(semantics, [pack.input("generated_image"), pack.input("image")]), semantics=semantics
    )


def build_from_manifest(manifest: dict[str, Any]) -> nn.Module:
    kinds = {"conv_img.weight": build_generator, "fc_mu.weight": build_encoder}
    build = next((build for key, build in kinds.items() if key in manifest["keys"]), build_spade_discriminator)
    with torch.device("meta"):
        return build(manifest["options"])


@pytest.mark.parametrize("path", packs(MANIFESTS))
def test_full_size_keys(path: Path) -> None:
    """Every key of the full-size networks, with its shape and kind, has its place in ours, and no other has."""
    manifest = json.loads(path.read_text())
    network = build_from_manifest(manifest)
    names = original_keys.original_names(network.state_dict())
    shapes = {names[key]: list(value.shape) for key, value in network.state_dict().items()}
    assert shapes == {key: entry["shape"] for key, entry in manifest["keys"].items()}
    parameters = {names[key] for key, _ in network.named_parameters()}
    assert parameters == {key for key, entry in manifest["keys"].items() if entry["kind"] == "parameter"}
    assert sum(p.numel() for p in network.parameters()) == manifest["trainable_numbers"]


@pytest.mark.parametrize("path", packs([*CASES["generator"], *CASES["encoder"], *CASES["discriminator"]]))
def test_options_are_read_off_the_checkpoint(path: Path) -> None:
    pack = Pack(path)
    state, o = pack.part("state"), pack.options
    given = {f"module.{key}": value for key, value in state.items()}
    network: nn.Module
    if path in CASES["generator"]:
        network = original_keys.generator_from_original(
            given, upsampling=o["num_upsampling_layers"], aspect_ratio=o["aspect_ratio"]
        )
        assert style_channels(o) is None or network.latent_size == build_generator(o).latent_size
    elif path in CASES["encoder"]:
        network = original_keys.encoder_from_original(given)
    else:
        network = original_keys.discriminator_from_original(given)
    restored = original_keys.to_original(network.state_dict())
    assert restored.keys() == state.keys()
    assert all(torch.equal(restored[k], v.to(restored[k].dtype)) for k, v in state.items())


def test_sesames_partner_has_the_sizes_of_the_facts() -> None:
    """Facts 1.11: SESAME's discriminator on labels and instance boundaries, as SPADE's generator is trained with it."""
    with torch.device("meta"):
        for channels, wanted in ((36, 11_106_562), (151, 11_342_082)):
            discriminator = build_discriminator("two_streams", channels)
            assert sum(p.numel() for p in discriminator.parameters()) == wanted
