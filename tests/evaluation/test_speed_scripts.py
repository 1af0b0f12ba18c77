"""The scripts of benchmarks/speed, run small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SPEED = Path(__file__).resolve().parents[2] / "benchmarks" / "speed"


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(SPEED / script), "--runs", "1", *arguments]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_compact_vs_paper_names_both_networks_and_the_ratio(tmp_path: Path) -> None:
    printed = run("compact_vs_paper.py", "--size", "64", "--threads", "1", "--out", str(tmp_path / "out.json"))
    assert "| paper | 20,489,091 | 41.0 |" in printed
    assert "| compact with canvas |" in printed
    assert set(json.loads((tmp_path / "out.json").read_text())["runs"]) >= {"paper", "compact", "canvas (the guide)"}


def test_canvas_megapixel_fills_a_hole_of_the_size_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="opencv is a benchmark-only dependency")
    size = ("--width", "160", "--height", "120", "--megapixels", "0.0025")
    printed = run("canvas_megapixel.py", *size, "--out", str(tmp_path / "out.json"))
    assert "| canvas |" in printed
    assert "| telea |" in printed
    assert json.loads((tmp_path / "out.json").read_text())["hole"] == 2500


def test_pix2pixhd_full_width_compares_with_the_plain_graph(tmp_path: Path) -> None:
    size = ("--width", "64", "--height", "64", "--channels", "4", "--strips", "--out", str(tmp_path / "out.json"))
    printed = run("pix2pixhd_full_width.py", *size, "--precisions", "float32")
    assert "| G1 float32 | ours |" in printed and "| G1+G2 float32 | plain graph |" in printed
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert len(rows) == 6 and all(row["peak_gib"] > 0 and row["difference"] < 2e-4 for row in rows)
