"""pix2pixHD against the authors' own code: golden tensors, whatever packs lie in `SCENEBRUSH_PARITY`.

Every case of pix2pixHD's there is one test, whatever it is called; format and tolerance are described in that folder's
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
from torch.nn import functional as F

from scenebrush.layers.discriminators import Judgement
from scenebrush.losses.adversarial import least_squares_discriminator, least_squares_generator
from scenebrush.methods.pix2pixhd import original_keys
from scenebrush.methods.pix2pixhd.blocks import NORMS
from scenebrush.methods.pix2pixhd.boundaries import instance_boundaries
from scenebrush.methods.pix2pixhd.discriminator import MultiscaleDiscriminator
from scenebrush.methods.pix2pixhd.encoder import FeatureEncoder, pool_objects
from scenebrush.methods.pix2pixhd.generator import CoarseToFineGenerator
from scenebrush.methods.pix2pixhd.objective import matched_features
from scenebrush.methods.pix2pixhd.preprocess import prepare, with_boundaries, with_styles
from tests.methods.parity_packs import Pack

FOLDER = Path(os.environ.get("SCENEBRUSH_PARITY") or Path(__file__).resolve().parents[2] / "../shared/parity")
KINDS: Final = {  # inputs that this kind has and no earlier one
    "step": {"input/label", "input/image"},
    "generator": {"input/x"},
    "discriminator": {"input/labels", "input/fake"},
    "encoder": {"input/image", "input/instance"},
    "edges": {"input/instance"},
    "losses": {"input/fake/0/0"},
}
Network = TypeVar("Network", bound=nn.Module)


def _found(folder: Path, kind: str) -> list[Path]:
    """Returns pix2pixHD's JSON files of a kind of pack."""
    facts = {path: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    return [
        path
        for path, f in facts.items()
        if str(f.get("format")).startswith(kind) and "pix2pixhd" in str(f.get("official_repository")).lower()
    ]


def _cases(folder: Path) -> dict[str, list[Path]]:
    cases: dict[str, list[Path]] = {kind: [] for kind in (*KINDS, "unknown")}
    for path in _found(folder, "parity-pack"):
        inputs = json.loads(path.read_text(encoding="utf-8"))["inputs"].keys()
        cases[next((kind for kind, names in KINDS.items() if names <= inputs), "unknown")].append(path)
    return cases


CASES, MANIFESTS = _cases(FOLDER), _found(FOLDER / "keys", "parity-keys")


def packs(found: Sequence[Path]) -> list[Any]:
    """Returns one test's parameters; one skipped case where there are none."""
    if found:
        return [pytest.param(path, id=path.stem) for path in found]
    absent = pytest.mark.skip(reason=f"no such pix2pixHD case in {FOLDER}; SCENEBRUSH_PARITY names another folder")
    return [pytest.param(FOLDER, marks=absent, id="absent")]


def test_there_is_a_test_for_every_case() -> None:
    assert not CASES["unknown"], f"no test knows the kind of {[path.name for path in CASES['unknown']]}"
    if os.environ.get("SCENEBRUSH_PARITY"):  # a misspelt folder is not to pass as one whose cases all hold
        assert any(CASES.values()) or MANIFESTS, f"there is no pix2pixHD case in {FOLDER.resolve()}"


def build_generator(o: dict[str, Any]) -> CoarseToFineGenerator:
    """Builds the generator from the original's options, as a user of our constructor would."""
    num_enhancers = int(o.get("n_local_enhancers", 0))
    return CoarseToFineGenerator(
        o["input_nc"],
        image_channels=o.get("output_nc", 3),
        width=o["ngf"] * 2**num_enhancers,
        num_downsamplings=o["n_downsample_global"],
        num_blocks=o["n_blocks_global"],
        num_enhancers=num_enhancers,
        num_enhancer_blocks=o.get("n_blocks_local", 3),
        norm=NORMS[o.get("norm", "instance")],
    )


def build_discriminator(o: dict[str, Any]) -> MultiscaleDiscriminator:
    image_channels = o.get("output_nc", 3)
    return MultiscaleDiscriminator(
        o["input_nc"] - image_channels,
        image_channels=image_channels,
        width=o["ndf"],
        num_layers=o["n_layers_D"],
        num_scales=o["num_D"],
        norm=NORMS[o.get("norm", "instance")],
    )


def build_encoder(o: dict[str, Any]) -> FeatureEncoder:
    return FeatureEncoder(
        o["feat_num"],
        image_channels=o["output_nc"],
        width=o["nef"],
        num_downsamplings=o["n_downsample_E"],
        norm=NORMS[o.get("norm", "instance")],
    )


BUILDERS: Final = {
    "generator": (build_generator, original_keys.generator_from_original),
    "discriminator": (build_discriminator, original_keys.discriminator_from_original),
    "encoder": (build_encoder, original_keys.encoder_from_original),
}


def load(network: Network, pack: Pack, part: str = "state") -> Network:
    network.load_state_dict(original_keys.from_original(pack.part(part), network))
    return network.train(pack.training)


def check_state(pack: Pack, network: nn.Module, *, features: bool = True) -> None:
    """After one pass in training: the buffers that the original changed have its values, all others their own."""
    after = original_keys.to_original(network.state_dict(), features=features)
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
    pack.check_where_stored(image=generator(pack.input("x")))
    if pack.training:
        check_state(pack, generator)


@pytest.mark.parametrize("path", packs(CASES["discriminator"]))
@torch.no_grad()
def test_discriminator(path: Path) -> None:
    pack = Pack(path)
    with_features = pack.options.get("getIntermFeat", True)
    discriminator = load(build_discriminator(pack.options), pack)
    judged = discriminator(pack.input("labels"), [pack.input("fake"), pack.input("real")])
    for which, judgement in zip(("fake", "real"), judged, strict=True):
        for scale, maps in enumerate(outputs(judgement, pack.options)):
            for layer, value in enumerate(maps if with_features else maps[-1:]):
                pack.check(f"output/{which}/{scale}/{layer}", value)
    assert not pack.unchecked
    if pack.training:
        check_state(pack, discriminator, features=with_features)


def outputs(judgement: Judgement, o: dict[str, Any]) -> list[list[Tensor]]:
    """Returns all maps per scale, as the original does: with features on it loses its sigmoid (facts 1.11)."""
    sigmoid = o.get("use_sigmoid", False) and not o.get("getIntermFeat", True)
    logits = [torch.sigmoid(d) if sigmoid else d for d in judgement.logits]
    return [[*maps, d] for maps, d in zip(judgement.features, logits, strict=True)]


@pytest.mark.parametrize("path", packs(CASES["encoder"]))
@torch.no_grad()
def test_encoder(path: Path) -> None:
    pack = Pack(path)
    encoder = load(build_encoder(pack.options), pack)
    features = encoder.features(pack.input("image"))
    if pack.training:
        check_state(pack, encoder)
    pooled = pool_objects(features, pack.input("instance")).spread()
    pack.check_where_stored(features_before_pooling=features, features=pooled)
    if not pack.training:
        assert torch.equal(pooled, encoder(pack.input("image"), pack.input("instance")))


@pytest.mark.parametrize("path", packs(CASES["edges"]))
def test_edges(path: Path) -> None:
    pack = Pack(path)
    pack.check_where_stored(edges=instance_boundaries(pack.input("instance")))


@pytest.mark.parametrize("path", packs(CASES["losses"]))
def test_losses(path: Path) -> None:
    pack = Pack(path)
    fake, real = (
        [sorted_layers(pack, which, scale) for scale in range(num_scales(pack))] for which in ("fake", "real")
    )
    judged_fake, judged_real = (Judgement([s[:-1] for s in all_], [s[-1] for s in all_]) for all_ in (fake, real))
    check_losses(pack, judged_fake, judged_real)


def check_losses(pack: Pack, fake: Judgement, real: Judgement, **values: Tensor) -> None:
    matching = matched_features(fake.features, real.features) * pack.options["lambda_feat"]
    loss = least_squares_discriminator(real.logits, fake.logits)
    generator_loss = least_squares_generator(fake.logits)
    if not pack.options.get("use_lsgan", True):
        pytest.skip("the plain GAN loss is no option of ours: with features on, the released code cannot run it either")
    pack.check_where_stored(
        G_GAN=generator_loss,
        G_GAN_Feat=matching,
        D_real=loss.real,
        D_fake=loss.fake,
        D_total=0.5 * loss.total,
        **values,
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
    o, image, instance = pack.options, pack.input("image"), pack.input("instance")
    # The original takes its instance ids as they are, whatever the labels say.
    semantics = prepare(pack.input("label"), num_classes=o["label_nc"], boundaries=False).semantics
    if not o.get("no_instance", False):
        semantics = with_boundaries(semantics, instance)
    styles = None
    if o.get("instance_feat", False) or o.get("label_feat", False):
        encoder = original_keys.encoder_from_original(pack.part("state/E")).train(pack.training)
        styles = encoder(image, pack.input("label") if o.get("label_feat", False) else instance)
    generator = original_keys.generator_from_original(pack.part("state/G")).train(pack.training)
    discriminator = original_keys.discriminator_from_original(pack.part("state/D")).train(pack.training)
    fake = generator(with_styles(semantics, styles))
    judged_fake, judged_real = discriminator(semantics, [fake, image])
    values = {"labels_and_edges": semantics, "image": fake, "generator_input": with_styles(semantics, styles)}
    if styles is not None:
        values |= {"features": styles, "feature_map": styles}
    check_losses(pack, judged_fake, judged_real, **values)


@pytest.mark.parametrize("path", packs(MANIFESTS))
def test_full_size_keys(path: Path) -> None:
    """Every key of the full-size networks, with its shape and kind, has its place in ours, and no other has."""
    manifest = json.loads(path.read_text())
    options = manifest["options"]
    kind = "generator" if "ngf" in options else "discriminator" if "ndf" in options else "encoder"
    with torch.device("meta"):
        network = BUILDERS[kind][0](options)
    names = original_keys.original_names(network.state_dict(), features=options.get("getIntermFeat", True))
    shapes = {names[key]: list(value.shape) for key, value in network.state_dict().items()}
    assert shapes == {key: entry["shape"] for key, entry in manifest["keys"].items()}
    parameters = {names[key] for key, _ in network.named_parameters()}
    assert parameters == {key for key, entry in manifest["keys"].items() if entry["kind"] == "parameter"}
    assert sum(p.numel() for p in network.parameters()) == manifest["trainable_numbers"]


@pytest.mark.parametrize("path", packs([*CASES["generator"], *CASES["discriminator"], *CASES["encoder"]]))
def test_options_are_read_off_the_checkpoint(path: Path) -> None:
    pack = Pack(path)
    kind = next(kind for kind in BUILDERS if path in CASES[kind])
    state = pack.part("state")
    network = BUILDERS[kind][1]({f"module.{key}": value for key, value in state.items()})
    restored = original_keys.to_original(network.state_dict(), features=pack.options.get("getIntermFeat", True))
    assert restored.keys() == state.keys()
    assert all(torch.equal(restored[k], v.to(restored[k].dtype)) for k, v in state.items())
    built = BUILDERS[kind][0](pack.options)
    assert {k: v.shape for k, v in built.state_dict().items()} == {k: v.shape for k, v in network.state_dict().items()}


def test_a_pooled_mean_is_spread_by_nothing_but_ids() -> None:
    """A check of the packs' own kind where none is at hand: two pieces of one id are one region."""
    features = torch.arange(8.0).view(1, 1, 2, 4)
    ids = torch.tensor([[[[7, 7, 0, 7], [0, 0, 0, 7]]]])
    expected = torch.where(ids == 7, (0 + 1 + 3 + 7) / 4, (2 + 4 + 5 + 6) / 4)
    assert torch.equal(pool_objects(features, ids).spread(), expected)
    assert F.l1_loss(pool_objects(features, ids * 5000).spread(), expected) == 0
