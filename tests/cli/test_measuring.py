"""`scenebrush evaluate` and `scenebrush compare`, on streets of the toy world."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scenebrush.data.toy import write_toy_folder
from scenebrush.evaluation.assets import ASSETS, ASSETS_VARIABLE

Run = Callable[..., Any]
QUICK = ("--n", "3", "--size", "64", "--no-fid", "--segmenter", "none", "--threads", "1")


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_folder(tmp_path_factory.mktemp("streets"), 3, "test", size=(160, 120), seed=2)


@pytest.fixture
def assets(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The measuring networks, named to the command line."""
    beside = Path(__file__).resolve().parents[2] / ".." / "shared" / "weights"
    folder = Path(os.environ.get(ASSETS_VARIABLE) or beside).resolve()
    lacking = [a.file for a in ASSETS.values() if a.file.endswith(".safetensors") and not (folder / a.file).is_file()]
    if lacking:
        pytest.skip(f"{folder} lacks {', '.join(lacking)}; set {ASSETS_VARIABLE} to a folder that holds them")
    monkeypatch.setenv(ASSETS_VARIABLE, str(folder))
    return folder


def test_compare_prints_one_table_and_writes_report_table_and_sheet(
    run: Run, streets: Path, assets: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = run("compare", "nearest", "flat=mean", "--data", streets, "--task", "erase", "-o", out, *QUICK)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith(f"erase: {streets.name}/test, N = 3 windows of 64x64 from 3 photos")
    assert [line.split("|")[1].strip() for line in lines[4:7]] == ["nearest", "flat", "truth"]
    assert "ΔLPIPS to nearest" in lines[2]
    assert (out / "table.md").read_text() == "\n".join(lines[:7]) + "\n"
    report = json.loads((out / "report.json").read_text())
    assert set(report["methods"]) == {"nearest", "flat"}
    assert report["named"] == {"nearest": "nearest", "flat": "mean"}
    assert report["ceiling"]["means"]["lpips"]["mean"] == 0
    assert report["sample"]["split"] == "test"
    assert "no thing" in report["protocol"]
    assert len(report["methods"]["flat"]["per_edit"]["lpips"]) == 3
    with Image.open(out / "sheet.png") as sheet:
        assert sheet.width > 4 * 64 * 2
    assert not list(out.glob("*.part"))


def test_evaluate_measures_one_model_and_prints_json_if_asked(run: Run, assets: Path, tmp_path: Path) -> None:
    report = tmp_path / "deep" / "report.json"
    done = run("evaluate", "--model", "canvas", "--task", "toy-erase", "-o", report, "--json", *QUICK)
    assert done.code == 0, done.err
    printed = json.loads(done.out)
    assert printed == json.loads(report.read_text())
    assert printed["sample"]["data"] is None
    assert 0 < printed["methods"]["canvas"]["means"]["lpips"]["mean"] < 0.5
    assert printed["methods"]["canvas"]["touched"] == 0
    assert report.with_suffix(".png").is_file()


def test_the_truth_is_perfect(run: Run, streets: Path, assets: Path, tmp_path: Path) -> None:
    """Truth against itself: LPIPS 0, FID below 1e-3."""
    wanted = ("--n", "4", "--size", "64", "--segmenter", "none", "--threads", "1", "--patches")
    done = run("compare", "truth", "mean", "--data", streets, "--task", "add", "-o", tmp_path, *wanted)
    assert done.code == 0, done.err
    truth = json.loads((tmp_path / "report.json").read_text())["methods"]["truth"]
    assert truth["means"]["lpips"]["high"] == 0
    assert truth["means"]["single_image_fid"]["high"] == pytest.approx(0, abs=1e-3)
    assert truth["means"]["coherence"]["high"] == truth["means"]["completeness"]["high"] == 0
    assert truth["fid"]["value"] < 1e-3


def test_whole_pictures_can_be_asked_for(run: Run, streets: Path, assets: Path, tmp_path: Path) -> None:
    done = run("compare", "sesame-street", "--data", streets, "--task", "synthesize", "-o", tmp_path, *QUICK)
    assert done.code == 0, done.err
    assert "N = 3 pictures of 85x64" in done.out
    refused = run("compare", "mean", "--data", streets, "--task", "synthesize", "-o", tmp_path, *QUICK)
    assert refused.code == 2
    assert (
        refused.err
        == "error: mean fills holes from what is visible, and here nothing is; name a model that draws by labels\n"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("compare", "mean", "--task", "erase"),
            "task erase is measured on real photos; name a scene folder with --data",
        ),
        (("compare", "mean", "--task", "earse"), "unknown task 'earse' (did you mean 'erase'?)"),
        (("compare", "mean", "mean", "--task", "toy-add"), "two models are called 'mean'; give one a name of its own"),
        (("compare", "meen", "--task", "toy-add"), "unknown model 'meen'"),
        (("compare", "mean", "--task", "toy-add", "--n", "0"), "0 pictures to measure (n = 0); ask for at least 1"),
        (("evaluate", "--model", "sesame-street?gide=on", "--task", "toy-add"), "no option 'gide'"),
        (
            ("compare", "mean", "--task", "toy-add", "--baseline", "man"),
            "'man' is not among mean (did you mean 'mean'?)",
        ),
    ],
)
def test_what_cannot_be_measured_is_said_on_one_line(
    run: Run, tmp_path: Path, assets: Path, words: tuple[str, ...], told: str
) -> None:
    small = () if "--n" in words else ("--n", "1")
    done = run(*words, "--size", "64", "--no-fid", "--segmenter", "none", *small, "-o", tmp_path / "out")
    assert done.code == 2
    assert told in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out" / "report.json").exists()


def test_a_model_of_other_classes_is_refused(run: Run, streets: Path, tmp_path: Path) -> None:
    classes = json.loads((streets / "classes.json").read_text())
    other = write_toy_folder(tmp_path / "other", 1, "test", size=(160, 120))
    renamed = [{**c, "name": c["name"].replace("car", "rover")} for c in classes["classes"]]
    (other / "classes.json").write_text(json.dumps({**classes, "name": "mars", "classes": renamed}))
    done = run("compare", "sesame-street", "--data", other, "--task", "add", "-o", tmp_path / "out", *QUICK)
    assert done.code == 2
    assert "model 'sesame-street' knows the classes of 'camvid', the data has 'mars'" in done.err


def test_missing_weights_are_named_with_their_hash_and_source(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ASSETS_VARIABLE, str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = run("compare", "mean", "--task", "toy-add", "-o", tmp_path / "out", *QUICK)
    assert done.code == 2
    assert ASSETS["lpips-alex"].sha256 in done.err
    assert ASSETS["lpips-alex"].source in done.err
