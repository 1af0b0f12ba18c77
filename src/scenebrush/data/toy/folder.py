"""Writes toy scenes as a scene folder."""

from __future__ import annotations

import json
from pathlib import Path

from scenebrush.data.toy.world import ToyWorld
from scenebrush.errors import InputError
from scenebrush.scene.files import write_instance_map, write_label_map, write_photo, write_text
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.scene import Scene


def write_toy_folder(
    folder: str | Path, n: int, split: str = "train", *, size: tuple[int, int] = (256, 192), seed: int = 0
) -> Path:
    """Writes `n` toy scenes to `<folder>/<split>` and returns the folder.

    Args:
        folder: the scene folder; made where it is missing, other splits in it are kept.
        n: how many scenes.
        split: `train`, `val`, `test`, ... Give each split its own seed.
        size: (width, height) of each scene in pixels.
        seed: scene k is `ToyWorld(seed * 1_000_000 + k, size)`, so that splits of different seeds never share one.

    Photos are PNG, so that they are the renderer's own pixels. `InputError` if `n` is below 1 or above 1,000,000.
    """
    if not 1 <= n <= 1_000_000:
        raise InputError(f"cannot write {n} toy scenes; give a number from 1 to 1000000")
    root = Path(folder)
    for k in range(n):
        world = ToyWorld(seed * 1_000_000 + k, size)
        _write_scene(root / split, f"toy_{world.seed:07d}", world.scene())
    write_text(root / "classes.json", _classes(LabelSet.load("camvid")))
    return root


def _write_scene(folder: Path, stem: str, scene: Scene) -> None:
    layout = scene.layout
    for name in ("images", "labels", "instances"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_photo(folder / "images" / f"{stem}.png", scene.photo)
    write_label_map(folder / "labels" / f"{stem}.png", layout.label_map, layout.label_set)
    if layout.instance_map is not None:
        write_instance_map(folder / "instances" / f"{stem}.png", layout.instance_map)


def _classes(label_set: LabelSet) -> str:
    classes = [{"id": c.id, "name": c.name, "color": list(c.color), "kind": c.kind} for c in label_set.classes]
    facts = {"name": label_set.name, "num_classes": len(classes), "ignore_id": label_set.ignore_id}
    return json.dumps({**facts, "instances": ["instances"], "classes": classes}, indent=1) + "\n"
