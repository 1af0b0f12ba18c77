"""Shadows on the ground: what an object darkens, told from ground that is dark anyway."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from scenebrush.scene.layout import Layout
from scenebrush.scene.objects import EIGHT, bounding_box
from scenebrush.scene.operations.holes import around, contact_strip, dilate, ground_ids, stands_on_ground

SHADOW_REACH = 0.3
"""How far beside and below an object its shadow is looked for, in heights of the object."""

_DARKER = 0.8  # of the ground's usual brightness; below, it lies in shadow
_SOFT = 0.94  # the same at the soft edge of a shadow
_STRETCHES = (2, 4)  # so much farther it is looked for where it does not end in reach; no larger than its object
_LEAST_GROUND = 30  # pixels that tell how bright a class is
_GRID = 48  # squares a side that brightness is carried on in
_LARGEST = 400  # pixels of an object's longer side at which its shadow is looked for


def find_shadow(photo: np.ndarray, layout: Layout, mask: np.ndarray, reach: float = SHADOW_REACH) -> np.ndarray:
    """Returns the ground that an object darkens, bool (H, W); nothing where it stands on no ground.

    A thin strip below the foot is always taken; beyond it, up to `reach` object heights away, what is darker than
    the same ground around and hangs together with the object. A slender shadow is followed farther, to its end.
    """
    shadow = np.zeros_like(mask)
    _, _, width, height = bounding_box(mask)
    if reach <= 0:
        return shadow
    window = around(mask, max(width, height) // 2 + max(2, round(reach * height)) * _STRETCHES[-1] + 2)
    near = Layout(layout.label_map[window], layout.label_set)
    if not stands_on_ground(near, mask[window]):
        return shadow
    ground = np.isin(near.label_map, ground_ids(layout.label_set)) & ~mask[window]
    strip = contact_strip(near, mask[window])
    step = -(-max(width, height) // _LARGEST)
    darkened = _in_small(photo[window], near, ground, mask[window], strip, reach, step)
    # What is shut in, markings that lie in the shadow, belongs to it.
    shadow[window] = ndimage.binary_fill_holes(darkened & ground | strip | mask[window]) & ground
    return shadow


def _in_small(
    photo: np.ndarray,
    layout: Layout,
    ground: np.ndarray,
    mask: np.ndarray,
    strip: np.ndarray,
    reach: float,
    step: int,
) -> np.ndarray:
    """Returns `_dark_ground` at full size, found in every `step`-th pixel: shadows of large objects are soft."""
    darkened = np.zeros_like(mask)
    every = (slice(step // 2, None, step),) * 2
    if mask[every].any():
        brightness = _smoothed(photo.mean(axis=2, dtype=np.float32), ~mask, max(3, step))[every]
        small = Layout(layout.label_map[every], layout.label_set)
        found = _dark_ground(brightness, small, ground[every], mask[every], strip[every], reach)
        found = found.repeat(step, axis=0).repeat(step, axis=1)[: mask.shape[0], : mask.shape[1]]
        darkened[: found.shape[0], : found.shape[1]] = found
    return darkened


def _smoothed(brightness: np.ndarray, seen: np.ndarray, side: int) -> np.ndarray:
    """Returns the means of the `seen` pixels of squares, float (h, w): the object itself darkens nothing beside it."""
    weight = ndimage.uniform_filter(seen.astype(np.float32), side)
    smoothed: np.ndarray = ndimage.uniform_filter(brightness * seen, side) / np.maximum(weight, 1e-3)
    return smoothed


def _dark_ground(
    brightness: np.ndarray, layout: Layout, ground: np.ndarray, mask: np.ndarray, strip: np.ndarray, reach: float
) -> np.ndarray:
    """Returns the ground that the object darkens, bool (h, w); all arguments are of the same size."""
    _, _, _, height = bounding_box(mask)
    far = max(2, round(reach * height))
    for stretch in (1, *_STRETCHES):
        zone = _around_foot(mask, far * stretch)
        usual = usual_brightness(brightness, layout.label_map, zone & ground, ground & ~zone)
        attached = _attached(_dark(brightness, usual, zone & ground), mask, strip, far)
        if stretch == 1:
            first = zone, usual, attached
        ends = not (attached & _edge(zone)).any()
        if ends and (stretch == 1 or np.count_nonzero(attached) <= np.count_nonzero(mask)):
            break
    else:  # it never ends: the object stands in the shade, or its shadow runs into others
        zone, usual, attached = first
        light = brightness / np.maximum(usual, 1)
        attached = _attached(_not_running_on(attached, light, zone, mask, far), mask, strip, far)
    # Its soft edge belongs to it, or the rim of the hole would be dark and darken what is drawn.
    soft = dilate(attached, max(1, far // 4)) & (brightness < _SOFT * usual)
    darkened: np.ndarray = (ndimage.binary_dilation(attached, structure=EIGHT) | soft) & zone & ground
    return darkened


def _around_foot(mask: np.ndarray, far: int) -> np.ndarray:
    """Returns the box of the lower half of a mask, grown by `far` pixels to the sides and below, bool (H, W).

    And what lies close below each column: of a row of parked cars the farther ones stand higher in the picture.
    """
    x, y, width, height = bounding_box(mask)
    zone = np.zeros_like(mask)
    zone[y + height // 2 : y + height + far, max(0, x - far) : x + width + far] = True
    columns = slice(x, x + width)
    lowest = mask.shape[0] - 1 - mask[::-1, columns].argmax(axis=0)
    below = np.arange(mask.shape[0])[:, None] - np.where(mask[:, columns].any(axis=0), lowest, mask.shape[0])
    zone[:, columns] |= (below > 0) & (below <= max(2, far // 2))
    return zone


def _edge(zone: np.ndarray) -> np.ndarray:
    edge: np.ndarray = zone & ~ndimage.binary_erosion(zone, structure=EIGHT, border_value=1)
    return edge


def _attached(dark: np.ndarray, mask: np.ndarray, strip: np.ndarray, far: int) -> np.ndarray:
    """The dark pixels that hang together with the object or the strip below its foot, bool (h, w)."""
    # Kerbs and the feet of walls are dark lines: what is thinner than three pixels does not lead far from the object.
    body = ndimage.binary_opening(dark | mask | strip, structure=EIGHT)
    thick = dark & (ndimage.binary_dilation(body, structure=EIGHT) | dilate(mask, far // 2))
    components, _ = ndimage.label(thick | mask | strip, structure=EIGHT)
    attached: np.ndarray = np.isin(components, np.unique(components[mask])) & thick
    return attached


def _dark(brightness: np.ndarray, usual: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Where `near` pixels are darker than usual, bool (h, w)."""
    dark = near & (brightness < _DARKER * usual)
    # All dark is no shadow of this object: the ground itself differs there.
    return dark if np.count_nonzero(dark) < 0.8 * np.count_nonzero(near) else np.zeros_like(dark)


def _not_running_on(dark: np.ndarray, light: np.ndarray, zone: np.ndarray, mask: np.ndarray, far: int) -> np.ndarray:
    """Of dark areas that run on beyond the zone only what is close to the object is its own, and what is darker again
    than they are elsewhere; `light` is the brightness in shares of the usual one."""
    components, _ = ndimage.label(dark, structure=EIGHT)
    running_on = dark & np.isin(components, np.unique(components[_edge(zone) & dark]))
    close = dilate(mask, max(2, far // 3))
    elsewhere = running_on & ~close
    if not elsewhere.any():
        return dark
    darker = light < _DARKER * float(np.median(light[elsewhere]))
    own: np.ndarray = dark & (close | ~running_on | darker)
    return own


def usual_brightness(brightness: np.ndarray, labels: np.ndarray, near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """Returns how bright each `near` pixel's class is thereabouts, float (h, w); 0 where nothing tells, and elsewhere.

    The `far` pixels tell, nearer ones more than others: a street that lies in the shade at one side is dark there.

    Args:
        brightness: float (h, w).
        labels: class ids, (h, w).
        near, far: bool (h, w).
    """
    usual = np.zeros_like(brightness)
    for class_id in np.unique(labels[near]):
        here, there = near & (labels == class_id), far & (labels == class_id)
        if np.count_nonzero(there) >= _LEAST_GROUND:
            usual[here] = _carried_on(brightness, there)[here]
    return usual


def _carried_on(brightness: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Returns the brightness `there` carried on to every place, float (h, w), on a coarse grid."""
    middle = float(np.median(brightness[there]))
    known = np.clip(brightness, 0.4 * middle, 1.3 * middle) * there  # without lane markings and drains
    side = -(-max(there.shape) // _GRID)
    totals, weights = _block_sums(known, side), _block_sums(there.astype(float), side)
    total, weight = np.zeros_like(totals), np.zeros_like(totals)
    for scale in range(4):  # wider ones count a hundredth: they tell where the narrower ones do not reach
        sigma, counts = 0.7 * 3**scale, 0.01**scale
        total += counts * ndimage.gaussian_filter(totals, sigma, mode="constant", truncate=6)
        weight += counts * ndimage.gaussian_filter(weights, sigma, mode="constant", truncate=6)
    coarse = np.where(weight > 0, total / np.maximum(weight, 1e-12), middle)
    places = [(np.arange(length) + 0.5) / side - 0.5 for length in there.shape]
    carried: np.ndarray = ndimage.map_coordinates(coarse, np.meshgrid(*places, indexing="ij"), order=1, mode="nearest")
    return carried


def _block_sums(values: np.ndarray, side: int) -> np.ndarray:
    """Returns the sums of squares of `side` pixels, float (rows, columns); the last ones may be cut off."""
    rows, columns = (np.arange(0, length, side) for length in values.shape)
    sums: np.ndarray = np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
    return sums
