"""The house plan: what the package exports, who may import whom, and what has to lie where."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import scenebrush
from scenebrush.methods import METHODS, WITHOUT_WEIGHTS, list_models

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "scenebrush"


def test_the_exports_are_sorted_and_there():
    assert list(scenebrush.__all__) == sorted(scenebrush.__all__)
    assert all(hasattr(scenebrush, name) for name in scenebrush.__all__)


def test_no_room_imports_from_above():
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_no_source_file_holds_two_things():
    long = {str(path.relative_to(ROOT)): n for path in SOURCE.rglob("*.py") if (n := _lines(path)) > 400}
    assert long == {}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_its_place(method):
    folder = SOURCE / "methods" / method
    assert (folder / "README.md").is_file()
    assert callable(import_module(f"scenebrush.methods.{method}.method").load)
    assert (ROOT / "docs" / "methods" / f"{method}.md").is_file()


def test_every_folder_of_methods_is_listed():
    folders = {path.parent.name for path in (SOURCE / "methods").glob("*/__init__.py")}
    assert folders == set(METHODS) and set(WITHOUT_WEIGHTS) <= folders


def test_every_shipped_model_has_its_card():
    for card in list_models():
        if card.path is not None:
            assert (card.path / "README.md").is_file() and (card.path / "model.safetensors").is_file()


def test_the_package_is_typed_and_brings_its_data():
    assert (SOURCE / "py.typed").is_file()
    assert (SOURCE / "demo" / "china.labels.png").is_file()


def test_a_scene_and_the_canvas_need_no_torch():
    code = "import sys, scenebrush, scenebrush.canvas; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())
