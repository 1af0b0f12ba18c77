"""The loop that fits a model to one photo: watched while it runs, stopped at any time, gone on with later."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from scenebrush.errors import InputError, TrainingError
from scenebrush.scene.files import write_photo
from scenebrush.training.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint
from scenebrush.training.log import MetricsLog

PICTURE_EVERY = 30.0
"""Seconds between two pictures, exports and checkpoints."""

WORK = "fit"
"""The folder within the model folder that a fit works in."""

Ending = Literal["finished", "out of time", "stopped"]


class Pupil(Protocol):
    """What learns one photo; `methods.semia.pupil.Pupil` says what each of these promises."""

    @property
    def total(self) -> int | None: ...

    def iterate(self, iteration: int, share: float) -> Mapping[str, float]: ...

    def picture(self) -> np.ndarray: ...

    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> object: ...

    def export(self, folder: Path, facts: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True)
class Progress:
    """How far a fit is.

    Args:
        iteration: iterations done, in all calls together.
        total: of all; None where the time decides.
        share: of the schedule that is over, 0 to 1.
        seconds: spent, in all calls together.
        losses: of the last iteration; `"loss"` is the one to show.
        picture: the newest sheet.
    """

    iteration: int
    total: int | None
    share: float
    seconds: float
    losses: Mapping[str, float]
    picture: Path


@dataclass(frozen=True)
class Outcome:
    """How a fit ended: how far it is, why, and where the model is; it can be gone on with unless it is finished."""

    progress: Progress
    ending: Ending
    model: Path


def fit(
    pupil: Pupil,
    folder: Path,
    *,
    seconds: float | None = None,
    iterations: int | None = None,
    resume: bool = False,
    picture_every: float = PICTURE_EVERY,
    prepared: float = 0.0,
    identity: Mapping[str, Any] | None = None,
    report: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Outcome:
    """Lets a pupil learn into a model folder, which can be used while the fit goes on, and after a kill.

    In `folder/fit` lie `metrics.jsonl`, `pictures/`, `latest.png` and `checkpoints/`. Before the first iteration,
    every `picture_every` seconds and in the end the model, a picture and a checkpoint are written, each whole or not
    at all.

    Args:
        pupil: what learns.
        folder: the model folder.
        seconds: the time that all calls together take, and the schedule: its share is that of the time spent. So the
            result depends on the machine. The last writing is within the time, the last iteration may not be.
        iterations: the schedule by number instead: on one CPU a fit that was stopped or killed, and gone on with, ends
            bit-equal to one that was not. `seconds` then ends this call only. With neither: the pupil's own number.
        resume: go on from the last checkpoint.
        picture_every: seconds.
        prepared: seconds that were spent on this call before it began; they count.
        identity: what has to be the same in all calls (hashes of what is learned, settings); plain data.
        report: told after every iteration.
        stop: asked after every iteration; True ends the call.

    Raises:
        InputError: a folder that holds something already, or a fit of something else; no schedule at all.
        TrainingError: a NaN (the last good checkpoint is left), or a checkpoint that does not fit.
    """
    began = time.monotonic() - prepared
    schedule = _Schedule.of(pupil, seconds, iterations)
    place = _Place(folder, identity or {})
    kept = place.begin(pupil, resume)
    done, losses = kept.iteration, dict[str, float]()

    def progress() -> Progress:
        spent = kept.seconds + time.monotonic() - began
        return Progress(done, schedule.total, schedule.share(done, spent), spent, losses, place.latest)

    if done == 0:
        place.show(pupil, progress())  # something to look at, and a model, from the start on
    log = MetricsLog(place.work, done)
    written, last = time.monotonic(), done  # when and after which iteration
    while True:
        now = progress()
        ending = schedule.ending(now, since=kept, writing=place.writing)
        if ending is None and stop is not None and stop():
            ending = "stopped"
        if ending is not None:
            break
        losses = dict(pupil.iterate(done, min(now.share, _BELOW_ONE)))
        done += 1
        place.check(losses, done)
        now = progress()
        log.write({"step": done, "seconds": round(now.seconds, 1), **losses})
        if report is not None:
            report(now)
        if time.monotonic() - written >= picture_every:
            place.keep(pupil, now)
            written, last = time.monotonic(), done
    if done > last:
        place.keep(pupil, progress())
    return Outcome(progress(), ending, folder)


_BELOW_ONE = math.nextafter(1.0, 0.0)


class _Kept(NamedTuple):
    """What lay in a checkpoint: iterations and seconds of the calls before."""

    iteration: int
    seconds: float


class _Schedule(NamedTuple):
    """What decides how far a fit is: a number of iterations, or else the time of all calls together."""

    total: int | None
    seconds: float | None

    @classmethod
    def of(cls, pupil: Pupil, seconds: float | None, iterations: int | None) -> Self:
        total = pupil.total if iterations is None and seconds is None else iterations
        if total is None and seconds is None:
            raise InputError("this fit has no schedule of its own; give it seconds, or a number of iterations")
        return cls(total, seconds)

    def share(self, iteration: int, spent: float) -> float:
        """Returns the share that is over, 0 to 1."""
        if self.total is not None:
            return min(1.0, iteration / max(self.total, 1))
        return min(1.0, spent / max(self.seconds or 0.0, 1e-9))

    def ending(self, now: Progress, *, since: _Kept, writing: float) -> Ending | None:
        """Returns why a fit ends now, if it does; `writing` is the seconds that the last writing will take.

        What has learned nothing yet makes one iteration at least, however short its time.
        """
        if self.total is None:
            over = self.seconds is not None and now.seconds + writing >= self.seconds
            return "finished" if over and now.iteration > 0 else None
        if now.iteration >= self.total:
            return "finished"
        over = self.seconds is not None and now.seconds - since.seconds + writing >= self.seconds
        return "out of time" if over and now.iteration > since.iteration else None


class _Place:
    """The model folder and the fit's own folder in it."""

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder, self.work = folder, folder / WORK
        self.latest = self.work / "latest.png"
        self.writing = 0.0
        self._checkpoints = self.work / "checkpoints"
        self._identity = json.loads(json.dumps(dict(identity)))

    def begin(self, pupil: Pupil, resume: bool) -> _Kept:
        """Makes the folders, or fills the pupil from the last checkpoint; returns what was done before."""
        check_folder(self.folder, resume=resume)
        (self.work / "pictures").mkdir(parents=True, exist_ok=True)
        checkpoints = list_checkpoints(self._checkpoints)
        if not checkpoints:
            return _Kept(0, 0.0)
        self._check_identity(checkpoints[-1])
        facts = load_checkpoint(checkpoints[-1], {"pupil": pupil}, {})
        self.writing = float(facts["writing"])
        return _Kept(int(facts["step"]), float(facts["seconds"]))

    def check(self, losses: Mapping[str, float], iteration: int) -> None:
        """Raises `TrainingError` for a loss that is no number."""
        for name, value in losses.items():
            if not math.isfinite(value):
                raise TrainingError(f"iteration {iteration}: {name} is {value}; {self._last_good()}")

    def keep(self, pupil: Pupil, now: Progress) -> None:
        """Writes a checkpoint, the model and a picture; weights that are no numbers raise `TrainingError`."""
        began = time.monotonic()
        for name, value in pupil.state_dict().items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise TrainingError(f"iteration {now.iteration}: {name} holds a NaN or infinity; {self._last_good()}")
        facts = {"seconds": now.seconds, "writing": self.writing, "identity": self._identity}
        save_checkpoint(self._checkpoints, now.iteration, {"pupil": pupil}, {}, facts)
        self.show(pupil, now)
        self.writing = time.monotonic() - began

    def show(self, pupil: Pupil, now: Progress) -> None:
        """Writes the model and a picture."""
        began = time.monotonic()
        pupil.export(self.folder, {"iterations": now.iteration, "seconds": round(now.seconds)})
        sheet = pupil.picture()
        number = 1 + max((int(path.stem) for path in (self.work / "pictures").glob("[0-9]*.png")), default=-1)
        write_photo(self.work / "pictures" / f"{number:03d}.png", sheet)
        write_photo(self.latest, sheet)
        self.writing = time.monotonic() - began

    def _check_identity(self, checkpoint: Path) -> None:
        there = json.loads((checkpoint / "facts.json").read_text(encoding="utf-8")).get("identity", {})
        for name in (*self._identity, *there):
            old, new = there.get(name), self._identity.get(name)
            if old != new:
                raise InputError(
                    f"{self.folder} is a fit with {name} {old!r}, not {new!r}; give the same, or another -o"
                )

    def _last_good(self) -> str:
        kept = list_checkpoints(self._checkpoints)
        where = f"the last good checkpoint is {kept[-1]}" if kept else "there is no checkpoint yet"
        return f"{where}, and {self.folder} the model of then; begin again with another seed"


def check_folder(folder: Path, *, resume: bool) -> None:
    """Raises `InputError` where a fit can neither begin nor, with `resume`, go on in this folder."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder for the model")
    if not folder.is_dir() or not any(folder.iterdir()):
        if resume:
            raise InputError(f"{folder} holds no fit to go on with; leave out --resume, or give the name of one")
    elif not (folder / WORK).is_dir():
        raise InputError(f"{folder} holds something else than a fit; give another name")
    elif not resume:
        raise InputError(f"{folder} is there already; give --resume to go on with it, or another name")
