"""scenebrush data convert."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg

from scenebrush.cli.console import say, say_json
from scenebrush.cli.data_flags import DataArguments, counted
from scenebrush.data.convert import ConvertReport, Settings, convert
from scenebrush.errors import InputError


@dataclass(kw_only=True)
class Arguments(DataArguments):
    """Convert a data set as it was unpacked to a scene folder, which training and editing read.

    Knows Cityscapes, ADE20K (scene parsing), COCO-Stuff, CamVid, NYUv2 and CelebAMask-HQ by their folders. A stopped
    conversion goes on where it was; a second one makes again only what has changed. Exits with 2 if a file was bad;
    all others are converted.

    Example: scenebrush data convert ADEChallengeData2016 -o ade20k --workers 4
    """

    source: Annotated[Positional[Path], arg(metavar="SOURCE")]
    """The folder that the data set was unpacked to."""
    out: Annotated[Path, arg(aliases=["-o"], metavar="FOLDER")]
    """The scene folder to write."""
    format: Annotated[str | None, arg(metavar="NAME")] = None
    """Which it is: cityscapes, ade20k, cocostuff, camvid, celebamask or nyuv2. Default: seen from its folders."""
    splits: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = ()
    """Only these splits: train val test. Default: all."""
    first: Annotated[int | None, arg(metavar="N")] = None
    """Only the first N scenes of each split, for a look."""
    workers: Annotated[int, arg(metavar="N")] = 1
    """How many processes convert."""
    photos: Literal["copy", "link"] = "copy"
    """Copy photos byte for byte, or make hard links to the source's files, which take no room."""
    max_side: Annotated[int | None, arg(metavar="N")] = None
    """Scale photos and maps down until the longer side has N pixels. Default: photos stay as they are."""
    unknown_as_void: Annotated[bool, FlagCreatePairsOff] = False
    """Make ids and colours that the data set has not unlabelled, where they would be faults."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Converts, prints every fault of the source, then what was done."""
    settings = Settings(
        link=arguments.photos == "link",
        max_side=arguments.max_side,
        unknown_as_void=arguments.unknown_as_void,
        max_megapixels=arguments.max_megapixels,
    )
    with counted("converting") as report_progress:
        report = convert(
            arguments.source,
            arguments.out,
            format=arguments.format,
            splits=arguments.splits,
            first=arguments.first,
            workers=arguments.workers,
            settings=settings,
            report=report_progress,
        )
    if arguments.json:
        say_json(report.to_json())
    else:
        for line in (*(f"{f.severity}: {f}" for f in report.findings), *_summary(report)):
            say(line)
    if not report.ok:
        raise InputError(f"{report.source}: {len(report.errors)} faults; mend what is listed and run the same again")


def _summary(report: ConvertReport) -> list[str]:
    made = f"{sum(report.made.values())} converted now{_details(report.made - Counter(new=report.made['new']))}"
    lines = [
        f"{report.target}: {sum(report.scenes.values())} scenes ({_list(report.scenes)}) of {report.format},"
        f" label set {report.label_set}; {made}, {report.kept} kept"
    ]
    lines += [f"left out, {why}: {count}" for why, count in report.left_out.items()]
    if report.gone:
        lines.append(f"{report.gone} scenes of an earlier conversion are gone from the source; their files stay")
    return lines


def _details(again: Counter[str]) -> str:
    return f" ({_list(again, ': ')})" if again else ""


def _list(counts: Counter[str], between: str = " ") -> str:
    return ", ".join(f"{n}{between}{name}" for name, n in counts.items()) or "none"
