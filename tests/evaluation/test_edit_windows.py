"""The script of benchmarks/quality, run as a user runs it, on a scene folder made here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "quality" / "edit_windows.py"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photos of 160x120: sky, road and one car each."""
    folder = tmp_path_factory.mktemp("scenes")
    classes = [
        {"id": 0, "name": "sky", "color": [0, 0, 255], "kind": "stuff"},
        {"id": 1, "name": "road", "color": [90, 90, 90], "kind": "stuff"},
        {"id": 2, "name": "car", "color": [255, 0, 0], "kind": "thing"},
    ]
    (folder / "classes.json").write_text(json.dumps({"name": "toy", "ignore_id": None, "classes": classes}))
    for part in ("images", "labels"):
        (folder / "test" / part).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(3):
        label_map = np.zeros((120, 160), np.uint8)
        label_map[60:] = 1
        label_map[50:80, 30 + 20 * i : 70 + 20 * i] = 2
        colours = np.array([[120, 160, 220], [90, 90, 90], [160, 30, 30]])[label_map]
        photo = np.clip(colours + rng.normal(0, 12, colours.shape), 0, 255).astype(np.uint8)
        Image.fromarray(photo).save(folder / "test" / "images" / f"{i}.png")
        Image.fromarray(label_map).save(folder / "test" / "labels" / f"{i}.png")
    return folder


def run(scenes: Path, assets: Path | None, out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--data", str(scenes), "--out", str(out), "--threads", "1"]
    environment = {k: v for k, v in os.environ.items() if k != "SCENEBRUSH_ASSETS"}
    environment |= {"SCENEBRUSH_ASSETS": str(assets)} if assets else {}
    return subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_it_prints_tables_and_writes_json_and_sheets(scenes: Path, assets: Path, tmp_path: Path) -> None:
    wanted = ("--methods", "mean", "near=nearest", "--n", "3", "--size", "96", "--no-fid", "--baseline", "near")
    found = run(scenes, assets, tmp_path, *wanted)
    assert found.returncode == 0, found.stderr
    assert "add: " in found.stdout
    assert "add + erase: " in found.stdout
    assert "ΔLPIPS to near" in found.stdout
    document = json.loads((tmp_path / "erase.json").read_text())
    assert set(document["methods"]) == {"mean", "near"}
    assert len(document["methods"]["mean"]["per_edit"]["lpips"]) == 3
    with Image.open(tmp_path / "add.png") as sheet:
        assert sheet.width > 4 * 192


def test_errors_are_one_line_and_exit_2(scenes: Path, assets: Path, tmp_path: Path) -> None:
    found = run(scenes, assets, tmp_path, "--methods", "nearst")
    assert found.returncode == 2
    assert found.stderr.startswith("error: unknown model 'nearst'")
    assert found.stderr.count("\n") == 1
    twice = run(scenes, assets, tmp_path, "--methods", "mean", "mean")
    assert "two methods are called 'mean'" in twice.stderr
    without = run(scenes, None, tmp_path, "--methods", "mean")
    assert without.returncode == 2
    assert "SCENEBRUSH_ASSETS is not set" in without.stderr
