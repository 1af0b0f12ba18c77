"""The public names of the room."""

from __future__ import annotations

import subprocess
import sys

import scenebrush.scene
from scenebrush.scene import Scene, operations
from tests.scene.random_scenes import flat_scene


def test_all_names_are_there_and_sorted() -> None:
    for module in (scenebrush.scene, scenebrush.scene.files, operations):
        names = module.__all__
        assert all(hasattr(module, name) for name in names) and len(set(names)) == len(names)


def test_operations_are_methods_of_a_scene() -> None:
    for name in ("add", "erase", "move", "paint", "relabel", "resize"):
        assert getattr(Scene, name) is getattr(operations, name)
    assert flat_scene().erase(at=(12, 14)).hole.any()


def test_the_room_needs_no_torch() -> None:
    """The room's own modules, imported without the package's front door."""
    code = (
        "import sys, types, importlib.util as u; p = types.ModuleType('scenebrush');"
        f"p.__path__ = [{str(scenebrush.__path__[0])!r}]; sys.modules['scenebrush'] = p;"
        "import scenebrush.scene; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
