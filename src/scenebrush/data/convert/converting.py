"""Converting a data set to a scene folder: in parallel, and going on where it was stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scenebrush.data.check_files import Finding
from scenebrush.data.convert.formats import recognise
from scenebrush.data.convert.journal import Journal, State
from scenebrush.data.convert.protocol import DataSet, Listing, Settings
from scenebrush.data.convert.scene_files import Job, Outcome, source_stamps
from scenebrush.data.convert.workers import run_jobs
from scenebrush.errors import InputError, nearest_name
from scenebrush.scene.folder import SceneFolder

Report = Callable[[int, int], None]


@dataclass
class ConvertReport:
    """What a conversion did.

    Args:
        source, target: the folders.
        format: the data set's name.
        label_set: the classes' name.
        scenes: how many scenes of it the target holds now, {split: count}.
        made: how many were converted now, {"new" or why it was made again: count}.
        kept: how many were there already and valid.
        left_out: how many were left out on purpose, {why: count}.
        gone: scenes of an earlier conversion that the source has no more; their files stay.
        findings: what is wrong with source files.
    """

    source: Path
    target: Path
    format: str
    label_set: str
    scenes: Counter[str] = field(default_factory=Counter)
    made: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    gone: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def errors(self) -> list[Finding]:
        """What kept scenes from being converted."""
        return [f for f in self.findings if f.severity == "error"]

    @property
    def ok(self) -> bool:
        """Whether every scene of the source could be converted."""
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        """Returns the report as JSON data."""
        return {
            "source": str(self.source),
            "target": str(self.target),
            "format": self.format,
            "label_set": self.label_set,
            "ok": self.ok,
            "scenes": dict(self.scenes),
            "made": dict(self.made),
            "kept": self.kept,
            "left_out": dict(self.left_out),
            "gone": self.gone,
            "findings": [f.to_json() for f in self.findings],
        }


def convert(
    source: str | Path,
    target: str | Path,
    *,
    format: str | None = None,
    splits: Sequence[str] = (),
    first: int | None = None,
    workers: int = 1,
    settings: Settings | None = None,
    report: Report | None = None,
) -> ConvertReport:
    """Converts a data set to a scene folder; what is there already and valid is kept.

    Args:
        source: the folder that the data set was unpacked to.
        target: the scene folder; made if it is not there.
        format: one of `FORMATS`; None = whichever the source is.
        splits: only these; () = all.
        first: only so many scenes of each split; None = all.
        workers: how many processes (spawned); 1 = none but this one.
        settings: how scenes are converted.
        report: told (scenes done, scenes in all) after each.

    Returns:
        What was done, with a finding for each source file that could not be converted; the others are.

    Raises:
        InputError: there is no such data set or split, or the target is in use or of another origin.
    """
    settings = settings or Settings()
    for name, value in (("workers", workers), ("first", first), ("max_side", settings.max_side)):
        if value is not None and value < 1:
            raise InputError(f"{name} is {value}; give 1 or more")
    data_set = recognise(source, format)
    target, label_set = _separate(data_set.root, Path(target)), data_set.label_set
    listing = _chosen(data_set.listing(), splits, first, data_set)
    result = ConvertReport(data_set.root, target, data_set.format, label_set.name)
    SceneFolder.create(target, label_set)
    with Journal(target, data_set.format) as journal:
        jobs = _jobs(data_set, listing, target, settings, journal)
        result.kept = len(listing.scenes) - len(jobs)
        outcomes = _run(jobs, workers, journal, result, report)
        _sum_up(result, listing, outcomes, journal, whole=not splits and first is None)
    return result


def _jobs(
    data_set: DataSet, listing: Listing, target: Path, settings: Settings, journal: Journal
) -> dict[str, tuple[Job, State]]:
    """The scenes that have to be converted, each with why."""
    jobs: dict[str, tuple[Job, State]] = {}
    for scene in listing.scenes:
        state: State
        try:
            state = journal.state(scene.key, settings.fingerprint, source_stamps(data_set, scene))
        except OSError:
            state = "source changed"  # gone since it was listed, or a broken link: the job will say so
        if state != "done":
            jobs[scene.key] = (Job(data_set, scene, target, settings), state)
    return jobs


def _run(
    jobs: dict[str, tuple[Job, State]], workers: int, journal: Journal, result: ConvertReport, report: Report | None
) -> dict[str, Outcome]:
    """Converts, writes down what was done, and returns the outcomes, {scene: outcome}."""
    outcomes: dict[str, Outcome] = {}
    for outcome in run_jobs([job for job, _ in jobs.values()], workers):
        key = outcome.scene.key
        outcomes[key] = outcome
        if outcome.entry is not None:
            journal.add(outcome.entry)
            result.made[jobs[key][1]] += not outcome.entry.left_out
        if report is not None:
            report(result.kept + len(outcomes), result.kept + len(jobs))
    return outcomes


def _sum_up(
    result: ConvertReport, listing: Listing, outcomes: dict[str, Outcome], journal: Journal, *, whole: bool
) -> None:
    """Counts what the target holds, and puts the findings into the order of the source: workers come as they finish."""
    findings = list(listing.findings)
    for scene in listing.scenes:
        entry, outcome = journal.entries.get(scene.key), outcomes.get(scene.key)
        if entry is not None and entry.left_out:
            result.left_out[entry.left_out] += 1
        elif entry is not None:
            result.scenes[scene.split] += 1
        findings += outcome.findings if outcome is not None else ()
    result.findings = [f.relative_to(result.source) for f in findings]
    result.made = +result.made  # without zeros
    keys = {scene.key for scene in listing.scenes}
    result.gone = len(journal.entries.keys() - keys) if whole else 0


def _chosen(listing: Listing, splits: Sequence[str], first: int | None, data_set: DataSet) -> Listing:
    there = sorted({scene.split for scene in listing.scenes})
    if not there and not listing.findings:
        raise InputError(f"{data_set.root} holds no scene; expected {data_set.expects}")
    for split in splits:
        if split not in there:
            raise InputError(f"{data_set.root} has no split {split!r}{nearest_name(split, there)}; it has {there}")
    chosen = [scene for scene in listing.scenes if not splits or scene.split in splits]
    counts: Counter[str] = Counter()
    scenes = []
    for scene in chosen:
        counts[scene.split] += 1
        if first is None or counts[scene.split] <= first:
            scenes.append(scene)
    return Listing(scenes, listing.findings)


def _separate(source: Path, target: Path) -> Path:
    """The target, which must not be the source or a part of it."""
    inside = target.resolve()
    if inside == source.resolve() or source.resolve() in inside.parents:
        raise InputError(f"{target} lies in the data set {source} itself; choose another folder for the scenes")
    return target
