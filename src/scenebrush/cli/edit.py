"""scenebrush edit."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from scenebrush.cli.console import progress, say, say_json, warn
from scenebrush.cli.edit_flags import FLAGS, edit_of_flag, in_order
from scenebrush.cli.synthesize import set_nearest_class
from scenebrush.editor import DEFAULT_CUTTER, Editor, ModelCutter, beside
from scenebrush.errors import InputError, ModelError
from scenebrush.methods import Adaptable, Adaptation, PhotoSynthesizer, default_model, load_model
from scenebrush.methods import Editor as Model
from scenebrush.scene import MAX_MEGAPIXELS, Edit, LabelSet, Scene
from scenebrush.scene.files import photo_format
from scenebrush.scene.operations.cutting import Cutter
from scenebrush.scene.script import ScriptedEdit, read_script

Repeated = UseAppendAction[tuple[str, ...]]


@dataclass
class Arguments:
    r"""Edit a photograph by its label map. The edits are made in the order in which they are given.

    Beside OUT.png it writes the new label map, OUT.labels.png, and OUT.instances.png where there are instances.
    Outside the edited places every pixel of OUT.png is that of PHOTO; a JPEG is compressed anew as a whole.

    Example: scenebrush edit street.jpg --labels street.png --label-set camvid --erase 240,180 \
        --move 300,200:40,0:1.2 --add car:mask.png@120,260 -o out.png
    """

    photo: Annotated[Positional[Path], arg(metavar="PHOTO")]
    """The photo: JPEG, PNG, WebP or TIFF."""
    labels: Annotated[Path, arg(metavar="MAP")]
    """Its label map: a PNG of the same size whose values are class ids."""
    label_set: Annotated[str, arg(metavar="SET")]
    """The classes: camvid, cityscapes, ade20k, ... or a .json file."""
    out: Annotated[Path, arg(metavar="OUT", aliases=("-o",))]
    """Where to write the picture; without an ending it takes the photo's."""
    instances: Annotated[Path | None, arg(metavar="MAP")] = None
    """Its instance map, where touching objects are to be told apart."""
    model: Annotated[str | None, arg(metavar="MODEL")] = None
    """Name or folder of the model; by default the trained one that knows the label set, else canvas."""
    bank: Annotated[Path | None, arg(metavar="BANK")] = None
    """The memory bank of a model of sims; --seed K then takes the (K + 1)-th best segment of each object."""
    erase: Annotated[Repeated, arg(metavar="X,Y")] = ()
    """Remove the object at this point; what surrounds it goes on behind it."""
    erase_class: Annotated[Repeated, arg(metavar="CLASS")] = ()
    """Remove every object of a class."""
    add: Annotated[Repeated, arg(metavar="CLASS:MASK@X,Y")] = ()
    """Add a class in the shape of a mask (a PNG, white = object), its centre at the point."""
    move: Annotated[Repeated, arg(metavar="X,Y:DX,DY[:SCALE]")] = ()
    """Move the object at this point, and scale it."""
    relabel: Annotated[Repeated, arg(metavar="X,Y:CLASS")] = ()
    """Make the object at this point one of another class."""
    script: Annotated[Repeated, arg(metavar="FILE")] = ()
    """Make the edits of a script, edits.json. Only a script copies objects out of other photos."""
    cutter: Annotated[str, arg(metavar="MODEL")] = DEFAULT_CUTTER
    """Name or folder of the model of seigan that cuts out what a script copies from a box of another photo."""
    redraw: Annotated[bool, FlagCreatePairsOff] = False
    """Let the model draw moved objects instead of carrying their own pixels."""
    nearest_class: Annotated[bool, FlagCreatePairsOff] = False
    """Models of scenebrush fit: draw a class that their photo lacks as the nearest class it has."""
    adapt: Annotated[float | None, arg(metavar="SECONDS")] = None
    """Let the model learn from this very photo first, for so long and some seconds of preparation; kept only if
    held-out holes get better."""
    seed: Annotated[int, arg(metavar="N")] = 0
    """The same seed gives the same picture."""
    max_megapixels: Annotated[float, arg(metavar="N")] = MAX_MEGAPIXELS
    """The largest picture to open."""
    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print JSON for a program to read."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Opens, edits, renders, writes, and says what was written."""
    started = time.perf_counter()
    out = output_path(arguments)
    scene = Scene.open(
        arguments.photo,
        arguments.labels,
        arguments.label_set,
        arguments.instances,
        max_megapixels=arguments.max_megapixels,
    )
    edits = edits_in_order(arguments, argv, scene.layout.label_set, ModelCutter(arguments.cutter))
    refuse_overwriting(out, [file for edit in edits for file in edit.files])
    name = arguments.model or default_model(scene.layout.label_set, adapting=arguments.adapt is not None)
    model = load_model(name, bank=arguments.bank)
    set_nearest_class(model, arguments.nearest_class)
    editor = Editor(scene, model, redraw=arguments.redraw, seed=arguments.seed)
    for edit in edits:
        editor.apply(edit)
    adaptation = None
    if arguments.adapt is not None:
        adaptation = adapted(model, scene, editor.plans, arguments)
        editor.model = adaptation.model
    if isinstance(model, PhotoSynthesizer):
        for note in dict.fromkeys(note for plan in editor.plans for note in model.notes(plan.layout)):
            warn(note)
    with progress("editing") as report:
        editor.render(lambda done, total: report(done / total))
    written = [str(path) for path in editor.save(out)]
    seconds = round(time.perf_counter() - started, 2)
    if arguments.json:
        learned = _adaptation_facts(adaptation) if adaptation is not None else None
        facts = {"model": model.name, "edits": len(edits), "seconds": seconds, "adaptation": learned}
        say_json({"written": written, **facts})
        return
    if adaptation is not None:
        say(_adaptation_line(adaptation))
    say(f"{len(edits)} edit{'s' if len(edits) > 1 else ''} by {model.name} in {seconds} s: {', '.join(written)}")


def output_path(arguments: Arguments) -> Path:
    """Returns where the picture goes, with an ending; refuses what cannot be, or would overwrite an input."""
    if arguments.out.is_dir():
        raise InputError(f"{arguments.out} is a folder; name the picture, for instance {arguments.out / 'out.png'}")
    out = arguments.out if arguments.out.suffix else arguments.out.with_suffix(arguments.photo.suffix)
    photo_format(out)
    if not out.parent.is_dir():
        raise InputError(f"{out} cannot be written: the folder {out.parent} does not exist; make it")
    if not os.access(out.parent, os.W_OK):
        raise InputError(f"{out} cannot be written: the folder {out.parent} is read-only; choose another place")
    refuse_overwriting(out, [path for path in (arguments.photo, arguments.labels, arguments.instances) if path])
    return out


def refuse_overwriting(out: Path, inputs: Sequence[Path]) -> None:
    """Raises `InputError` where the picture, or a map beside it, would take the place of what is read."""
    for written in (out, beside(out, "labels"), beside(out, "instances")):
        if written.resolve() in [path.resolve() for path in inputs]:
            raise InputError(f"{written} would be overwritten, but is read; give -o another name")


def edits_in_order(
    arguments: Arguments, argv: Sequence[str], label_set: LabelSet, cutter: Cutter
) -> list[ScriptedEdit]:
    """Returns all edits asked for, those of scripts too, in the order of the command line."""
    values = {flag: getattr(arguments, flag[2:].replace("-", "_")) for flag in [*FLAGS, "--script"]}
    edits: list[ScriptedEdit] = []
    for flag, value in in_order(argv, values):
        if flag == "--script":
            edits += read_script(value, label_set, cutter=cutter, max_megapixels=arguments.max_megapixels)
        else:
            edits.append(edit_of_flag(flag, value, label_set, max_megapixels=arguments.max_megapixels))
    if not edits and arguments.script:
        example = '{"edits": [{"op": "erase", "at": [x, y]}]}'
        raise InputError(f"{arguments.script[0]} holds no edits; write for instance {example}")
    if not edits:
        raise InputError(f"there is nothing to edit; give one of {', '.join(values)}")
    return edits


def adapted(model: Model, scene: Scene, edits: Sequence[Edit], arguments: Arguments) -> Adaptation:
    """Returns what came of learning from the photo for these edits: the model to go on with, and the figures."""
    assert arguments.adapt is not None
    if not isinstance(model, Adaptable):
        raise ModelError(f"model {model.name!r} cannot learn from a photo; leave out --adapt, or name another model")
    if arguments.adapt <= 0:
        raise InputError(f"--adapt {arguments.adapt:g} is no time to learn in; give seconds, for instance 30")
    with progress("adapting") as report:
        return model.adapt(scene, edits, seconds=arguments.adapt, seed=arguments.seed, report=report)


def _adaptation_line(found: Adaptation) -> str:
    if not found.kept and not found.steps:
        return "adapting: the time was up before anything was learned; give --adapt more seconds"
    measure = f" ({found.measure})" if found.measure else ""
    return (
        f"adapting: error in held-out holes{measure} {found.before:.4f} -> {found.after:.4f},"
        f" {'kept' if found.kept else 'not kept'}: better by {found.before - found.after:.4f}, where more than"
        f" {found.margin:.4f} counts"
    )


def _adaptation_facts(found: Adaptation) -> dict[str, float | bool | str]:
    return {name: getattr(found, name) for name in ("before", "after", "margin", "kept", "measure")}
