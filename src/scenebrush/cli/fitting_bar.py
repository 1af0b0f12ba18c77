"""The progress bar of `scenebrush fit`: the share done, the loss, the time left, and where the newest picture is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from scenebrush.cli.console import stderr_is_terminal
from scenebrush.cli.training_bar import PACE_SECONDS, TimeLeft

if TYPE_CHECKING:
    from scenebrush.training.fitting import Progress as Fitted


@contextmanager
def fitting_bar() -> Iterator[Callable[[Fitted], None] | None]:
    """Gives what `fit` reports to: a bar where stderr is a terminal, else None."""
    if not stderr_is_terminal():
        yield None
        return
    columns = (BarColumn(), TaskProgressColumn(), TimeLeft(None), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), speed_estimate_period=PACE_SECONDS) as bar:
        task = bar.add_task("preparing", total=1.0)

        def report(now: Fitted) -> None:
            loss = now.losses.get("loss", next(iter(now.losses.values()), 0.0))
            of = "" if now.total is None else f" of {now.total}"
            text = f"iteration {now.iteration}{of}  loss {loss:.4f}  {now.picture}"
            bar.update(task, completed=now.share, description=text)

        yield report
