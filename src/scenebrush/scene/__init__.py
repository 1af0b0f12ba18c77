"""What is edited: label sets, layouts, scenes and edits (numpy only, no torch)."""

from __future__ import annotations

from scenebrush.scene.edit import Carry, Edit
from scenebrush.scene.files import (
    MAX_MEGAPIXELS,
    PHOTO_SUFFIXES,
    PhotoFile,
    read_instance_map,
    read_label_map,
    read_mask,
    read_photo,
    write_instance_map,
    write_label_map,
    write_photo,
)
from scenebrush.scene.folder import SceneFiles, SceneFolder
from scenebrush.scene.label_set import Kind, LabelClass, LabelSet, shipped_label_sets
from scenebrush.scene.layout import Layout
from scenebrush.scene.objects import SceneObject, object_at, objects_of
from scenebrush.scene.operations import Segment
from scenebrush.scene.scene import Scene
from scenebrush.scene.script import ScriptedEdit, parse_script, read_script

__all__ = [
    "MAX_MEGAPIXELS",
    "PHOTO_SUFFIXES",
    "Carry",
    "Edit",
    "Kind",
    "LabelClass",
    "LabelSet",
    "Layout",
    "PhotoFile",
    "Scene",
    "SceneFiles",
    "SceneFolder",
    "SceneObject",
    "ScriptedEdit",
    "Segment",
    "object_at",
    "objects_of",
    "parse_script",
    "read_instance_map",
    "read_label_map",
    "read_mask",
    "read_photo",
    "read_script",
    "shipped_label_sets",
    "write_instance_map",
    "write_label_map",
    "write_photo",
]
