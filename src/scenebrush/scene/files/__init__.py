"""Reading and writing photos, label maps and instance maps."""

from __future__ import annotations

from scenebrush.scene.files.instances import Convention, is_cityscapes, mixed_instances, read_instance_map
from scenebrush.scene.files.maps import (
    read_label_map,
    read_mask,
    read_raw_map,
    unknown_colors,
    unknown_ids,
    value_counts,
    write_instance_map,
    write_label_map,
)
from scenebrush.scene.files.opening import MAX_MEGAPIXELS, open_picture
from scenebrush.scene.files.photo import PHOTO_SUFFIXES, PhotoFile, photo_format, read_photo, write_photo
from scenebrush.scene.files.writing import write_text, write_whole

__all__ = [
    "MAX_MEGAPIXELS",
    "PHOTO_SUFFIXES",
    "Convention",
    "PhotoFile",
    "is_cityscapes",
    "mixed_instances",
    "open_picture",
    "photo_format",
    "read_instance_map",
    "read_label_map",
    "read_mask",
    "read_photo",
    "read_raw_map",
    "unknown_colors",
    "unknown_ids",
    "value_counts",
    "write_instance_map",
    "write_label_map",
    "write_photo",
    "write_text",
    "write_whole",
]
