"""What a measurement leaves behind: report.json, the table, the contact sheet."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from scenebrush.evaluation.contact_sheet import analogy_sheet, edit_sheet, map_sheet
from scenebrush.evaluation.measuring import Outcome
from scenebrush.evaluation.tasks.analogy import AnalogyCase

FORMAT = 1
_NOTES = {"lpips": "LPIPS", "agreement": "agreement", "accuracy": "accuracy"}


def report_of(outcome: Outcome, methods: dict[str, str] | None = None) -> dict[str, Any]:
    """Returns the report as JSON data.

    Args:
        outcome: what was measured.
        methods: name in the table -> how it was named on the command line.
    """
    sample = outcome.sample
    return {
        "format": FORMAT,
        "scenebrush": version("scenebrush"),
        "task": outcome.task.name,
        "protocol": outcome.task.summary,
        "sample": {
            "data": str(sample.data) if sample.data is not None else None,
            "split": sample.photos.split if sample.data is not None else None,
            "label_set": outcome.cases[0].scene.layout.label_set.name,
            "n": len(outcome.cases),
            "size": sample.size,
            "context": sample.context,
            "least_object": sample.least_object,
            "seed": sample.seed,
        },
        "segmenter": outcome.segmenter,
        "named": methods or {},
        "machine": {
            "platform": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        },
        "seconds": round(outcome.seconds, 1),
        **outcome.comparison.to_dict(),
        **outcome.details,
    }


def contact_sheet(outcome: Outcome, rows: int = 16) -> Image.Image:
    """Returns the contact sheet of up to `rows` cases, evenly spread, each method's main figure under its picture."""
    cases = outcome.cases
    chosen = np.unique(np.linspace(0, len(cases) - 1, min(rows, len(cases))).astype(int))
    if outcome.task.analogies:
        return _analogies(outcome, chosen)
    shown, notes = [cases[i] for i in chosen], _notes(outcome, chosen)
    if outcome.task.makes_maps:
        return map_sheet(shown, {n: [own[i] for i in chosen] for n, own in outcome.readings.items()}, notes=notes)
    pictures = {name: rendering.pictures[chosen] for name, rendering in outcome.renderings.items()}
    return edit_sheet(shown, pictures, notes=notes, enlarge=max(1, 256 // max(cases[0].before.shape[:2])))


def write_report(outcome: Outcome, path: Path, methods: dict[str, str] | None = None) -> None:
    """Writes the report as JSON, beside and renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(report_of(outcome, methods), indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def write_sheet(outcome: Outcome, path: Path, rows: int = 16) -> None:
    """Writes the contact sheet as PNG, beside and renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    contact_sheet(outcome, rows).save(part, format="PNG", optimize=True)
    part.replace(path)


def _analogies(outcome: Outcome, chosen: np.ndarray) -> Image.Image:
    cases = [outcome.cases[i] for i in chosen]
    targets = [case.target if isinstance(case, AnalogyCase) else "" for case in cases]
    names = [target or f"{case.group}, its own layout" for case, target in zip(cases, targets, strict=True)]
    notes = {
        method: [_changed(photos[case.group]["targets"].get(t)) for case, t in zip(cases, targets, strict=True)]
        for method, photos in outcome.details["per_photo"].items()
    }
    pictures = {name: [made[i] for i in chosen] for name, made in outcome.pictures.items()}
    return analogy_sheet(cases, pictures, names, notes=notes)


def _changed(figures: Mapping[str, float | None] | None) -> str:
    agreement = None if figures is None else figures["agreement_changed"]
    return "" if agreement is None else f"agreement where changed {agreement:.3f}"


def _notes(outcome: Outcome, chosen: np.ndarray) -> dict[str, list[str]]:
    name = outcome.comparison.primary
    if name is None:
        return {}
    own = {row.method: row.figures.per_edit.get(name) for row in outcome.comparison.rows}
    return {
        method: [f"{_NOTES[name]} {v:.4f}" if np.isfinite(v) else "" for v in values[chosen]]
        for method, values in own.items()
        if values is not None
    }
