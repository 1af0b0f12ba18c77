"""The command line: one file per verb, found here by name."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from scenebrush import __version__
from scenebrush.cli.parsing import parse
from scenebrush.errors import InputError, ScenebrushError, nearest_name

VERBS = {
    "demo": "add, move and erase on a real photograph; before/after pictures",
    "edit": "edit a photograph by its label map",
    "segment": "make a label map for a photograph that has none",
    "compose": "cut an object out of one photo and paste it into another",
    "synthesize": "make whole pictures from one label map",
    "fit": "learn one photo and its label map, to draw it in other layouts",
    "models": "list the models that are here",
    "train": "train a model from a recipe",
    "convert": "turn the authors' released checkpoints into model folders",
    "evaluate": "measure a model on a task",
    "compare": "measure several models on the same pictures",
    "data convert": "turn Cityscapes, ADE20K, COCO-Stuff, CamVid, NYUv2 or CelebAMask-HQ into a scene folder",
    "data check": "find every bad file of a scene folder",
    "data stats": "count the classes and objects of a scene folder",
    "bank build": "cut the photos of a scene folder into segments, and keep them in a memory bank",
    "bank query": "find the segments of a memory bank that fit a label map",
    "bank stats": "count what a memory bank holds",
}
"""Verb -> what it does, in one line. `"data check"` is `data_check.py`, with `Arguments` and `run(arguments, argv)`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb; returns 0, or 2 after one line on stderr that says what is wrong and how to mend it."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(argv)
    except ScenebrushError as error:
        message = " ".join(str(error).split())
    except BrokenPipeError:  # whoever read our output, `head` say, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    print(f"error: {message}", file=sys.stderr)
    return 2


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if argv[0] in ("-V", "--version"):
        print(f"scenebrush {__version__}")
        return 0
    verb, rest = split_verb(argv)
    if rest is None:
        print(overview(prefix=verb))
        return 0
    module = import_module(f"scenebrush.cli.{verb.replace(' ', '_')}")
    arguments = parse(module.Arguments, verb, rest)
    if arguments is not None:
        module.run(arguments, rest)
    return 0


def split_verb(argv: list[str]) -> tuple[str, list[str] | None]:
    """Returns the verb and what follows it; `("data", None)` where help is asked of a group of verbs."""
    if argv[0] in VERBS:
        return argv[0], argv[1:]
    group = {verb.split()[1]: verb for verb in VERBS if verb.startswith(argv[0] + " ")}
    if not group:
        names = list(dict.fromkeys(verb.split()[0] for verb in VERBS))
        raise InputError(f"unknown verb {argv[0]!r}{nearest_name(argv[0], names)}; scenebrush has {', '.join(names)}")
    if len(argv) == 1 or argv[1] in ("-h", "--help"):
        return argv[0], None
    if argv[1] not in group:
        raise InputError(
            f"unknown verb {' '.join(argv[:2])!r}{nearest_name(argv[1], group)}; {argv[0]} has {', '.join(group)}"
        )
    return group[argv[1]], argv[2:]


def overview(prefix: str = "") -> str:
    """Returns the help page of all verbs, or of those that begin with `prefix`."""
    lines = [f"  scenebrush {verb:<12} {text}" for verb, text in VERBS.items() if verb.startswith(prefix)]
    return "\n".join(
        ["scenebrush edits photographs by what things are.", "", *lines, "", "scenebrush VERB --help tells more."]
    )
