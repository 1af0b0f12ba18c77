"""What is edited: label sets, layouts, scenes and edits (numpy only, no torch)."""

from __future__ import annotations

from scenebrush.scene.edit import Carry, Edit
from scenebrush.scene.files import (
    MAX_MEGAPIXELS,
    PHOTO_SUFFIXES,
    PhotoFile,
    read_instance_map,
    read_label_map,
    read_photo,
    write_instance_map,
    write_label_map,
    write_photo,
)
from scenebrush.scene.label_set import Kind, LabelClass, LabelSet, shipped_label_sets
from scenebrush.scene.layout import Layout
from scenebrush.scene.objects import SceneObject, object_at, objects_of
from scenebrush.scene.operations import Segment
from scenebrush.scene.scene import Scene

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
    "SceneObject",
    "Segment",
    "object_at",
    "objects_of",
    "read_instance_map",
    "read_label_map",
    "read_photo",
    "shipped_label_sets",
    "write_instance_map",
    "write_label_map",
    "write_photo",
]
