"""The progress bar of `scenebrush train`: steps, loss, and the time left."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from scenebrush.cli.console import stderr_is_terminal

if TYPE_CHECKING:
    from scenebrush.training.loop import Report

PACE_SECONDS = 600.0  # the pace is a mean over so long: a step may take many seconds, and stages differ


class TimeLeft(ProgressColumn):
    """The time until the last step at the pace so far, or until the budget is spent, whichever comes first.

    Args:
        budget: seconds from now, or None where the steps alone decide.
        clock: gives the time in seconds.
    """

    max_refresh = 0.5

    def __init__(self, budget: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._deadline = None if budget is None else clock() + budget

    def seconds(self, task: Task) -> float | None:
        """Returns the seconds left, or None as long as nothing is known."""
        steps = task.time_remaining if task.total is not None else None
        budget = None if self._deadline is None else max(0.0, self._deadline - self._clock())
        known = [left for left in (steps, budget) if left is not None]
        return min(known, default=None)

    def render(self, task: Task) -> Text:
        left = self.seconds(task)
        return Text("-:--:--" if left is None else str(timedelta(seconds=int(left))), style="progress.remaining")


@contextmanager
def training_bar(budget: float | None = None) -> Iterator[Report | None]:
    """Gives what `train` reports to: a bar with loss and time left where stderr is a terminal, else None.

    `budget` is the time, in seconds from now, after which the run stops by itself. Only the first of several
    devices draws a bar.
    """
    if not stderr_is_terminal() or os.environ.get("LOCAL_RANK", "0") != "0":
        yield None
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeLeft(budget), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), speed_estimate_period=PACE_SECONDS) as bar:
        task = bar.add_task("preparing", total=None)

        def report(step: int, total: int, losses: Mapping[str, float]) -> None:
            loss = losses.get("loss", next(iter(losses.values()), 0.0))
            bar.update(task, completed=step, total=total, description=f"loss {loss:.4f}")

        yield report
