"""Verbs, help, and how a program sees them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from importlib import import_module

import pytest

from scenebrush import __version__
from scenebrush.cli import VERBS, split_verb
from scenebrush.cli.edit_flags import FLAGS, in_order
from scenebrush.cli.parsing import flags, parse


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb, run):
    outcome = run(*verb.split(), "--help")
    assert outcome.code == 0
    assert f"Example: scenebrush {verb}" in " ".join(outcome.out.split())


@pytest.mark.parametrize("verb", VERBS)
def test_the_example_of_every_help_page_can_be_copied(verb, run):
    page = run(*verb.split(), "--help").out
    example = page[page.index("Example: ") + len("Example: ") :].split("\n\n")[0]
    lines = re.sub(r"\\\n\s*", "", example).splitlines()
    assert len(lines) == 1, f"a shell would take this for {len(lines)} commands: {example}"
    found, rest = split_verb(shlex.split(lines[0])[1:])
    assert found == verb and rest is not None
    assert parse(import_module(f"scenebrush.cli.{verb.replace(' ', '_')}").Arguments, verb, rest) is not None


def test_help_lists_every_verb(run):
    outcome = run("--help")
    assert outcome.code == 0
    assert all(f"scenebrush {verb}" in outcome.out for verb in VERBS)


@pytest.mark.parametrize(
    ("words", "nearest"), [(("edti",), "'edit'"), (("dmeo",), "'demo'"), (("data", "chekc", "x"), "'check'")]
)
def test_a_wrong_verb_gets_the_nearest(words, nearest, run):
    outcome = run(*words)
    assert outcome.code == 2
    assert outcome.err.startswith("error: unknown verb") and f"did you mean {nearest}" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_group_of_verbs_lists_its_own(run):
    outcome = run("data")
    assert outcome.code == 0 and "data check" in outcome.out and "edit " not in outcome.out


def test_what_is_missing_is_named_on_one_line(run):
    outcome = run("edit", "photo.png")
    assert outcome.code == 2
    assert outcome.err.startswith("error: missing --labels, --label-set, --out") and outcome.err.count("\n") == 1


@pytest.mark.parametrize("value", ["x", "1.5", ""])
def test_what_is_no_number_is_named_on_one_line(run, value):
    flags = "photo.png", "--labels", "map.png", "--label-set", "camvid", "-o", "out.png"
    for flag, kind in (("--seed", "whole number"), ("--adapt", "number")):
        if flag == "--seed" or value != "1.5":
            told = f"error: {flag} {value!r} is no {kind}; see scenebrush edit --help\n"
            assert run("edit", *flags, flag, value).err == told


def test_version(run):
    assert run("--version").out.strip() == f"scenebrush {__version__}"


def test_models_as_json(run):
    names = [card["name"] for card in json.loads(run("models", "--json").out)]
    assert names[0] == "canvas"


def test_the_installed_command_exits_with_2_and_no_traceback():
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from scenebrush.cli import main; sys.exit(main(['edit', 'nothing.png']))"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr and done.stderr.startswith("error: ")


def test_no_command_line_loads_torch_before_it_is_needed():
    code = "import sys, scenebrush.cli, scenebrush.cli.edit; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120, check=False).returncode == 0


def test_the_order_of_different_flags_is_that_of_the_command_line():
    argv = ["--move", "1,1:2,2", "a.png", "--erase=3,3", "--erase_class", "car", "--erase", "4,4", "--out", "o.png"]
    values = {"--erase": ["3,3", "4,4"], "--move": ["1,1:2,2"], "--erase-class": ["car"]}
    expected = [("--move", "1,1:2,2"), ("--erase", "3,3"), ("--erase-class", "car"), ("--erase", "4,4")]
    assert in_order(argv, values) == expected


def test_every_edit_flag_is_an_argument():
    known = flags(import_module("scenebrush.cli.edit").Arguments)
    assert set(FLAGS) | {"--script"} <= set(known)


def test_words_after_a_verb_are_its_own():
    assert split_verb(["data", "stats", "folder"]) == ("data stats", ["folder"])
