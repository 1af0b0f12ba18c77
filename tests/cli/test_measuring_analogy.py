"""`scenebrush compare` and `evaluate` on task analogy."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scenebrush.evaluation.assets import ASSETS, ASSETS_VARIABLE
from tests.evaluation.analogy_folder import write_folder
from tests.methods.semia.tiny import TinyPupil, tiny_source

Run = Callable[..., Any]
QUICK = ("--task", "analogy", "--no-fid", "--threads", "1")


@pytest.fixture
def assets(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The measuring networks, named to the command line."""
    beside = Path(__file__).resolve().parents[2] / ".." / "shared" / "weights"
    folder = Path(os.environ.get(ASSETS_VARIABLE) or beside).resolve()
    lacking = [name for name in ("lpips-alex", "lpips-vgg") if not (folder / ASSETS[name].file).is_file()]
    if lacking:
        pytest.skip(f"{folder} lacks {', '.join(lacking)}; set {ASSETS_VARIABLE} to a folder that holds them")
    monkeypatch.setenv(ASSETS_VARIABLE, str(folder))
    return folder


@pytest.fixture
def hills(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "hills")


def test_fits_editors_and_the_photo_as_it_is_stand_in_one_table(
    run: Run, hills: Path, assets: Path, tmp_path: Path
) -> None:
    for stem in ("north", "south"):
        TinyPupil(tiny_source()).export(tmp_path / "fits" / stem, {"iterations": 0})
    models = (f"ours={tmp_path / 'fits'}", "canvas", "unchanged")
    done = run("compare", *models, "--data", hills, "-o", tmp_path / "out", *QUICK)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "analogy: hills/test, N = 2 photos of 88 px at most, 4 target layouts"
    assert [line.split("|")[1].strip() for line in lines[4:8]] == ["ours", "canvas", "unchanged", "truth"]
    assert "SIFID" not in lines[2]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["sample"]["size"] == 256
    assert report["named"]["ours"] == str(tmp_path / "fits")
    assert report["methods"]["canvas"]["means"]["agreement_changed"]["n"] == 2
    assert "reconstruction_psnr" in report["methods"]["ours"]["means"]
    assert "reconstruction_psnr" not in report["methods"]["canvas"]["means"]
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.width > 6 * 88


def test_one_model_and_bad_input(run: Run, hills: Path, assets: Path, tmp_path: Path) -> None:
    done = run("evaluate", "--model", "canvas", "--data", hills, "-n", "1", "-o", tmp_path / "r.json", *QUICK)
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "r.json").read_text())["photos"] == ["north"]
    TinyPupil(tiny_source()).export(tmp_path / "fits" / "north", {"iterations": 0})
    refused = run("evaluate", "--model", tmp_path / "fits", "--data", hills, "-o", tmp_path / "x.json", *QUICK)
    assert refused.code == 2
    assert "holds no fit of photo 'south'" in refused.err
    assert refused.err.count("\n") == 1
    for path in (hills / "test" / "targets").iterdir():
        path.unlink()
    refused = run("compare", "canvas", "--data", hills, "-o", tmp_path / "out", *QUICK)
    assert refused.code == 2
    assert "holds no target layouts" in refused.err
