"""scenebrush evaluate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from scenebrush.cli.console import say, say_json
from scenebrush.cli.measuring_flags import MeasuringFlags, measure


@dataclass(kw_only=True)
class Arguments(MeasuringFlags):
    """Measure one model on one task: report.json, a table, a contact sheet. The last line is the real photos' own.

    Example: scenebrush evaluate --model sesame-street --data camvid --task erase -o report.json
    """

    model: Annotated[str, arg(metavar="M")]
    """The model: a name, a folder, telea, mean, nearest, or onnx:FILE; for segment one that makes label maps."""
    out: Annotated[Path, arg(metavar="REPORT", aliases=("-o",))]
    """The report to write (.json); the contact sheet lies beside it (.png)."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Measures, prints the table, writes report and sheet."""
    out = arguments.out if arguments.out.suffix == ".json" else arguments.out.with_name(arguments.out.name + ".json")
    outcome = measure(arguments, {Path(arguments.model.split(":", 1)[-1]).stem: arguments.model})
    from scenebrush.evaluation.report import report_of, write_report, write_sheet
    from scenebrush.evaluation.tables import table

    named = {row.method: arguments.model for row in outcome.comparison.rows}
    write_report(outcome, out, named)
    write_sheet(outcome, out.with_suffix(".png"), arguments.rows)
    if arguments.json:
        say_json(report_of(outcome, named))
        return
    say(table(outcome.comparison))
    say(f"\n{out} and {out.with_suffix('.png').name}: {outcome.seconds:.0f} s")
