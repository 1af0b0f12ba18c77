"""The bar of `scenebrush train`: how much time is left."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from scenebrush.cli import training_bar as bars
from scenebrush.cli.training_bar import PACE_SECONDS, TimeLeft, training_bar


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def left(budget: float | None, steps: list[tuple[float, int]], total: int | None) -> list[str]:
    """Returns what the column shows after each (seconds gone by, steps done)."""
    clock = Clock()
    column, shown = TimeLeft(budget, clock), []
    bar = Progress(
        column, console=Console(file=io.StringIO()), get_time=clock, speed_estimate_period=PACE_SECONDS, disable=True
    )
    task = bar.add_task("", total=None)
    for seconds, done in steps:
        clock.now = 100.0 + seconds
        bar.update(task, completed=done, total=total)
        shown.append(column.render(bar.tasks[0]).plain)
    return shown


def test_without_a_budget_the_pace_tells() -> None:
    shown = left(None, [(10, 1), (12, 2), (14, 3)], 100)
    assert shown == ["-:--:--", "0:03:16", "0:03:14"]  # 2 s a step; the first one came after the preparation


def test_a_budget_that_ends_sooner_tells() -> None:
    assert left(60, [(10, 1), (12, 2), (59, 25), (75, 26)], 100) == ["0:00:50", "0:00:48", "0:00:01", "0:00:00"]


def test_a_budget_that_the_steps_do_not_need_tells_nothing() -> None:
    assert left(7200, [(10, 1), (12, 2)], 11)[-1] == "0:00:18"


def test_while_preparing_the_budget_is_all_that_is_known() -> None:
    assert left(None, [(1, 0)], None) == ["-:--:--"]
    assert left(5400, [(1, 0)], None) == ["1:29:59"]


def test_a_resumed_run_does_not_count_the_steps_of_the_run_before() -> None:
    assert left(None, [(10, 901), (12, 902), (14, 903)], 1000)[-1] == "0:03:14"


def test_slow_steps_are_timed_too() -> None:
    assert left(None, [(0, 1), (90, 2), (180, 3)], 5)[-1] == "0:03:00"


def test_no_bar_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    with training_bar(9) as report:
        assert report is None
    monkeypatch.setattr(bars, "stderr_is_terminal", lambda: True)
    monkeypatch.setenv("LOCAL_RANK", "1")
    with training_bar(9) as report:
        assert report is None


def test_the_bar_shows_step_loss_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bars, "stderr_is_terminal", lambda: True)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with training_bar(3661.5) as report:
        assert report is not None
        report(3, 40, {"reconstruction": 7.0, "loss": 0.25})
    out, err = capsys.readouterr()
    assert "3/40" in err and "loss 0.2500" in err and "1:01:0" in err and not out
