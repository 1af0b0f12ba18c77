"""`benchmarks/speed/semia_iteration.py`, run small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "speed" / "semia_iteration.py"


def test_every_variant_and_step_is_timed(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    command = [sys.executable, str(SCRIPT), "--runs", "1", "--size", "32", "32", "--out", str(out)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "| as in the paper |" in found.stdout
    runs = json.loads(out.read_text())["runs"]
    assert len(runs) == 6 * 4
    assert all(timing["cpu"][0] > 0 for timing in runs.values())
