"""Turns the toy world's contents into a photo and exact maps.

Everything is first drawn as part numbers on a raster finer than the picture; then every fine pixel is shaded
once, by the part that is visible there, and the photo is the mean over each pixel's fine pixels. So edges are
smooth, a label is what most of its pixel shows, and leaving an object out changes nothing but what it covered
and shaded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from scenebrush.data.toy.contents import Contents
from scenebrush.data.toy.noise import sample
from scenebrush.data.toy.parts import Outline, Part, ToyObject
from scenebrush.scene.label_set import LabelSet

FINE = 2
"""Fine pixels per side of a picture pixel (3 looks a little smoother and takes twice as long)."""


@dataclass(frozen=True, eq=False)
class Picture:
    """Photo uint8 (H, W, 3), label map int32 (H, W), instance map int32 (H, W)."""

    photo: np.ndarray
    label_map: np.ndarray
    instance_map: np.ndarray

    def differs(self, other: Picture) -> np.ndarray:
        """Returns bool (H, W): where photo or maps are not the same."""
        maps = (self.label_map != other.label_map) | (self.instance_map != other.instance_map)
        different: np.ndarray = (self.photo != other.photo).any(axis=2) | maps
        return different


def render(contents: Contents, label_set: LabelSet, leave_out: int | None) -> Picture:
    """Returns the picture, without the object of number `leave_out` (None = with all)."""
    objects = tuple(o for o in contents.objects if o.id != leave_out)
    parts = [part for thing in objects for part in thing.parts]
    index = _draw_index(contents, parts)
    color = _shade(contents, parts, index, _shadow_map(contents, objects))
    maps = _maps(contents, objects, label_set, index)
    return Picture(_develop(contents, color), *maps)


def _polygon(draw: ImageDraw.ImageDraw, outline: Outline, fill: int, scale: int) -> None:
    draw.polygon((outline * scale).ravel().tolist(), fill=fill)


def _draw_index(contents: Contents, parts: list[Part]) -> np.ndarray:
    """Returns int16 (H * FINE, W * FINE): the visible backdrop (0, 1, ...), or len(backdrops) + the visible part."""
    camera = contents.camera
    image = Image.new("I", (camera.width * FINE, camera.height * FINE))
    draw = ImageDraw.Draw(image)
    for number, backdrop in enumerate(contents.backdrops):
        for outline in backdrop.outlines:
            _polygon(draw, outline, number, FINE)
    for number, part in enumerate(parts, start=len(contents.backdrops)):
        _polygon(draw, part.outline, number, FINE)
    return np.asarray(image).astype(np.int16)


def _shadow_map(contents: Contents, objects: tuple[ToyObject, ...]) -> np.ndarray:
    """Returns float32 (H, W) in [0, 1]: the share of the light that is missing on the ground."""
    size = (contents.camera.width, contents.camera.height)
    strength, blur = contents.light.shadow, contents.camera.width / 256
    cast, contact = Image.new("L", size), Image.new("L", size)
    cast_draw, contact_draw = ImageDraw.Draw(cast), ImageDraw.Draw(contact)
    for outline in (*contents.house_shadows, *(s for o in objects for s in o.shadows)):
        _polygon(cast_draw, outline, 255, 1)
    for outline in (s for o in objects for s in o.contact):
        _polygon(contact_draw, outline, 255, 1)
    soft = ndimage.gaussian_filter(np.asarray(cast, np.float32) / 255, 0.8 * blur, truncate=3) * strength
    below = ndimage.gaussian_filter(np.asarray(contact, np.float32) / 255, 1.2 * blur, truncate=3) * 0.55
    missing: np.ndarray = 1 - (1 - soft) * (1 - below)
    return missing


def _shade(contents: Contents, parts: list[Part], index: np.ndarray, shadow: np.ndarray) -> np.ndarray:
    """Returns float32 (H * FINE, W * FINE, 3), 0-255."""
    color = np.empty((*index.shape, 3), np.float32)
    flat_index, flat_color = index.ravel(), color.reshape(-1, 3)
    order = np.argsort(flat_index, kind="stable").astype(np.int32)  # int16 keys: a radix sort
    starts = np.searchsorted(flat_index[order], np.arange(len(contents.backdrops) + 1))
    width, half = index.shape[1], np.float32(0.5)  # int32 with float32 would make float64
    for number, backdrop in enumerate(contents.backdrops):
        where = order[starts[number] : starts[number + 1]]
        if not where.size:
            continue
        rows, columns = where // width, where % width
        shaded = backdrop.shade(*((at.astype(np.float32) + half) / np.float32(FINE) for at in (columns, rows)))
        if backdrop.is_ground:
            shaded *= (1 - shadow[rows // FINE, columns // FINE])[:, None]
        flat_color[where] = shaded
    where = order[starts[-1] :]
    flat_color[where] = _shade_parts(contents, parts, flat_index[where] - len(contents.backdrops), where, width)
    return color


def _shade_parts(
    contents: Contents, parts: list[Part], numbers: np.ndarray, where: np.ndarray, width: int
) -> np.ndarray:
    """Returns (n, 3): each part's own gradient from top to bottom, with its grain."""
    if not parts:
        return np.zeros((0, 3), np.float32)
    top = np.array([p.top for p in parts], np.float32)
    fall = np.array([p.bottom for p in parts], np.float32) - top
    heights = np.concatenate([p.outline[:, 1] for p in parts]).astype(np.float32)
    starts = np.cumsum([0] + [len(p.outline) for p in parts[:-1]])
    y0 = np.minimum.reduceat(heights, starts)
    span = np.maximum(np.maximum.reduceat(heights, starts) - y0, np.float32(0.5))
    grain = np.array([p.grain for p in parts], np.float32)
    ys, xs = where // width, where % width
    share = np.clip((ys.astype(np.float32) / np.float32(FINE) - y0[numbers]) / span[numbers], 0, 1)
    noise = 1 + grain[numbers] * sample(contents.grain, xs >> 1, ys >> 1)
    shaded: np.ndarray = (top[numbers] + fall[numbers] * share[:, None]) * noise[:, None]
    return shaded


def _maps(
    contents: Contents, objects: tuple[ToyObject, ...], label_set: LabelSet, index: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns label and instance map, int32 (H, W): of each pixel what most of its fine pixels show."""
    stuff = [label_set.find(b.class_name).id for b in contents.backdrops]
    classes = np.array(stuff + [label_set.find(o.class_name).id for o in objects for _ in o.parts])
    ids = np.array([0] * len(stuff) + [o.id for o in objects for _ in o.parts])
    codes = (classes * 1000 + ids).astype(np.int32)[index]
    height, width = index.shape[0] // FINE, index.shape[1] // FINE
    blocks = codes.reshape(height, FINE, width, FINE).transpose(1, 3, 0, 2).reshape(FINE * FINE, height, width)
    votes = np.zeros(blocks.shape, np.uint8)
    for i in range(len(blocks)):
        votes[i] = (blocks == blocks[i]).sum(axis=0)
    most = np.take_along_axis(blocks, votes.argmax(axis=0)[None], axis=0)[0]
    return most // 1000, most % 1000


def _develop(contents: Contents, color: np.ndarray) -> np.ndarray:
    """Returns the photo: fine pixels averaged, exposure and tint, a little noise, highlights rolled off."""
    height, width = color.shape[0] // FINE, color.shape[1] // FINE
    mean = color.reshape(height, FINE, width, FINE, 3).mean(axis=(1, 3))
    bright = mean * contents.exposure
    rolled = np.where(bright > 200, 200 + 55 * np.tanh((bright - 200) / 55), bright)
    photo: np.ndarray = np.clip(rolled + contents.noise + 0.5, 0, 255).astype(np.uint8)
    return photo
