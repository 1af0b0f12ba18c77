"""Fitting one photo: what lies in the folder, stopping, killing, going on, NaN, schedules."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from scenebrush.errors import InputError, TrainingError
from scenebrush.methods import load_synthesizer
from scenebrush.training import fitting
from scenebrush.training.checkpoint import list_checkpoints
from scenebrush.training.fitting import Progress, check_folder, fit
from tests.methods.semia.tiny import TinyPupil, land, tiny_source

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import sys
from pathlib import Path
from scenebrush.training.fitting import fit
from tests.methods.semia.tiny import TinyPupil, tiny_source

def report(now):
    print(now.iteration, flush=True)

fit(TinyPupil(tiny_source()), Path(sys.argv[1]), iterations=8, picture_every=0.0, report=report)
"""


class Counter:
    """A pupil of one number, which the iterations change; it says what it is told."""

    def __init__(self, total: int | None = None, *, nan_at: int = -1, spoil_at: int = -1) -> None:
        self.total = total
        self.value = torch.zeros(1)
        self.shares: list[float] = []
        self.exports: list[dict[str, Any]] = []
        self.nan_at, self.spoil_at = nan_at, spoil_at
        self.between: Callable[[], None] = lambda: None

    def iterate(self, iteration: int, share: float) -> Mapping[str, float]:
        self.between()
        self.shares.append(share)
        self.value = self.value + 1 if iteration != self.spoil_at else self.value * torch.nan
        return {"loss": float("nan") if iteration == self.nan_at else 1.0}

    def picture(self) -> np.ndarray:
        return np.zeros((8, 8, 3), np.uint8)

    def state_dict(self) -> dict[str, Tensor]:
        return {"value": self.value}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.value = state["value"]

    def export(self, folder: Path, facts: Mapping[str, Any]) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text("{}")
        self.exports.append(dict(facts))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock for the loop that stands still until it is set."""
    held = SimpleNamespace(now=100.0)
    monkeypatch.setattr(fitting, "time", SimpleNamespace(monotonic=lambda: held.now))
    return held


def final_state(folder: Path) -> dict[str, Tensor]:
    return load_file(list_checkpoints(folder / "fit" / "checkpoints")[-1] / "state.safetensors")


def lines(folder: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (folder / "fit" / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in found]


def assert_equal_fits(one: Path, two: Path) -> None:
    a, b = final_state(one), final_state(two)
    assert a.keys() == b.keys()
    assert not [key for key in a if not torch.equal(a[key], b[key])]
    assert (one / "model.safetensors").read_bytes() == (two / "model.safetensors").read_bytes()
    assert lines(one) == lines(two)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit that nobody stopped."""
    folder = tmp_path_factory.mktemp("fits") / "whole"
    outcome = fit(TinyPupil(tiny_source()), folder, iterations=8)
    assert (outcome.ending, outcome.progress.iteration, outcome.progress.share) == ("finished", 8, 1.0)
    return folder


def test_a_model_folder_holds_the_fit(whole: Path) -> None:
    assert {path.name for path in whole.iterdir()} == {
        *("config.json", "model.safetensors", "README.md", "photo.png", "labels.png", "classes.json", "fit")
    }
    work = whole / "fit"
    assert {path.name for path in work.iterdir()} == {"checkpoints", "metrics.jsonl", "pictures", "latest.png"}
    assert sorted(path.name for path in (work / "pictures").iterdir()) == ["000.png", "001.png"]
    assert (work / "latest.png").read_bytes() == (work / "pictures" / "001.png").read_bytes()
    assert [line["step"] for line in lines(whole)] == list(range(1, 9))
    assert json.loads((whole / "config.json").read_text())["training"]["iterations"] == 8


def test_the_pupil_learned_and_the_model_draws(whole: Path) -> None:
    assert lines(whole)[-1]["loss"] < lines(whole)[0]["loss"]
    assert load_synthesizer(whole).synthesize(land(horizon=0.3)).shape == (72, 88, 3)


def test_a_killed_fit_goes_on_bit_equal(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    words = [sys.executable, "-c", CHILD, str(folder)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "5":
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert 4 <= int(list_checkpoints(folder / "fit" / "checkpoints")[-1].name.removeprefix("step-")) < 8
    load_synthesizer(folder).synthesize(land())  # what a kill left can be used
    outcome = fit(TinyPupil(tiny_source()), folder, iterations=8, resume=True)
    assert outcome.ending == "finished"
    assert_equal_fits(folder, whole)


def test_a_stopped_fit_goes_on_bit_equal(whole: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    pupil = TinyPupil(tiny_source())
    outcome = fit(pupil, tmp_path / "m", iterations=8, stop=lambda: len(told) == 3, report=told.append)
    assert (outcome.ending, outcome.progress.iteration) == ("stopped", 3)
    assert json.loads((tmp_path / "m" / "config.json").read_text())["training"]["iterations"] == 3
    assert fit(TinyPupil(tiny_source()), tmp_path / "m", iterations=8, resume=True).progress.iteration == 8
    assert_equal_fits(tmp_path / "m", whole)


def test_going_on_with_a_finished_fit_changes_nothing(tmp_path: Path) -> None:
    fit(Counter(), tmp_path / "m", iterations=3)
    pupil = Counter()
    outcome = fit(pupil, tmp_path / "m", iterations=3, resume=True)
    assert outcome.ending == "finished" and not pupil.shares and not pupil.exports
    assert list_checkpoints(tmp_path / "m" / "fit" / "checkpoints")[-1].name == "step-0000003"


def test_a_finished_fit_goes_on_when_more_is_asked_for(tmp_path: Path) -> None:
    fit(Counter(), tmp_path / "m", iterations=2)
    pupil = Counter()
    assert fit(pupil, tmp_path / "m", iterations=4, resume=True).progress.iteration == 4
    assert pupil.shares == [0.5, 0.75] and float(pupil.value) == 4


def test_the_model_is_there_from_the_start_on(tmp_path: Path) -> None:
    def report(now: Progress) -> None:
        assert load_synthesizer(tmp_path / "m").synthesize(land()).shape == (72, 88, 3)
        assert now.picture.is_file()

    fit(TinyPupil(tiny_source()), tmp_path / "m", iterations=1, report=report)


def test_iterations_are_the_schedule_and_a_pupil_may_have_its_own(tmp_path: Path) -> None:
    pupil = Counter(total=5)
    assert fit(pupil, tmp_path / "own").progress.total == 5
    assert pupil.shares == [0.0, 0.2, 0.4, 0.6, 0.8]
    pupil = Counter(total=5)
    fit(pupil, tmp_path / "two", iterations=2)
    assert pupil.shares == [0.0, 0.5]


def test_no_schedule_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give it seconds, or a number of iterations"):
        fit(Counter(), tmp_path / "m")


def test_time_is_the_schedule_in_all_calls_together(clock: SimpleNamespace, tmp_path: Path) -> None:
    def three_seconds() -> None:
        clock.now += 3

    pupil = Counter(total=5)  # its own number does not count where the time does
    pupil.between = three_seconds
    stops = iter([False, False, True])
    outcome = fit(pupil, tmp_path / "m", seconds=15, prepared=1.5, stop=lambda: next(stops))
    assert outcome.ending == "stopped" and outcome.progress.total is None
    assert pupil.shares == pytest.approx([0.1, 0.3]) and outcome.progress.seconds == pytest.approx(7.5)
    clock.now += 1000  # between two calls no time is spent
    outcome = fit(pupil, tmp_path / "m", seconds=15, resume=True)
    assert outcome.ending == "finished"
    assert pupil.shares[2:] == pytest.approx([0.5, 0.7, 0.9]) and outcome.progress.seconds == pytest.approx(16.5)
    assert fit(pupil, tmp_path / "m", seconds=15, resume=True).progress.iteration == 5


def test_the_last_writing_is_within_the_time(clock: SimpleNamespace, tmp_path: Path) -> None:
    class Slow(Counter):
        def picture(self) -> np.ndarray:
            clock.now += 4
            return super().picture()

    def one_second() -> None:
        clock.now += 1

    pupil = Slow()
    pupil.between = one_second
    outcome = fit(pupil, tmp_path / "m", seconds=20)
    assert outcome.progress.seconds == pytest.approx(20) and len(pupil.shares) == 12  # 4 before, 12 of 1, 4 after


def test_a_time_too_short_for_anything_still_learns_once(clock: SimpleNamespace, tmp_path: Path) -> None:
    pupil = Counter()
    assert fit(pupil, tmp_path / "m", seconds=2, prepared=60).ending == "finished"
    assert len(pupil.shares) == 1 and pupil.shares[0] < 1


def test_time_ends_a_call_where_iterations_are_the_schedule(clock: SimpleNamespace, tmp_path: Path) -> None:
    def two_seconds() -> None:
        clock.now += 2

    pupil = Counter()
    pupil.between = two_seconds
    outcome = fit(pupil, tmp_path / "m", seconds=5, iterations=8)
    assert (outcome.ending, outcome.progress.iteration) == ("out of time", 3)
    outcome = fit(pupil, tmp_path / "m", seconds=5, iterations=8, resume=True)
    assert (outcome.ending, outcome.progress.iteration) == ("out of time", 6)
    assert pupil.shares == [number / 8 for number in range(6)]


def test_pictures_come_as_often_as_asked(clock: SimpleNamespace, tmp_path: Path) -> None:
    def seven_seconds() -> None:
        clock.now += 7

    pupil = Counter()
    pupil.between = seven_seconds
    fit(pupil, tmp_path / "m", iterations=9, picture_every=20)
    assert [facts["iterations"] for facts in pupil.exports] == [0, 3, 6, 9]
    assert len(list((tmp_path / "m" / "fit" / "pictures").iterdir())) == 4


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    told = r"iteration 4: loss is nan; the last good checkpoint is .*step-0000003, and .*another seed"
    with pytest.raises(TrainingError, match=told):
        fit(Counter(nan_at=3), tmp_path / "m", iterations=8, picture_every=0)
    assert float(final_state(tmp_path / "m")["module/pupil/value"]) == 3
    pupil = Counter()
    assert fit(pupil, tmp_path / "m", iterations=8, resume=True).progress.iteration == 8


def test_weights_that_are_no_numbers_are_not_kept(tmp_path: Path) -> None:
    pupil = Counter(spoil_at=1)
    with pytest.raises(TrainingError, match=r"iteration 2: value holds a NaN or infinity; the last .*step-0000001"):
        fit(pupil, tmp_path / "m", iterations=8, picture_every=0)
    assert [facts["iterations"] for facts in pupil.exports] == [0, 1]


def test_where_a_fit_cannot_begin_or_go_on(tmp_path: Path) -> None:
    folder, other, empty = tmp_path / "m", tmp_path / "other", tmp_path / "empty"
    fit(Counter(), folder, iterations=1)
    other.mkdir()
    (other / "thing").write_text("mine")
    empty.mkdir()
    for place, resume, told in (
        (folder, False, "is there already; give --resume to go on with it, or another name"),
        (other, False, "holds something else than a fit"),
        (other, True, "holds something else than a fit"),
        (empty, True, "holds no fit to go on with"),
        (tmp_path / "none", True, "holds no fit to go on with"),
        (other / "thing", False, "is a file"),
    ):
        with pytest.raises(InputError, match=told):
            fit(Counter(), place, iterations=1, resume=resume)
    check_folder(empty, resume=False)
    assert [path.name for path in other.iterdir()] == ["thing"] and not list(empty.iterdir())


def test_a_fit_of_something_else_is_not_gone_on_with(tmp_path: Path) -> None:
    same = {"photo": "88x72 #12", "classes": (0, 1), "seed": 3}
    fit(Counter(), tmp_path / "m", iterations=1, identity=same)
    fit(Counter(), tmp_path / "m", iterations=2, identity=same, resume=True)
    for change in ({"seed": 4}, {"photo": "88x72 #99"}, {"setting kind": "paper"}):
        name = next(iter(change))
        with pytest.raises(InputError, match=f"is a fit with {name} .*; give the same, or another -o"):
            fit(Counter(), tmp_path / "m", iterations=2, identity=same | change, resume=True)
    with pytest.raises(InputError, match="is a fit with seed 3, not None"):
        fit(Counter(), tmp_path / "m", iterations=2, resume=True, identity={k: same[k] for k in ("photo", "classes")})


def test_one_that_was_killed_before_its_first_checkpoint_begins_again(tmp_path: Path) -> None:
    (tmp_path / "m" / "fit").mkdir(parents=True)
    assert fit(Counter(), tmp_path / "m", iterations=2, resume=True).progress.iteration == 2
