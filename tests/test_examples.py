"""The examples run, and what they bring holds together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from scenebrush.cli import fit, main
from scenebrush.cli.parsing import parse
from scenebrush.methods.semia.layout_files import read_target_layout
from scenebrush.methods.semia.source import Source
from scenebrush.methods.semia.target_layout import target_layout
from scenebrush.scene import LabelSet, Scene
from scenebrush.scene.files.drawings import cluster_colors, labels_of
from scenebrush.scene.files.edge_maps import EDGE, edge_map, read_line_drawing
from tests.test_docs import commands

ROOT = Path(__file__).resolve().parents[1]
ANALOGY = ROOT / "examples" / "analogy"
TUTORIAL = ROOT / "docs" / "tutorials" / "analogy.md"
TARGETS = json.loads((ANALOGY / "targets.json").read_text(encoding="utf-8"))
STEMS = ("astronaut", "cat", "china", "coffee", "flower", "rocket")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene folder that `make.py` writes."""
    out = tmp_path_factory.mktemp("analogy") / "scenes"
    done = subprocess.run(
        [sys.executable, str(ANALOGY / "make.py"), str(out)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{out}: 6 scenes, {len(TARGETS)} target layouts\n"
    return out


def scene_of(folder: Path, stem: str) -> Scene:
    (photo,) = (folder / "test" / "images").glob(f"{stem}.*")
    return Scene.open(photo, folder / "test" / "labels" / f"{stem}.png", folder / "classes.json")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [sys.executable, str(ANALOGY / "make.py"), str(tmp_path / "file")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and str(tmp_path / "file") in done.stderr


def test_the_folder_passes_the_check(made, capsys):
    assert main(["data", "check", str(made), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["scenes"] == {"test": 6} and report["findings"] == []


@pytest.mark.parametrize("stem", STEMS)
def test_every_pixel_has_a_class(made, stem):
    layout = scene_of(made, stem).layout
    present = np.unique(layout.label_map)
    assert layout.label_set.ignore_id not in present and len(present) >= 5


def test_the_joint_label_set_keeps_the_demos_ids():
    joint = LabelSet.load(ANALOGY / "classes.json")
    demo = LabelSet.load(ROOT / "src" / "scenebrush" / "demo" / "classes.json")
    assert joint.classes[: len(demo.classes)] == demo.classes
    assert len({c.color for c in joint.classes}) == len(joint.classes)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: Path(target["file"]).stem)
def test_a_target_is_another_layout_of_its_photo(made, target):
    scene = scene_of(made, target["photo"])
    path = ANALOGY / target["file"]
    label_map = np.asarray(Image.open(path))
    assert label_map.shape == scene.layout.label_map.shape
    assert set(np.unique(label_map)) <= set(np.unique(scene.layout.label_map))
    assert 0.0005 < (label_map != scene.layout.label_map).mean() < 0.75
    assert (made / "test" / "targets" / path.name).read_bytes() == path.read_bytes()
    assert target["application"] in ("manipulation", "removal", "face", "object") and target["asks"].endswith(".")


def test_every_photo_has_three_targets_and_something_removed():
    assert len(list((ANALOGY / "targets").iterdir())) == len(TARGETS)
    for stem in STEMS:
        asked = [target["application"] for target in TARGETS if target["photo"] == stem]
        assert len(asked) == 3 and "removal" in asked, stem
        assert ("face" in asked) == (stem in ("astronaut", "cat")), stem


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: Path(target["file"]).stem)
def test_a_target_has_no_specks(target):
    label_map = np.asarray(Image.open(ANALOGY / target["file"]))
    for value in np.unique(label_map):
        pieces, count = ndimage.label(label_map == value, np.ones((3, 3)))
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
        assert sizes.min() >= 8, f"class {value} has a piece of {sizes.min()} pixels"


@pytest.mark.parametrize("stem", ["flower", "coffee"])
def test_a_sketch_follows_its_photo(made, stem):
    scene = scene_of(made, stem)
    lines = {k: read_line_drawing(ANALOGY / "sketches" / f"{stem}{k}.png").label_map == EDGE for k in ("", "-1", "-2")}
    for drawn in lines.values():
        assert drawn.shape == scene.photo.shape[:2] and 0.01 < drawn.mean() < 0.2
    found = edge_map(scene.photo).label_map == EDGE

    def near(drawn: np.ndarray) -> float:
        """The share of its lines that lie on edges of the photo."""
        return float(found[drawn].mean())

    assert near(lines[""]) > 0.6
    assert all(np.mean(lines[k] != lines[""]) > 0.01 for k in ("-1", "-2"))


def test_a_drawing_has_few_classes_in_many_colors(made):
    drawing, target = (np.asarray(Image.open(ANALOGY / "drawings" / name)) for name in ("coffee.png", "coffee-1.png"))
    assert len(np.unique(drawing.reshape(-1, 3), axis=0)) > 300
    found = cluster_colors(drawing)
    truth = scene_of(made, "coffee").layout.label_map
    pairs = np.unique(np.stack([found.label_map.ravel(), truth.ravel()]), axis=1, return_counts=True)
    assert len(found.label_set.classes) == len(np.unique(truth)) == 7
    best = {int(a): max(n for (x, _), n in zip(pairs[0].T, pairs[1], strict=True) if x == a) for a in range(7)}
    assert sum(best.values()) / truth.size > 0.995
    assert set(np.unique(labels_of(target, found.label_set))) == set(range(7))


def test_the_tutorials_fits_can_be_learned_and_its_targets_drawn(made, monkeypatch):
    """All but the learning itself: every file is there, every layout is one that its fit draws."""
    monkeypatch.chdir(made.parent)
    (made.parent / "examples").symlink_to(ROOT / "examples")
    fits: dict[str, Source] = {}
    drawn = 0
    for words in commands(TUTORIAL):
        if words[0] == "fit":
            arguments = parse(fit.Arguments, "fit", words[1:])
            source = fit.read_source(arguments)
            source.check_learnable()
            fits[str(arguments.out)] = source
        elif words[0] == "synthesize":
            name = words[words.index("--model") + 1]
            layout = read_target_layout(words[1], fits[name])
            target = target_layout(layout, fits[name], name=name, any_size=False)
            assert target.notes == () and target.layout.shape == fits[name].shape
            drawn += 1
    assert {source.kind for source in fits.values()} == {"labels", "edges", "drawing"}
    assert len(fits) == 6 and drawn == 8
