"""scenebrush bank build, bank query and bank stats."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush.scene.label_set import LabelSet
from tests.cli.street import CARS, draw_maps, draw_photo


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A scene folder of three streets in CamVid ids: as it is, mirrored, and moved."""
    root = tmp_path / "set"
    label_map, instance_map = draw_maps()
    photo = draw_photo(label_map, instance_map)
    for name in ("images", "labels", "instances"):
        (root / "train" / name).mkdir(parents=True)
    (root / "classes.json").write_text(LabelSet.load("camvid").to_json())
    for stem, change in (("a", lambda x: x), ("b", np.fliplr), ("c", lambda x: np.roll(x, 5, 1))):
        Image.fromarray(np.ascontiguousarray(change(photo))).save(root / "train" / "images" / f"{stem}.png")
        for name, values, dtype in (("labels", label_map, np.uint8), ("instances", instance_map, np.uint16)):
            Image.fromarray(np.ascontiguousarray(change(values)).astype(dtype)).save(
                root / "train" / name / f"{stem}.png"
            )
    return root


@pytest.fixture
def bank(folder: Path, run) -> Path:
    path = folder.parent / "bank"
    assert run("bank", "build", folder, "-o", path).code == 0
    return path


def test_build_says_what_was_put_in_and_then_that_nothing_is_new(folder: Path, run) -> None:
    out = folder.parent / "bank"
    outcome = run("bank", "build", folder, "-o", out)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("18 segments of 3 photos in ") and f"{out} has 18 segments, 0." in outcome.out
    outcome = run("bank", "build", folder, "-o", out, "--split", "train", "--workers", "1")
    assert outcome.out.startswith(f"nothing new: all 3 photos are in the bank; {out} has 18 segments")
    report = json.loads(run("bank", "build", folder, "-o", out, "--json").out)
    assert (report["photos"], report["known"], report["total"]) == (0, 3, 18)


def test_query_prints_the_largest_segment_first_and_itself_as_its_best(bank: Path, folder: Path, run) -> None:
    maps = [folder / "train" / "labels" / "a.png", "--instances", folder / "train" / "instances" / "a.png"]
    outcome = run("bank", "query", bank, *maps, "-k", "2")
    assert (outcome.code, outcome.err) == (0, "")
    blocks = outcome.out.strip().split("\n\n")
    assert [block.split(" at ")[0] for block in blocks] == ["building", "road", "sky", "car", "car", "pedestrian"] or [
        block.split(" at ")[0] for block in blocks
    ] == ["road", "building", "sky", "car", "car", "pedestrian"]
    for block in blocks:
        head, titles, first, *_ = block.split("\n")
        assert titles.split() == ["score", "mask", "context", "id", "donor", "box"] and " ms" in head
        assert first.split()[:3] == ["2.000", "1.000", "1.000"] and first.split()[4] == "train/a"


def test_query_for_one_segment_in_json(bank: Path, folder: Path, run) -> None:
    labels, instances = (folder / "train" / name / "a.png" for name in ("labels", "instances"))
    x, y = CARS[1]
    at = ["--instances", instances, "--at", f"{x + 1},{y + 1}", "--json", "-k", "1"]
    (found,) = json.loads(run("bank", "query", bank, labels, *at).out)["segments"]
    assert found["class"] == "car" and found["box"] == [x, y, x + 16, y + 10] and found["area"] == 160
    (match,) = found["matches"]
    assert match["score"] == 2 and match["box"] == found["box"] and match["photo_size"] == [128, 96]
    (masks,) = json.loads(run("bank", "query", bank, labels, *at, "--mask-only").out)["segments"]
    assert (masks["matches"][0]["score"], masks["matches"][0]["context_iou"]) == (1, 0)
    walkers = json.loads(run("bank", "query", bank, labels, "--class", "pedestrian", "--json", "--invariant").out)
    assert [len(one["matches"]) for one in walkers["segments"]] == [3]
    assert all(match["mask_iou"] == 1 for match in walkers["segments"][0]["matches"])


def test_query_draws_a_sheet(bank: Path, folder: Path, run) -> None:
    labels, sheet = folder / "train" / "labels" / "b.png", folder.parent / "sheet.png"
    outcome = run("bank", "query", bank, labels, "--class", "8", "-k", "2", "-o", sheet)
    assert outcome.code == 0 and f"drawn in {sheet}" in outcome.out
    pixels = np.array(Image.open(sheet))
    assert pixels.shape[1] > 3 * 132 and pixels.shape[0] > 132
    car = np.array(LabelSet.load("camvid").find("car").color)
    assert (pixels == car).all(-1).mean() > 0.03  # the mask
    assert (np.abs(pixels.astype(int) - (200, 30, 30)).max(-1) < 60).mean() > 0.03  # the red car's own pixels


def test_stats(bank: Path, run) -> None:
    outcome = run("bank", "stats", bank, "--check")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0].startswith("18 segments of 3 photos, 0.") and "512x256" in lines[0]
    counts = {line.split()[0]: line.split()[1] for line in lines[2:]}
    assert counts == {"sky": "3", "building": "3", "road": "3", "car": "6", "pedestrian": "3"}
    data = json.loads(run("bank", "stats", bank, "--json").out)
    assert data["donors"] == 3 and data["classes"]["car"]["segments"] == 6 and data["damage"] == []


def test_stats_names_damage_and_exits_with_2(bank: Path, run) -> None:
    path = next((bank / "segments").glob("008-*"))
    data = bytearray(path.read_bytes())
    data[40] ^= 255
    path.write_bytes(data)
    assert run("bank", "stats", bank).code == 0
    outcome = run("bank", "stats", bank, "--check")
    assert outcome.code == 2 and f"damaged: {path}" in outcome.out
    assert outcome.err == f"error: {bank} is damaged in 1 place; the rest of it is served\n"
    path.unlink()
    outcome = run("bank", "stats", bank)
    assert outcome.code == 2 and "is missing" in outcome.out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--at", "500,3"], "lies outside of the map, which is 128x96"),
        (["--at", "here"], "is no point; give X,Y"),
        (["--class", "carr"], "did you mean 'car'?"),
        (["--class", "tree"], "has no segment of class 'tree'"),
        (["-k", "0"], "k = 0 is no number of segments"),
        (["-o", "sheet.txt"], "sheet.txt"),
        (["--instancs", "x.png"], "did you mean '--instances'?"),
    ],
)
def test_mistakes_are_told_in_one_line(bank: Path, folder: Path, run, more: list[str], message: str) -> None:
    outcome = run("bank", "query", bank, folder / "train" / "labels" / "a.png", *more)
    assert outcome.code == 2 and message in outcome.err and outcome.err.count("\n") == 1


def test_what_is_no_bank(folder: Path, run) -> None:
    outcome = run("bank", "query", folder, folder / "train" / "labels" / "a.png")
    assert outcome.code == 2 and "is no memory bank" in outcome.err
    outcome = run("bank", "build", folder, "-o", folder)
    assert outcome.code == 2 and "not empty" in outcome.err
    outcome = run("bank", "build", folder, "-o", folder.parent / "bank", "--split", "trainn")
    assert outcome.code == 2 and "did you mean 'train'?" in outcome.err


def test_a_map_of_other_classes(bank: Path, folder: Path, run) -> None:
    labels = folder.parent / "other.png"
    Image.fromarray(np.full((20, 30), 30, np.uint8)).save(labels)
    outcome = run("bank", "query", bank, labels)
    assert outcome.code == 2 and "30" in outcome.err and "camvid" in outcome.err
