"""scenebrush fit."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from tyro.conf import FlagCreatePairsOff, Positional, arg

from scenebrush.cli.console import say, say_json, table
from scenebrush.cli.train import seconds
from scenebrush.errors import InputError
from scenebrush.methods.semia.layout_files import FoundLayout, is_edges, read_source_layout
from scenebrush.methods.semia.source import LARGEST_SIDE, LEAST_SIDE, Source, photo_at_most
from scenebrush.scene import MAX_MEGAPIXELS, LabelSet, Layout, read_instance_map, read_photo

if TYPE_CHECKING:
    from scenebrush.methods.semia.config import SemiaConfig
    from scenebrush.training.fitting import Outcome

DEFAULT_BUDGET = "10m"


@dataclass
class Arguments:
    r"""Learn ONE photo and its label map, to draw it in other layouts with scenebrush synthesize and edit.

    MODEL can be used while the fit runs. Every half minute it gets a new picture, MODEL/fit/latest.png. Ctrl-C stops
    the fit with what it has; the same command with --resume goes on.

    Example: scenebrush fit lake.jpg --labels lake.png --label-set lakeside --time-budget 10m -o lake-fit
    """

    photo: Annotated[Positional[Path], arg(metavar="PHOTO")]
    """The photo: JPEG, PNG, WebP or TIFF."""
    labels: Annotated[str, arg(metavar="MAP")]
    """Its label map (with --label-set), a drawing whose colours are the classes, a black and white drawing of lines, or
    the word edges: lines are found in the photo."""
    out: Annotated[Path, arg(metavar="MODEL", aliases=("-o",))]
    """The model folder to make."""
    label_set: Annotated[str | None, arg(metavar="SET")] = None
    """The classes of a map of ids: camvid, cityscapes, ade20k, ... or a .json file, such as a fit's classes.json."""
    instances: Annotated[Path | None, arg(metavar="MAP")] = None
    """Its instance map, where touching objects are to be told apart."""
    time_budget: Annotated[str | None, arg(metavar="TIME")] = None
    """How long to learn, in all calls together, for instance 90s, 10m or 2h; 10m by default. With --iterations it
    is how long this call may last."""
    iterations: Annotated[int | None, arg(metavar="N")] = None
    """Learn by number of iterations instead of time: the same on every machine of a kind. The paper's are 2500."""
    resume: Annotated[bool, FlagCreatePairsOff] = False
    """Go on with the fit that MODEL holds; with more time or iterations also with one that is finished."""
    size: Annotated[int | None, arg(metavar="N")] = None
    """The photo is learned with its longer side of N pixels at most; 640 by default."""
    paper: Annotated[bool, FlagCreatePairsOff] = False
    """The networks and training of the paper, which want days, instead of ours."""
    seed: Annotated[int, arg(metavar="N")] = 0
    """The same seed and number of iterations give the same model."""
    threads: Annotated[int | None, arg(metavar="N")] = None
    """How many processor cores to use; all by default."""
    max_megapixels: Annotated[float, arg(metavar="N")] = MAX_MEGAPIXELS
    """The largest photo or map to open."""
    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print JSON for a program to read."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Reads, learns, with a bar that tells loss and time left, and says where the model is."""
    began = time.monotonic()
    check_numbers(arguments)
    budget = time_allowed(arguments)
    source = read_source(arguments)
    source.check_learnable()

    # torch comes in only here, after what is to be learned is known to be sound.
    import torch

    from scenebrush.cli.fitting_bar import fitting_bar
    from scenebrush.cli.stopping import stopping
    from scenebrush.methods.semia import pupil as pupils
    from scenebrush.methods.semia.config import SemiaConfig
    from scenebrush.training.fitting import check_folder, fit

    check_folder(arguments.out, resume=arguments.resume)
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    if source.kind == "drawing" and not arguments.json:
        say(classes_table(source))
        say(f"the classes are in {arguments.out / 'classes.json'}, where they can be renamed")
    config = SemiaConfig(kind="paper" if arguments.paper else "compact")
    with stopping() as stop, fitting_bar() as report:
        outcome = fit(
            pupils.build_pupil(source, config, seed=arguments.seed),
            arguments.out,
            seconds=budget,
            iterations=arguments.iterations,
            resume=arguments.resume,
            prepared=time.monotonic() - began,
            identity=identity(source, config, arguments.seed),
            report=report,
            stop=stop,
        )
    tell(outcome, source, as_json=arguments.json)


def check_numbers(arguments: Arguments) -> None:
    """Raises `InputError` for a number that will not do."""
    if arguments.iterations is not None and arguments.iterations < 1:
        raise InputError(f"--iterations {arguments.iterations} teaches nothing; give 1 or more")
    if arguments.size is not None and arguments.size < LEAST_SIDE:
        raise InputError(f"--size {arguments.size} is too small to learn from; give {LEAST_SIDE} or more")
    if arguments.threads is not None and arguments.threads < 1:
        raise InputError(f"--threads {arguments.threads} is no number of cores; give 1 or more")
    if arguments.seed < 0:
        raise InputError(f"seed {arguments.seed} will not do; give 0 or more")


def time_allowed(arguments: Arguments) -> float | None:
    """Returns the seconds that the fit may take; None where iterations alone are counted."""
    if arguments.time_budget is not None:
        return seconds(arguments.time_budget)
    return None if arguments.iterations is not None else seconds(DEFAULT_BUDGET)


def read_source(arguments: Arguments) -> Source:
    """Returns the photo with its layout, as it is to be learned."""
    limit = arguments.max_megapixels
    photo = read_photo(arguments.photo, max_megapixels=limit).pixels
    largest = arguments.size or LARGEST_SIDE
    label_set = None if arguments.label_set is None else LabelSet.load(arguments.label_set)
    if is_edges(arguments.labels):
        photo = photo_at_most(photo, largest)  # first, so that lines are as thin as they are learned
    found = read_source_layout(arguments.labels, photo, label_set, max_megapixels=limit)
    if found.layout.shape != photo.shape[:2]:
        raise InputError(
            f"{arguments.photo} is {photo.shape[1]}x{photo.shape[0]} but {arguments.labels} is"
            f" {found.layout.shape[1]}x{found.layout.shape[0]}; scale the map with nearest neighbour"
        )
    layout = with_instances(found, arguments)
    return Source(photo, layout, found.kind).at_most(largest)


def with_instances(found: FoundLayout, arguments: Arguments) -> Layout:
    """Returns the layout with the instance map that was given, if one was; lines have no objects to number."""
    if arguments.instances is None:
        return found.layout
    if found.kind == "edges":
        raise InputError(f"--instances {arguments.instances}: lines have no objects to tell apart; leave it out")
    labels, label_set = found.layout.label_map, found.layout.label_set
    instances = read_instance_map(arguments.instances, labels, label_set, max_megapixels=arguments.max_megapixels)
    return Layout(labels, label_set, instances)


def identity(source: Source, config: SemiaConfig, seed: int) -> dict[str, Any]:
    """Returns what has to be the same in all calls of one fit."""
    layout = source.layout
    maps = {"label map": layout.label_map, "instance map": layout.instance_map}
    hashes = {name: None if plane is None else _hash(plane) for name, plane in maps.items()}
    settings = {f"setting {name}": value for name, value in dataclasses.asdict(config).items()}
    return {"photo": _hash(source.photo), **hashes, "class ids": list(layout.label_set.ids), "seed": seed, **settings}


def _hash(array: np.ndarray) -> str:
    """Returns for instance `"256x170 #1f0c52ab"`."""
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    return f"{array.shape[1]}x{array.shape[0]} #{digest[:8]}"


def classes_table(source: Source) -> str:
    """Returns the classes of a drawing, a line each: colour, share of the picture and name."""
    rows = [
        ["#{:02x}{:02x}{:02x}".format(*c.color), f"{100 * _share(source, c.id):.1f}%", c.name]
        for c in source.layout.label_set.classes
    ]
    return table(("colour", "share", "name"), rows)


def _share(source: Source, class_id: int) -> float:
    return float(np.mean(source.layout.label_map == class_id))


def tell(outcome: Outcome, source: Source, *, as_json: bool) -> None:
    """Says how far the fit is, where the model is, and how to go on."""
    now, finished = outcome.progress, outcome.ending == "finished"
    if as_json:
        classes = [
            {
                "id": c.id,
                "name": c.name,
                "color": list(c.color),
                "share": round(_share(source, c.id), 4),
            }
            for c in source.layout.label_set.classes
            if c.id in source.class_ids
        ]
        done = {"iterations": now.iteration, "seconds": round(now.seconds, 1), "share": round(now.share, 4)}
        size = [source.shape[1], source.shape[0]]
        facts = {"ending": outcome.ending, "losses": dict(now.losses), "kind": source.kind, "size": size}
        say_json({"model": str(outcome.model), **done, **facts, "picture": str(now.picture), "classes": classes})
        return
    of = "" if now.total is None else f" of {now.total}"
    more = "" if finished else "; go on with the same command and --resume"
    say(
        f"{now.iteration}{of} iterations in {now.seconds:.0f} s: the model is {outcome.model}, its newest picture"
        f" {now.picture}{more}"
    )
