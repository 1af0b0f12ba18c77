"""What README and docs print runs as printed."""

from __future__ import annotations

import json
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from PIL import Image

from scenebrush.cli import VERBS, main, split_verb
from scenebrush.cli.parsing import parse
from scenebrush.scene import LabelSet
from scenebrush.scene.script import read_script
from tests.methods.synthesizers import house, save_facades_model

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def blocks(page: Path, language: str = "") -> list[str]:
    """Returns the code blocks of a page in one language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    return [text for name, text in fenced if name == language]


def commands(page: Path) -> list[list[str]]:
    """Returns every `scenebrush ...` line of a page's blocks, as words after `scenebrush`."""
    lines = "\n".join(blocks(page)).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("scenebrush ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_parses(page):
    for words in commands(page):
        verb, rest = split_verb(words)
        assert rest is not None
        assert parse(import_module(f"scenebrush.cli.{verb.replace(' ', '_')}").Arguments, verb, rest) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+?)(?:#[\w-]+)?\)", page.read_text(encoding="utf-8")):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_the_readme_names_every_verb_or_the_docs_do():
    text = " ".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert all(f"scenebrush {verb}" in text for verb in VERBS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_recipes_hold_together(page):
    from scenebrush.training.recipe import Recipe

    for text in blocks(page, "yaml"):
        assert Recipe.parse(yaml.safe_load(text), page.name).total_steps > 0


def test_the_quickstart_runs(tmp_path, monkeypatch, capsys):
    page = ROOT / "docs" / "quickstart.md"
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    monkeypatch.chdir(tmp_path / "scenebrush-demo")
    (script,) = blocks(page, "json")
    Path("my-edits.json").write_text(script)
    ran = [words for words in commands(page) if words[0] == "edit"]
    assert len(ran) == 3
    for words in ran:
        assert main(words) == 0, capsys.readouterr().err
    for code in blocks(page, "python"):
        exec(compile(code, str(page), "exec"), {})
    assert Path("without-tree.labels.png").is_file() and Path("three-edits.png").is_file()


def test_the_example_of_interactive_editing_runs(tmp_path, monkeypatch):
    (code,) = blocks(ROOT / "docs" / "methods" / "pix2pixhd.md", "python")
    monkeypatch.chdir(tmp_path)
    Image.fromarray(house()).save("house.png")
    save_facades_model(tmp_path / "runs" / "facades" / "model")
    exec(compile(code, "pix2pixhd.md", "exec"), {})
    assert {"window-0.png", "window-1.png", "house.jpg", "house.labels.png"} <= {p.name for p in tmp_path.iterdir()}


def test_the_formats_page_holds_what_it_says(tmp_path):
    scripts = [text for text in blocks(ROOT / "docs" / "formats.md", "json") if '"edits"' in text]
    sets = [text for text in blocks(ROOT / "docs" / "formats.md", "json") if '"color"' in text]
    assert len(scripts) == len(sets) == 1
    (tmp_path / "classes.json").write_text(sets[0])
    assert LabelSet.load(tmp_path / "classes.json").find("boat").kind == "thing"
    data = json.loads(scripts[0])
    data["edits"] = [entry for entry in data["edits"] if not entry.keys() & {"mask", "from"}]  # no files are here
    (tmp_path / "edits.json").write_text(json.dumps(data))
    assert len(read_script(tmp_path / "edits.json", LabelSet.load("camvid"))) == len(data["edits"])
