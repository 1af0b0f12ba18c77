"""metrics.jsonl: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class MetricsLog:
    """Appends lines to `run/metrics.jsonl`; lines after `step`, left by a run that was cut off, are dropped.

    Where it is not `enabled` (all devices but the first) it does nothing.
    """

    def __init__(self, run: Path, step: int, *, enabled: bool = True) -> None:
        self.path = run / "metrics.jsonl"
        self.enabled = enabled
        if enabled and self.path.exists():
            kept = [line for line in self.path.read_text(encoding="utf-8").splitlines() if _step(line) <= step]
            beside = self.path.with_suffix(".writing")
            beside.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
            beside.rename(self.path)

    def write(self, values: Mapping[str, Any]) -> None:
        """Appends one line, fractions rounded to six digits."""
        if self.enabled:
            rounded = {k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in values.items()}
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rounded) + "\n")


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):  # a line that was being written when the process was killed
        return float("inf")
