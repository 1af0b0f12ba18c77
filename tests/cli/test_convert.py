"""scenebrush convert: the authors' checkpoints become model folders with the same outputs; faults are named."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import torch
from torch import Tensor

from scenebrush.errors import ModelError
from scenebrush.methods import Synthesizer, load_model, load_synthesizer
from scenebrush.methods.checkpoints import label_channels
from scenebrush.methods.pix2pixhd.generator import CoarseToFineGenerator
from scenebrush.methods.pix2pixhd.original_keys import to_original as to_pix2pixhd
from scenebrush.methods.spade.encoder import ImageEncoder
from scenebrush.methods.spade.original_keys import to_original as to_spade
from scenebrush.scene import LabelClass, LabelSet
from tests.methods.parity_packs import Pack
from tests.methods.synthesizers import street, tiny_pix2pixhd, tiny_spade

PARITY: Final = Path(os.environ.get("SCENEBRUSH_PARITY") or Path(__file__).resolve().parents[2] / "../shared/parity")


def packs(network: str) -> list[Any]:
    """Returns the evaluation-mode generator cases of a method; one skipped case where there are none."""
    inputs = {"spade": {"input/semantics"}, "sesame": {"input/masked_image"}, "pix2pixhd": {"input/x"}}[network]
    found = []
    for path in sorted(PARITY.glob("*.json")):
        facts = json.loads(path.read_text())
        if "inputs" not in facts or network not in facts["official_repository"].lower():
            continue
        if inputs <= set(facts["inputs"]) and facts["mode"] == "evaluation" and "input/fake" not in facts["inputs"]:
            found.append(pytest.param(path, id=path.stem))
    return found or [pytest.param(PARITY, marks=pytest.mark.skip(reason=f"no {network} generators in {PARITY}"))]


def write_label_set(folder: Path, count: int) -> Path:
    classes = tuple(LabelClass(i, f"class{i}", (i, i, i), "stuff") for i in range(count))
    (folder / "classes.json").write_text(LabelSet("mine", classes).to_json())
    return folder / "classes.json"


def state_of(pack: Pack) -> dict[str, Tensor]:
    return {k: v.float() if v.is_floating_point() else v for k, v in pack.part("state").items()}


@pytest.fixture
def convert(run: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Runs the verb on a state dict or a file: `convert(state, "spade", 5)`; the model is `tmp_path / "model"`."""

    def command(checkpoint: Any, method: str, classes: int | str, *more: object) -> Any:
        path = checkpoint
        if not isinstance(checkpoint, Path):
            path = tmp_path / "latest_net_G.pth"
            torch.save(checkpoint, path)
        label_set = classes if isinstance(classes, str) else write_label_set(tmp_path, classes)
        return run("convert", path, "--method", method, "--label-set", label_set, "-o", tmp_path / "model", *more)

    return command


@pytest.mark.parametrize("path", packs("spade"))
@torch.no_grad()
def test_spade_gives_the_packs_picture(path: Path, convert: Any, tmp_path: Path) -> None:
    pack = Pack(path)
    keys = 0
    more = ["--set", f"upsampling={pack.options['num_upsampling_layers']}", "--json"]
    z = pack.input("z") if pack.has_input("z") else None
    if z is not None:
        encoder = ImageEncoder(width=pack.options["ngf"], style_channels=z.shape[1])  # there is no pack of both
        torch.save(to_spade(encoder.state_dict()), tmp_path / "latest_net_E.pth")
        keys = len(encoder.state_dict())
    done = convert(state_of(pack), "spade", pack.options["semantic_nc"] - 1, *more)
    assert done.code == 0, done.err
    assert json.loads(done.out)["keys"] == len(pack.part("state")) + keys
    model: Any = load_synthesizer(tmp_path / "model")
    pack.check("output/image", model.networks.generator(pack.input("semantics"), z))


@pytest.mark.parametrize("path", packs("pix2pixhd"))
@torch.no_grad()
def test_pix2pixhd_gives_the_packs_picture(path: Path, convert: Any, tmp_path: Path) -> None:
    pack = Pack(path)
    done = convert(state_of(pack), "pix2pixhd", pack.options["input_nc"] - 1)
    assert done.code == 0, done.err
    model: Any = load_synthesizer(tmp_path / "model")
    assert model.networks.config.boundaries
    pack.check("output/image", model.networks.generator(pack.input("x")))


@pytest.mark.parametrize("path", packs("sesame"))
@torch.no_grad()
def test_sesame_gives_the_packs_picture(path: Path, convert: Any, tmp_path: Path) -> None:
    pack = Pack(path)
    done = convert(state_of(pack), "sesame", pack.options["semantic_nc"])
    assert done.code == 0, done.err
    model: Any = load_model(tmp_path / "model")
    assert not isinstance(model, Synthesizer)
    drawn = model.generator.network(pack.input("masked_image"), pack.input("semantics_and_mask"))
    pack.check("output/image", drawn)


@torch.no_grad()
def test_generator_and_encoder_together(convert: Any, tmp_path: Path) -> None:
    made = tiny_pix2pixhd()
    assert made.encoder is not None
    torch.save(to_pix2pixhd(made.encoder.state_dict()), tmp_path / "latest_net_E.pth")
    done = convert(to_pix2pixhd(made.generator.state_dict()), "pix2pixhd", "camvid", "--set", "pooling=class")
    assert done.code == 0 and "with the encoder latest_net_E.pth" in done.out, done.err
    model: Any = load_synthesizer(tmp_path / "model")
    assert model.networks.config.pooling == "class" and model.networks.config.num_features == 3
    again = model.networks.state_dict()
    assert all(torch.equal(v, again[k]) for k, v in made.state_dict().items())


@torch.no_grad()
def test_spade_with_styles(convert: Any, tmp_path: Path) -> None:
    made = tiny_spade(style=True)
    assert made.encoder is not None
    state = to_spade(made.generator.state_dict())
    assert "give its encoder too, *_net_E.pth" in convert(state, "spade", "camvid").err
    torch.save(to_spade(made.encoder.state_dict()), tmp_path / "E.pth")
    done = convert(state, "spade", "camvid", "--encoder", tmp_path / "E.pth")
    assert done.code == 0, done.err
    model: Any = load_synthesizer(tmp_path / "model")
    layout = street(LabelSet.load("camvid"))
    again = model.networks.state_dict()
    assert all(torch.equal(v, again[k]) for k, v in made.state_dict().items())
    assert model.varies() and model.synthesize(layout).shape == (50, 70, 3)


@torch.no_grad()
def test_of_ade20k_the_unlabelled_come_to_the_front(convert: Any, tmp_path: Path) -> None:
    from scenebrush.methods.spade.generator import SPADEGenerator

    torch.manual_seed(0)
    theirs = SPADEGenerator(151, width=1, crop_size=32).eval()
    assert convert(to_spade(theirs.state_dict()), "spade", "ade20k").code == 0
    ours: Any = load_model(tmp_path / "model")
    labels = torch.randint(0, 151, (1, 32, 32))
    one_hot = torch.nn.functional.one_hot((labels - 1) % 151, 151).permute(0, 3, 1, 2).float()
    assert torch.allclose(ours.networks.synthesize(labels), theirs(one_hot), atol=1e-5)
    assert not ours.networks.config.boundary_channel


def test_the_folder_says_where_it_is_from(convert: Any, tmp_path: Path) -> None:
    assert convert(to_pix2pixhd(tiny_pix2pixhd(0).generator.state_dict()), "pix2pixhd", "camvid").code == 0
    text = (tmp_path / "model" / "README.md").read_text()
    assert "non-commercial" in text and "latest_net_G.pth" in text
    facts = json.loads((tmp_path / "model" / "config.json").read_text())["training"]["converted"]
    assert len(facts["sha256"]) == 64 and facts["checkpoint"] == "latest_net_G.pth"


@pytest.fixture
def state() -> dict[str, Tensor]:
    return to_spade(tiny_spade().generator.state_dict())


def test_old_and_wrapped_files_are_read(state: dict[str, Tensor], convert: Any, tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    torch.save({f"module.{k}": v for k, v in state.items()}, path, _use_new_zipfile_serialization=False)
    assert convert(path, "spade", "camvid").code == 0


def test_a_folder_stands_for_its_latest_files(convert: Any, tmp_path: Path) -> None:
    made, folder = tiny_pix2pixhd(), tmp_path / "label2city"
    assert made.encoder is not None
    folder.mkdir()
    assert "holds no *_net_G.pth" in convert(folder, "pix2pixhd", "camvid").err
    for epoch in ("10", "20"):
        torch.save(to_pix2pixhd(made.generator.state_dict()), folder / f"{epoch}_net_G.pth")
    assert "holds 10_net_G.pth, 20_net_G.pth; name one of them" in convert(folder, "pix2pixhd", "camvid").err
    (folder / "20_net_G.pth").rename(folder / "latest_net_G.pth")
    torch.save(to_pix2pixhd(made.encoder.state_dict()), folder / "latest_net_E.pth")
    done = convert(folder, "pix2pixhd", "camvid")
    assert done.code == 0 and "with the encoder latest_net_E.pth" in done.out, done.err
    facts = json.loads((tmp_path / "model" / "config.json").read_text())["training"]["converted"]
    assert facts["checkpoint"] == "latest_net_G.pth"


@torch.no_grad()
def test_half_precision_and_two_classes(convert: Any, tmp_path: Path) -> None:
    """With two classes and the boundaries the generator sees as many channels as an encoder."""
    torch.manual_seed(0)
    made = CoarseToFineGenerator(3, width=2, num_downsamplings=1, num_blocks=1).half()
    state = {f"module.{key}": value for key, value in to_pix2pixhd(made.state_dict()).items()}
    assert convert(state, "pix2pixhd", 2).code == 0
    model: Any = load_synthesizer(tmp_path / "model")
    again = model.networks.generator.state_dict()
    assert all(v.dtype == torch.float32 and torch.equal(v, made.state_dict()[k].float()) for k, v in again.items())


def test_what_is_wrong_with_an_encoder_is_told_of_its_file(convert: Any, tmp_path: Path) -> None:
    made, path = tiny_pix2pixhd(), tmp_path / "latest_net_E.pth"
    assert made.encoder is not None
    generator, styles = to_pix2pixhd(made.generator.state_dict()), to_pix2pixhd(made.encoder.state_dict())

    def fault(state: Any, method: str = "pix2pixhd", given: Any = generator) -> str:
        torch.save(state, path)
        done = convert(given, method, "camvid")
        assert done.code == 2 and done.err.count("\n") == 1 and not (tmp_path / "model").exists()
        assert str(path) in done.err and "net_G.pth:" not in done.err
        return str(done.err)

    assert "lacks 'model.4.bias'" in fault({k: v for k, v in styles.items() if k != "model.4.bias"})
    assert "holds 'more.weight' and 0 more" in fault(styles | {"more.weight": torch.zeros(1)})
    assert "is a generator of pix2pixhd; expected a feature encoder" in fault(generator)
    assert "is no network of the authors'" in fault({"x": torch.zeros(1)})
    vae = tiny_spade(style=True)
    assert vae.encoder is not None
    latent = to_spade(vae.encoder.state_dict())
    assert "is a style encoder; expected a feature encoder of pix2pixhd" in fault(latent)
    lacking = {k: v for k, v in latent.items() if k != "fc_mu.bias"}
    assert "lacks 'fc_mu.bias'" in fault(lacking, "spade", to_spade(vae.generator.state_dict()))


def test_missing_left_over_and_wrong_keys_are_named(state: dict[str, Tensor], convert: Any, tmp_path: Path) -> None:
    def fault(change: dict[str, Any], without: str = "") -> str:
        done = convert({k: v for k, v in (state | change).items() if k != without}, "spade", "camvid")
        assert done.code == 2 and done.err.count("\n") == 1 and not (tmp_path / "model").exists()
        assert "latest_net_G.pth" in done.err
        return str(done.err)

    for key in ("up_1.conv_0.bias", "head_0.norm_0.param_free_norm.running_mean", "fc.weight"):
        assert f"lacks '{key}'" in fault({}, key)
    assert "holds 'more.weight' and 0 more" in fault({"more.weight": torch.zeros(1)})
    assert "'conv_img.bias' is (4,), the network's (3,)" in fault({"conv_img.bias": torch.zeros(4)})
    for key, dimensions in (("head_0.conv_0.bias", 1), ("head_0.norm_0.mlp_shared.0.weight", 4)):
        assert f"'{key}' is (2, 2); expected {dimensions} dimensions" in fault({key: torch.zeros(2, 2)})
    assert "'epoch' is no tensor" in fault({"epoch": 3})


def test_files_that_are_something_else_are_named(state: dict[str, Tensor], convert: Any, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "whole.pth")
    torch.save(state, tmp_path / "whole-old.pth", _use_new_zipfile_serialization=False)
    files = {
        "cut.pth": (tmp_path / "whole.pth").read_bytes()[:-3000],
        "cut-old.pth": (tmp_path / "whole-old.pth").read_bytes()[:-3000],
        "short.pth": (tmp_path / "whole-old.pth").read_bytes()[:300],
        "empty.pth": b"",
        "text.pth": b"<html>Sign in</html>",
        "code.pth": pickle.dumps(print),
        "list.pth": pickle.dumps([1, 2]),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        done = convert(tmp_path / name, "spade", "camvid")
        assert done.code == 2 and name in done.err and done.err.count("\n") == 1, (name, done.err)
        assert "PyTorch 2.6" not in done.err  # torch's advice is to run the file's code
    done = convert(tmp_path / "nowhere.pth", "spade", "camvid")
    assert "nowhere.pth does not exist" in done.err


def test_no_code_of_a_file_is_run(convert: Any, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"a": Trap()}, tmp_path / "trap.pth")
    done = convert(tmp_path / "trap.pth", "spade", "camvid")
    assert done.code == 2 and "could run code" in done.err and not (tmp_path / "sprung").exists()


def test_the_wrong_network_or_method_is_told(state: dict[str, Tensor], convert: Any) -> None:
    networks = tiny_pix2pixhd()
    assert networks.encoder is not None
    assert "a generator of spade, not of sesame; say --method spade" in convert(state, "sesame", "camvid").err
    assert "is a feature encoder" in convert(to_pix2pixhd(networks.encoder.state_dict()), "pix2pixhd", "camvid").err
    assert "is a discriminator" in convert({"discriminator_0.model0.0.weight": torch.zeros(1)}, "spade", "camvid").err
    assert "its first key is 'x'" in convert({"x": torch.zeros(1)}, "spade", "camvid").err
    assert "unknown method 'spad' (did you mean 'spade'?)" in convert(state, "spad", "camvid").err


def test_another_label_set_and_wrong_settings_are_told(state: dict[str, Tensor], convert: Any, tmp_path: Path) -> None:
    assert "sees 13 channels of labels, label set 'nyuv2' has 40 classes" in convert(state, "spade", "nyuv2").err
    wrong = convert(state, "spade", "camvid", "--set", "upsamplin=normal")
    assert "unknown setting 'upsamplin' (did you mean 'upsampling'?)" in wrong.err
    assert "setting upsampling=much" in convert(state, "spade", "camvid", "--set", "upsampling=much").err
    assert "--set 'upsampling' is no setting" in convert(state, "spade", "camvid", "--set", "upsampling").err
    assert "checkpoint lacks 'up_4'" in convert(state, "spade", "camvid", "--set", "upsampling=most").err
    features = to_pix2pixhd(tiny_pix2pixhd().generator.state_dict())
    assert "then give *_net_E.pth too" in convert(features, "pix2pixhd", "camvid").err
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.txt").write_text("mine")
    assert "is there already" in convert(state, "spade", "camvid").err


@pytest.mark.parametrize(
    ("name", "channels", "boundaries", "wanted"),
    [
        ("cityscapes", 36, None, (35, True)),
        ("cityscapes", 35, False, (35, False)),
        ("cocostuff", 184, None, (183, True)),
        ("ade20k", 151, None, (151, False)),
        ("camvid", 13, True, (12, True)),
    ],
)
def test_what_the_channels_of_the_authors_networks_are(
    name: str, channels: int, boundaries: bool | None, wanted: tuple[int, bool]
) -> None:
    assert label_channels(channels, LabelSet.load(name), boundaries) == wanted


def test_channels_that_do_not_come_out() -> None:
    for channels, boundaries in ((14, None), (11, None), (13, False), (12, True)):
        with pytest.raises(ModelError, match="give the label set that it was trained with"):
            label_channels(channels, LabelSet.load("camvid"), boundaries)
