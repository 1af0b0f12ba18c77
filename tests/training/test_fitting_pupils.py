"""Our own pupil in the loop: what goes on ends as what never stopped; it draws from the first picture on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from scenebrush.methods import load_synthesizer
from scenebrush.methods.semia.config import SemiaConfig
from scenebrush.methods.semia.pupil import Pupil, build_pupil
from scenebrush.training.checkpoint import list_checkpoints
from scenebrush.training.fitting import Progress, fit
from tests.methods.semia.tiny import land, tiny_source

SIZE = {"height": 96, "width": 96}


@pytest.fixture(autouse=True)
def no_assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the perceptual network, wherever the tests run."""
    monkeypatch.setenv("SCENEBRUSH_ASSETS", str(tmp_path))


def pupil() -> Pupil:
    return build_pupil(tiny_source(**SIZE), SemiaConfig(), seed=1)


def test_our_pupil_goes_on_bit_equal_and_draws_from_the_start(tmp_path: Path) -> None:
    told: list[Progress] = []

    def report(now: Progress) -> None:
        told.append(now)
        if len(told) == 1:  # with the model that was written before anything was learned
            drawn = load_synthesizer(tmp_path / "whole").synthesize(land(80, 112, 0.4))
            assert drawn.shape == (80, 112, 3) and drawn.dtype == np.uint8

    fit(pupil(), tmp_path / "whole", iterations=2, report=report)
    assert all(np.isfinite(list(now.losses.values())).all() and "loss" in now.losses for now in told)
    seen: list[Progress] = []
    fit(pupil(), tmp_path / "parts", iterations=2, report=seen.append, stop=lambda: len(seen) == 1)
    fit(pupil(), tmp_path / "parts", iterations=2, resume=True)
    whole, parts = (
        load_file(list_checkpoints(tmp_path / name / "fit" / "checkpoints")[-1] / "state.safetensors")
        for name in ("whole", "parts")
    )
    assert whole.keys() == parts.keys() and all(torch.equal(whole[key], parts[key]) for key in whole)
