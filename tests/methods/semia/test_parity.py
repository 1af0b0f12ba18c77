"""SemIA against the authors' own code: golden tensors, whatever packs lie in `SCENEBRUSH_PARITY`.

Every case of SemIA's there is one test, whatever it is called; format and tolerance are described in that folder's
README.
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

from scenebrush.layers.vgg import VGG, layer_indices
from scenebrush.losses.patch_coherence import PatchCoherence, distance, find_matches
from scenebrush.methods.semia import original_keys
from scenebrush.methods.semia.auxiliary import AuxiliaryClassifier
from scenebrush.methods.semia.discriminator import SemiaDiscriminator
from scenebrush.methods.semia.generator import Analogy, SemiaGenerator
from scenebrush.methods.semia.objective import Objective, Pair
from tests.methods.parity_packs import Pack

FOLDER: Final = Path(os.environ.get("SCENEBRUSH_PARITY") or Path(__file__).resolve().parents[3] / "../shared/parity")
KINDS: Final = {
    "step": "input/uniform_noise",
    "patch_loss": "input/query_positions/0",
    "generator": "input/target_layout",
    "discriminator": "input/fake",
    "auxiliary": "input/image",
}
"""Kind of case -> an input that this kind has and none of those after it."""
Network = TypeVar("Network", bound=nn.Module)


def facts(path: Path, kind: str) -> dict[str, Any]:
    """Returns what a JSON says; nothing where it is of another kind or not SemIA's."""
    found = json.loads(path.read_text(encoding="utf-8"))
    semia = isinstance(found, dict) and "semia" in str(found.get("official_repository")).lower()
    return found if semia and str(found.get("format")).startswith(kind) else {}


def cases() -> dict[str, list[Path]]:
    """Returns SemIA's cases in the folder by kind; those of no known kind are under "unknown"."""
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
    absent = pytest.mark.skip(reason=f"no such SemIA case in {FOLDER}; SCENEBRUSH_PARITY names another folder")
    return [pytest.param(FOLDER, marks=absent, id="absent")]


def test_there_is_a_test_for_every_case() -> None:
    assert not CASES["unknown"], f"no test knows the kind of {[path.name for path in CASES['unknown']]}"
    if os.environ.get("SCENEBRUSH_PARITY"):  # a misspelt folder is not to pass as one whose cases all hold
        assert any(CASES.values()) or MANIFESTS, f"there is no SemIA case in {FOLDER.resolve()}"


def build_generator(o: dict[str, Any]) -> SemiaGenerator:
    """Builds the generator from the original's options, as a user of our constructor would."""
    assert o["num_down"] == o["num_up"]
    assert not (o["E_use_attn"] or o["D_use_attn"] or o["D_use_skip"])
    return SemiaGenerator(
        o["cond_nc"],
        image_channels=o["im_nc"],
        width=o["base_nc"],
        levels=o["num_down"],
        modulate_encoder=o["E_use_FiLM"],
        modulate_decoder=o["D_use_FiLM"],
        unused_tail=True,
    )


def build_discriminator(o: dict[str, Any]) -> SemiaDiscriminator:
    return SemiaDiscriminator(None if o["no_seg_embed"] else o["label_nc"], width=o["D_base_nc"])


def build_auxiliary(o: dict[str, Any]) -> AuxiliaryClassifier:
    return AuxiliaryClassifier(o.get("num_classes", 3), image_channels=o["im_nc"], width=o["Aux_base_nc"])


def load(network: Network, state: dict[str, Tensor], *, training: bool) -> Network:
    network.load_state_dict(original_keys.from_original(state, network))
    return network.train(training)


def check_state(network: nn.Module, pack: Pack) -> None:
    """After one pass: the buffers that the original changed have its values, all others their own."""
    after = original_keys.to_original(network.state_dict())
    for key, before in pack.part("state").items():
        if f"state_after/{key}" in pack.tensors:
            pack.check(f"state_after/{key}", after[key])
        else:
            assert torch.equal(after[key], before.to(after[key].dtype)), f"{key} must not change"


def by_level(made: Analogy) -> dict[str, Tensor]:
    """Returns the tensors of an `Analogy` under the names that the packs have for them."""
    lists = {
        "ratio_minus_one": [ratio - 1 for ratio in made.change.ratios],
        "difference": made.change.differences,
        "gamma": made.translation.scales,
        "beta": made.translation.shifts,
    }
    return {f"{name}/{level}": value for name, values in lists.items() for level, value in enumerate(values)}


@pytest.mark.parametrize("path", packs(CASES["generator"]))
@torch.no_grad()
def test_generator(path: Path) -> None:
    pack = Pack(path)
    generator = load(build_generator(pack.options), pack.part("state"), training=pack.training)
    made = generator(pack.input("source_image"), pack.input("source_layout"), pack.input("target_layout"))
    pack.check_where_stored(image=made.picture, **by_level(made))
    if pack.training:
        check_state(generator, pack)


@pytest.mark.parametrize("path", packs(CASES["discriminator"]))
@torch.no_grad()
def test_discriminator(path: Path) -> None:
    pack = Pack(path)
    discriminator = load(build_discriminator(pack.options), pack.part("state"), training=pack.training)
    judged = discriminator(pack.input("layout"), [pack.input("real"), pack.input("fake")])
    for which, judgement in zip(("real", "fake"), judged, strict=True):
        for level in (0, 1):
            pack.check(f"output/{which}/prediction/{level}", judgement.logits[level])
            pack.check(f"output/{which}/feature/{level}", judgement.features[level][0])
    assert not pack.unchecked
    if pack.training:
        check_state(discriminator, pack)


@pytest.mark.parametrize("path", packs(CASES["auxiliary"]))
@torch.no_grad()
def test_auxiliary_classifier(path: Path) -> None:
    pack = Pack(path)
    classifier = load(build_auxiliary(pack.options), pack.part("state"), training=pack.training)
    pack.check_where_stored(layout=classifier(pack.input("image")))


def vgg_of(state: dict[str, Tensor]) -> VGG:
    """Returns a VGG19 whose first three convolutions are the pack's; the others are never run."""
    tensors = {"slice1.0": "features.0", "slice2.2": "features.2", "slice2.5": "features.5"}
    given = {f"{tensors[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": value for key, value in state.items()}
    for index in layer_indices("vgg19").values():
        for part in ("weight", "bias"):
            given.setdefault(f"features.{index}.{part}", torch.zeros(1))
    return VGG(given, "vgg19")


def released_patches(state: dict[str, Tensor]) -> PatchCoherence:
    return PatchCoherence(vgg_of(state), every_place=False)


@pytest.mark.parametrize("path", packs(CASES["patch_loss"]))
@torch.no_grad()
def test_patch_loss(path: Path) -> None:
    pack = Pack(path)
    patches = released_patches(pack.part("state"))
    maps = {f"{which}_features": patches.features(pack.input(f"{which}_image")) for which in ("source", "target")}
    checked: dict[str, Tensor] = {
        f"{name}/{i}": value for name, values in maps.items() for i, value in enumerate(values)
    }
    loss = torch.zeros(())
    for i, level in enumerate(patches.levels):
        target, source, queries = (
            maps["target_features"][i],
            maps["source_features"][i],
            pack.input(f"query_positions/{i}"),
        )
        found = find_matches(target, source, queries, patch=level.patch, every_place=False)
        checked |= {f"matches/{i}": found.places, f"match_distance/{i}": found.distances}
        loss += len(queries) * distance(target, source, queries, found, level.patch)
    pack.check_where_stored(loss=loss / pack.options["patch_num"], **checked)


@pytest.mark.parametrize("path", packs(CASES["step"]))
def test_step(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All losses of both modes, of discriminator and classifier; the noise is the pack's."""
    pack = Pack(path)
    nets = {
        "G": build_generator(pack.options),
        "D": build_discriminator(pack.options),
        "A": AuxiliaryClassifier(width=pack.options["Aux_base_nc"]),
    }
    states = {which: {k[2:]: v for k, v in pack.part("state").items() if k.startswith(f"{which}/")} for which in "GDAV"}
    for name, network in nets.items():
        load(network, states[name], training=pack.training)
    patches = released_patches(states["V"])
    objective = Objective(*nets.values(), patches, alignment_as_released=True)
    source = Pair(pack.input("source_image"), pack.input("source_layout"), patches.features(pack.input("source_image")))
    target = Pair(pack.input("target_image"), pack.input("target_layout"))
    monkeypatch.setattr(torch, "rand", lambda *_, **__: pack.input("uniform_noise"))
    draws = torch.Generator()  # says that noise is wanted
    queries = [pack.input(f"query_positions/{level}") for level in (0, 1)]
    with torch.no_grad():
        _, sample, made = objective.sample_step(source, target, draws, queries=queries)
        _, again, reconstructed = objective.reconstruction_step(target, draws)
        _, judged = objective.discriminator_step(target, made.picture)
        aux = objective.auxiliary_step(source)
        plain = nets["G"](source.photo, source.layout, target.layout).picture
    wanted = {
        "sample_image": made.picture,
        "reconstruction_image": reconstructed.picture,
        "inference_image": plain,
        "aux_training_loss": aux,
        "sample/G_GAN": sample["adversarial"],
        "sample/G_AuxLoss": sample["alignment"],
        "sample/G_PatchLoss": sample["patch_coherence"],
        "sample/G_Feat": sample["feature_matching"],
        "reconstruction/G_GAN": again["adversarial"],
        "reconstruction/G_alpha_fixedpoint": again["fixed_scales"],
        "reconstruction/G_beta_fixedpoint": again["fixed_shifts"],
        "reconstruction/G_Rec": again["reconstruction"],
        "reconstruction/G_Feat": again["feature_matching"],
        "discriminator/D_real": judged.real,
        "discriminator/D_fake": judged.fake,
    }
    pack.check_where_stored(**wanted)


def build_from_manifest(manifest: dict[str, Any]) -> nn.Module:
    kinds = {"encoder_c.head_block.main.1.weight_orig": build_generator, "tail.0.weight": build_auxiliary}
    build = next((build for key, build in kinds.items() if key in manifest["keys"]), build_discriminator)
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


@pytest.mark.parametrize("path", packs(CASES["generator"]))
def test_sizes_are_read_off_the_checkpoint(path: Path) -> None:
    state = Pack(path).part("state")
    network = original_keys.generator_from_original({f"module.{key}": value for key, value in state.items()})
    restored = original_keys.to_original(network.state_dict())
    assert restored.keys() == state.keys()
    assert all(torch.equal(restored[k], v.to(restored[k].dtype)) for k, v in state.items())
