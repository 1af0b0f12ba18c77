"""scenebrush compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from scenebrush.cli.console import say, say_json
from scenebrush.cli.measuring_flags import MeasuringFlags, measure
from scenebrush.errors import InputError


@dataclass(kw_only=True)
class Arguments(MeasuringFlags):
    """Measure several models on the very same pictures: one table with intervals, one contact sheet.

    MODEL is a model's name or folder, one of telea, mean, nearest, canvas, or onnx:FILE (an inpainting network with
    MI-GAN's interface); NAME=MODEL names its line, MODEL?guide=off sets a switch of it.

    Example: scenebrush compare sesame-street telea onnx:migan.onnx --data camvid --task erase -o out
    """

    models: Annotated[Positional[tuple[str, ...]], arg(metavar="MODEL...")]
    """What is compared; differences are to the first."""
    out: Annotated[Path, arg(metavar="FOLDER", aliases=("-o",))]
    """Where report.json, table.md and sheet.png go."""
    baseline: Annotated[str | None, arg(metavar="NAME")] = None
    """Whose figures are subtracted, by its name in the table. Without: the first."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Measures, prints the table, writes report, table and sheet."""
    named = names(arguments.models)
    outcome = measure(arguments, named, arguments.baseline)
    from scenebrush.evaluation.report import report_of, write_report, write_sheet
    from scenebrush.evaluation.tables import table

    write_report(outcome, arguments.out / "report.json", named)
    write_sheet(outcome, arguments.out / "sheet.png", arguments.rows)
    text = table(outcome.comparison)
    (arguments.out / "table.md").write_text(text + "\n", encoding="utf-8")
    if arguments.json:
        say_json(report_of(outcome, named))
        return
    say(text)
    say(f"\n{arguments.out}: report.json, table.md, sheet.png; {outcome.seconds:.0f} s")


def names(specs: Sequence[str]) -> dict[str, str]:
    """Returns name in the table -> what it names, of `MODEL` and `NAME=MODEL`."""
    if not specs:
        raise InputError("0 models to compare; name at least one")
    out = dict[str, str]()
    for spec in specs:
        named = "=" in spec.split("?")[0]
        name, given = spec.split("=", 1) if named else (Path(spec.split(":", 1)[-1]).name, spec)
        if name in out:
            raise InputError(f"two models are called {name!r}; give one a name of its own: NAME={given}")
        out[name] = given
    return out
