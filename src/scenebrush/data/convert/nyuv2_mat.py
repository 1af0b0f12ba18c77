"""NYU Depth v2's labelled set, `nyu_depth_v2_labeled.mat` (MATLAB 7.3), read with h5py."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from scenebrush.data.check_files import Finding
from scenebrush.data.convert.nyuv2 import TABLE
from scenebrush.data.convert.pixels import recode, settle_instances
from scenebrush.data.convert.protocol import BadSource, Listing, Settings, SourceScene
from scenebrush.errors import InputError
from scenebrush.scene.label_set import LabelClass, LabelSet

MAT, CLASSES, SPLITS = "nyu_depth_v2_labeled.mat", "classMapping40.mat", "splits.mat"
BORDER = (slice(45, 470), slice(40, 600))
"""Rows and columns that the projection fills (rows 46 to 470, columns 41 to 600 of MATLAB); around it is white."""
_STUFF = ("wall", "floor", "ceiling", "whiteboard", "blinds", "floor mat", "column", "sky")


@dataclass(frozen=True)
class NyuV2Mat:
    """1449 rooms with instances, cut to 560x425.

    With `classMapping40.mat` beside it the 894 classes become 40, without it they stay (label set `nyuv2_894`). With
    `splits.mat` beside it the scenes are split into train and test, without it all are `train`.
    """

    format: ClassVar[str] = "nyuv2"
    expects: ClassVar[str] = f"{MAT}, with {CLASSES} and {SPLITS} beside it"
    root: Path

    @classmethod
    def recognise(cls, root: Path) -> Self | None:
        """Returns the data set if the .mat is there, or is the path itself."""
        if root.name == MAT and root.is_file():
            return cls(root.parent)
        return cls(root) if (root / MAT).is_file() else None

    @property
    def label_set(self) -> LabelSet:
        """`nyuv2`, or the .mat's own classes."""
        return LabelSet.load("nyuv2") if (self.root / CLASSES).is_file() else _own_classes(self.root / MAT)

    def listing(self) -> Listing:
        """Returns a scene for every photo in the .mat."""
        path = self.root / MAT
        with _open(path) as file:
            count = file["images"].shape[0]
        test = set()
        if (self.root / SPLITS).is_file():
            test = set(_variable(self.root / SPLITS, "testNdxs").ravel().astype(int).tolist())
        beside = tuple(p for p in (self.root / CLASSES,) if p.is_file())
        for mapping in beside:
            _to_40(mapping)  # a broken one is told once, not for every scene
        return Listing(
            [
                SourceScene("test" if k + 1 in test else "train", f"{k + 1:04d}", path, (path, *beside), k)
                for k in range(count)
            ]
        )

    def maps(
        self, scene: SourceScene, size: tuple[int, int], settings: Settings
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns the labels in 40 or in the set's own classes, and the instances, without the white border."""
        labels, numbers = (self._slice(name, scene.index) for name in ("labels", "instances"))
        if (self.root / CLASSES).is_file():
            label_map = recode(self.root / MAT, labels, _to_40(self.root / CLASSES), self.label_set, settings)
        else:
            label_map = labels
        # A number counts within one of the 894 classes only.
        whole = np.where(numbers > 0, numbers * (int(labels.max(initial=0)) + 1) + labels, 0)
        return label_map, settle_instances(whole, label_map, self.label_set)

    def photo(self, scene: SourceScene) -> np.ndarray | None:
        """Returns the photo without its white border, uint8 (425, 560, 3)."""
        return np.ascontiguousarray(self._slice("images", scene.index).astype(np.uint8))

    def _slice(self, name: str, index: int) -> np.ndarray:
        path = self.root / MAT
        try:
            with _open(path) as file:
                values = np.asarray(file[name][index])
        except (KeyError, OSError) as error:
            message = f"{name} of scene {index + 1} cannot be read ({error})"
            raise BadSource([Finding(path, "unreadable", message, "load it again", index + 1)]) from error
        upright = np.moveaxis(values, 0, -1).swapaxes(0, 1) if values.ndim == 3 else values.T  # MATLAB: columns first
        return upright[BORDER].astype(np.int32)


def _open(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise InputError(
            f"{path} is read with h5py, which is not installed; pip install 'scenebrush[nyuv2]'"
        ) from error
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path} is no MATLAB 7.3 file ({error}); load it again") from error


@cache
def _to_40(path: Path) -> dict[int, int]:
    """{one of the 894 classes, 0 = unlabelled: our id}."""
    mapped = _variable(path, "mapClass").ravel().astype(int).tolist()
    return {0: TABLE[0]} | {number: TABLE[to] for number, to in enumerate(mapped, start=1)}


@cache
def _own_classes(path: Path) -> LabelSet:
    """The .mat's own classes, 0 = unlabelled, with colours of their own."""
    with _open(path) as file:
        names = ["".join(map(chr, np.asarray(file[ref]).ravel())) for ref in np.asarray(file["names"]).ravel()]
    classes = [LabelClass(0, "unlabelled", (0, 0, 0), "void")]
    for id_, name in enumerate(names, start=1):
        r, g, b = colorsys.hsv_to_rgb(id_ * 0.618034 % 1, 0.5 + id_ % 3 * 0.25, 0.95 - id_ % 4 * 0.15)
        color = (round(255 * r), round(255 * g), round(255 * b))
        classes.append(LabelClass(id_, name.replace(" ", "_"), color, "stuff" if name in _STUFF else "thing"))
    return LabelSet("nyuv2_894", tuple(classes), 0)


def _variable(path: Path, name: str) -> np.ndarray:
    from scipy import io

    try:
        return np.asarray(io.loadmat(path, variable_names=[name])[name])
    except (KeyError, ValueError, OSError, NotImplementedError, io.matlab.MatReadError) as error:
        raise InputError(f"{path} has no variable {name!r} that can be read ({error}); load it again") from error
