"""The scripts of benchmarks/quality that measure SEIGAN, run small on the toy world."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.data.toy import write_toy_folder
from scenebrush.methods.seigan.config import SeiganConfig
from scenebrush.methods.seigan.folder import load_networks
from scenebrush.methods.seigan.networks import SeiganNetworks, build_networks
from scenebrush.training.checkpoint import list_checkpoints
from scenebrush.training.recipe import Recipe

QUALITY = Path(__file__).resolve().parents[3] / "benchmarks" / "quality"
CONFIG: dict[str, Any] = {
    "kind": "compact",
    "width": 4,
    "discriminator_width": 4,
    "pool_size": 0,
    "evidence": True,
    "classes": ["car", "pedestrian"],
    "least_side": 8,
}
LOSSES = {"adversary": "hinge", "background": 0.2, "texture": 1.0, "filling": 2.0, "share": 50.0}


def recipe() -> dict[str, Any]:
    """A tiny recipe of two phases."""
    stage = {"batch_size": 2, "pictures": {"count": 8, "size": [32, 32]}, "losses": LOSSES, "steps": 2}
    return {
        "name": "tiny",
        "method": "seigan",
        "label_set": "camvid",
        "config": CONFIG,
        "stages": [{**stage, "name": "shapes", "phase": "shapes"}, {**stage, "name": "all", "phase": "together"}],
        "log_every": 1,
        "sample_every": 9,
        "checkpoint_every": 9,
    }


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Returns a script of benchmarks/quality by name."""
    monkeypatch.syspath_prepend(str(QUALITY))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy-splits")
    for seed, split in enumerate(("train", "val", "test")):
        write_toy_folder(folder, 5, split, size=(192, 144), seed=seed)
    return folder


@pytest.fixture
def config() -> SeiganConfig:
    return SeiganConfig(**{**CONFIG, "classes": ("car", "pedestrian"), "size": 32})


def test_the_table_of_masks_knows_the_truth_from_the_box(script: Any, data: Path, config: SeiganConfig) -> None:
    masks = script("seigan_masks")
    cases = masks.cases_of(SplitInMemory(data, "test"), config)
    truth = np.stack([case.measured.mask.astype(np.float32) for case in cases])
    rows = masks.table_of({**masks.plain_masks(cases), "truth": truth}, cases)
    assert rows["truth"].iou.mean == 1 and rows["truth"].to_box.significant and rows["truth"].to_box.low > 0
    assert rows[masks.BOX].share == 1 and rows[masks.BOX].to_box.mean == 0
    pairs = [(case.measured.crop.box, case.measured.mask) for case in cases]
    by_hand = [(box & mask).sum() / (box | mask).sum() for box, mask in pairs]
    assert rows[masks.BOX].iou.mean == pytest.approx(np.mean(by_hand))


def test_grabcut_on_the_whole_photo_is_brought_to_the_crop(script: Any, config: SeiganConfig) -> None:
    pytest.importorskip("cv2", reason="opencv is a benchmark-only dependency")
    masks = script("seigan_masks")
    from scenebrush.data.box_crops import BoxCrop, MeasuredCrop, box_plane, cut_photo

    rows, columns = np.mgrid[:96, :128]
    disc = np.hypot(columns - 60, rows - 50) <= 20
    photo = np.random.default_rng(0).integers(95, 110, (96, 128, 3)).astype(np.uint8)
    photo[disc] = (220, 30, 40)
    box, window = (40, 30, 81, 71), (28, 18, 92, 82)
    crop = BoxCrop(cut_photo(photo, window, 32), box_plane(box, window, 32), window, 0, "a")
    case = masks.Case(MeasuredCrop(crop, disc[18:82:2, 28:92:2]), photo, box)
    for cutter in masks.grabcuts().values():
        assert masks.ious(cutter(case)[None], [case])[0] > 0.85
    nothing = np.zeros((1, 32, 32), np.float32)
    assert np.array_equal(masks.or_box(nothing, [case])[0], crop.box)


def test_kid_is_that_of_pairs_without_a_common_photo(
    script: Any, data: Path, config: SeiganConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    realism = script("seigan_realism")
    monkeypatch.setattr(
        realism, "inception_features", lambda pictures, _: pictures.reshape(len(pictures), -1)[:, :7] / 50
    )
    composer = realism.Composer(SplitInMemory(data, "test"), config, repeats=2, halves=3)
    composer.__dict__["network"] = None
    made = composer.anchors()
    fake, real = (pictures.reshape(len(pictures), -1)[:, :7] / 50 for pictures in (made[realism.BOX], composer.x))
    seen = [{o, b} for o, b in zip(composer.photos.tolist(), composer.background_photos.tolist(), strict=True)]
    sums: dict[str, list[float]] = {"fakes": [], "real": [], "both": []}
    for i, of_i in enumerate(seen):
        for j, of_j in enumerate(seen):
            if not of_i & of_j:
                sums["fakes"].append((fake[i] @ fake[j] / 7 + 1) ** 3)
            if composer.photos[i] != composer.photos[j]:
                sums["real"].append((real[i] @ real[j] / 7 + 1) ** 3)
            if composer.photos[j] not in of_i:
                sums["both"].append((fake[i] @ real[j] / 7 + 1) ** 3)
    by_hand = np.mean(sums["fakes"]) + np.mean(sums["real"]) - 2 * np.mean(sums["both"])
    values = composer.kids(made[realism.BOX])
    assert values[0] == pytest.approx(1000 * by_hand) and len(values) == 4
    row = composer.rows(made)["true mask pasted"]
    assert row.to_box.value == pytest.approx(row.kid.value - values[0]) and row.to_pasted is None


def test_pastes_show_the_object_where_the_mask_is(
    script: Any, data: Path, config: SeiganConfig, networks: SeiganNetworks
) -> None:
    realism = script("seigan_realism")
    composer = realism.Composer(SplitInMemory(data, "test"), config, repeats=1)
    pasted = composer.anchors()["true mask pasted"]
    assert composer.truth.any() and not (composer.truth & ~composer.boxes).any()
    assert (pasted[composer.truth] == composer.x[composer.truth]).all()
    assert (pasted[~composer.boxes] == composer.y[~composer.boxes]).all()
    z, enhanced = composer.composed(networks)
    assert (z[~composer.boxes] == composer.y[~composer.boxes]).all() and z.shape == enhanced.shape == composer.x.shape


def test_the_supervised_segmenter_learns_masks_and_nothing_else(
    script: Any, data: Path, tmp_path: Path, assets: Path
) -> None:
    supervised = script("seigan_supervised")
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe()))
    settings = supervised.Settings(data, tmp_path / "run", path, ("config.evidence=false",), steps=40, batch_size=4)
    networks, _ = load_networks(supervised.train(settings))
    torch.manual_seed(0)
    before = build_networks(networks.config)
    assert not networks.config.evidence
    after = networks.state_dict()
    changed = {k for k, v in before.state_dict().items() if not torch.equal(v.half().float(), after[k])}
    assert {key.split(".")[0] for key in changed} == {"swap"}
    assert not any("enhancer" in key for key in changed)

    masks = script("seigan_masks")
    cases = masks.cases_of(SplitInMemory(data, "train"), networks.config)
    truth = supervised.planes_tensor([case.measured.mask for case in cases])
    box = supervised.planes_tensor([case.measured.crop.box for case in cases])
    first, then = (
        float(supervised.mask_loss(torch.from_numpy(masks.masks_of(cases, masks.model(one)))[:, None], truth, box))
        for one in (before.eval(), networks)
    )
    assert then < first - 0.05


def test_the_loss_of_true_masks_is_0(script: Any) -> None:
    supervised = script("seigan_supervised")
    truth, box = torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)
    truth[:, :, 3:5, 2:6] = 1
    box[:, :, 2:6, 1:7] = 1
    assert supervised.mask_loss(truth, truth, box) == pytest.approx(0, abs=1e-3)
    assert supervised.mask_loss(box - truth, truth, box) > 5


def test_variants_change_what_they_say(script: Any) -> None:
    ablation = script("seigan_ablation")
    whole = Recipe.parse(recipe(), "tiny")
    made = {name: ablation.with_variant(whole, variant) for name, variant in ablation.VARIANTS.items()}
    assert made["full"].stages == whole.stages and made["full"].config == whole.config
    assert [s.losses["background"] for s in made["no-background"].stages] == [0, 0]
    assert [s.losses["texture"] for s in made["no-texture"].stages] == [1, 0]
    assert [(s.name, s.steps, s.losses["filling"]) for s in made["no-filling"].stages] == [("all", 4, 0)]
    left = ablation.LossWeights(**made["cut-and-paste"].stages[1].losses)
    assert {name for name, value in vars(left).items() if value} == {"pasted", "share", "adversary"}
    bare = ablation.LossWeights(**made["cut-and-paste-bare"].stages[1].losses)
    assert {name for name, value in vars(bare).items() if value} == {"pasted", "area", "adversary"}
    assert made["cut-and-paste"].config["evidence"] and not made["no-evidence"].config["evidence"]
    without = recipe()
    without["stages"][1]["losses"] = {**LOSSES, "identity": 0.0}
    assert ablation.with_variant(Recipe.parse(without, "tiny"), ablation.VARIANTS["no-identity"]) is None


def test_steps_are_shared_out_as_in_the_recipe(script: Any) -> None:
    ablation = script("seigan_ablation")
    given = recipe()
    given["stages"] += [{**given["stages"][1], "name": "last", "steps": 1}]
    scaled = ablation.scaled(Recipe.parse(given, "tiny"), 30)
    assert [stage.steps for stage in scaled.stages] == [2, 20, 10]


def test_variants_begin_alike_and_are_measured(
    script: Any, data: Path, tmp_path: Path, assets: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("SCENEBRUSH_ASSETS", str(assets))
    ablation = script("seigan_ablation")
    path, out = tmp_path / "tiny.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump(recipe()))
    settings = ablation.Settings(data, out, path, only=("full", "no-evidence"), steps=2, repeats=0)
    ablation.main(settings)
    report = json.loads((out / "report.json").read_text())
    assert set(report) == {"box = mask", "canvas: evidence", "full", "no-evidence"}
    assert 0 < report["full"]["iou"]["test"]["mean"] < 1 and set(report["no-evidence"]["to_full"]) == {"val", "test"}

    whole = Recipe.parse(recipe(), "tiny")
    begun = tmp_path / "begun"
    own = ablation.with_variant(whole, ablation.VARIANTS["no-evidence"])
    ablation.begin(own, data, out / "start-full", begun)
    start, there = (
        load_file(list_checkpoints(f / "checkpoints")[-1] / "state.safetensors") for f in (out / "start-full", begun)
    )
    assert start.keys() == there.keys()
    different = {
        key for key in start if start[key].shape != there[key].shape or not torch.equal(start[key], there[key])
    }
    assert different and all("swap.segmenter" in key for key in different)

    capsys.readouterr()
    ablation.main(settings)
    printed = capsys.readouterr().out
    assert "step" not in printed and "| no-evidence |" in printed
