"""Segmenters that read pictures for the label-agreement figures: ONNX networks with a label mapping beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, resources
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image

from scenebrush.data.holes import Box
from scenebrush.errors import InputError, ModelError, nearest_name
from scenebrush.evaluation.assets import find_asset
from scenebrush.evaluation.label_mapping import SegmenterMapping, tables
from scenebrush.scene.label_set import LabelSet

SEGMENTERS: tuple[str, ...] = ("deeplab-cityscapes", "mosaic-ade31")
"""The shipped ones; their weights are assets of the same name."""

UNSEEN = -1
"""In a comparable layout: a class of ours that the segmenter cannot tell; such pixels count nowhere."""

UNREAD = -1
"""In a reading: the segmenter saw something that is no class of ours; such pixels count as wrong."""

GREY = 128  # of the bars of a letterbox

Network = Callable[[np.ndarray], np.ndarray]
"""The network itself: its input array -> the output that the mapping names."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The whole photo that a picture is a window of, so that a segmenter sees what the window lies in.

    Args:
        photo: uint8 (H, W, 3), the whole photo.
        box: the window (x0, y0, x1, y1) in it; the picture is resized to it where sizes differ.
    """

    photo: np.ndarray
    box: Box


class Segmenter:
    """Reads label maps off pictures, in the ids of one of our label sets. `load` makes one.

    Args:
        mapping: what the network takes and gives, and its words.
        label_set: ours.
        network: the network.
        source: where the mapping is from, for messages.
    """

    def __init__(self, mapping: SegmenterMapping, label_set: LabelSet, network: Network, source: str = "") -> None:
        words = mapping.words_for(label_set, source or mapping.name)
        self.name, self.label_set = mapping.name, label_set
        self._reading, self._comparable = tables(words, mapping.classes, label_set)
        self.seen: tuple[int, ...] = tuple(int(i) for i in np.unique(self._comparable) if i != UNSEEN)
        self._input, self._output, self._network = mapping.input, mapping.output, network
        self._source = source or mapping.name

    @classmethod
    def load(
        cls, spec: str | Path, label_set: LabelSet, *, folder: Path | None = None, threads: int | None = None
    ) -> Self:
        """Returns the segmenter that `spec` names, reading in the ids of `label_set`.

        Args:
            spec: one of `SEGMENTERS`, or `FILE.onnx` with its mapping `FILE.json` beside it.
            label_set: the data's.
            folder: where weights of shipped segmenters lie; default as `assets.find_asset`.
            threads: CPU threads; None leaves it to onnxruntime.

        Raises:
            InputError: no such segmenter, no mapping file, or no mapping for this label set; the message
                names the file, the label sets that it has and how to write one.
            ModelError: the weights are missing or changed, or onnxruntime is not installed.
        """
        shipped = str(spec) in SEGMENTERS
        if not shipped and not str(spec).endswith(".onnx"):
            hint = nearest_name(str(spec), SEGMENTERS)
            raise InputError(f"unknown segmenter {str(spec)!r}{hint}; give {', '.join(SEGMENTERS)} or FILE.onnx")
        if not shipped and not Path(spec).is_file():
            raise InputError(f"{spec} does not exist; give the .onnx file of a segmenter, or {', '.join(SEGMENTERS)}")
        source = shipped_mapping(str(spec)) if shipped else Path(spec).with_suffix(".json")
        mapping = SegmenterMapping.read(source)
        mapping.words_for(label_set, str(source))  # before the weights are looked for: the cheaper error first
        path = find_asset(str(spec), folder) if shipped else Path(spec)
        return cls(mapping, label_set, onnx_network(path, mapping.output.index, threads), str(source))

    def read(self, photo: np.ndarray, surroundings: Surroundings | None = None) -> np.ndarray:
        """Returns the reading of a picture, int32 (H, W): ids of `seen`, `UNREAD` = none of ours.

        Args:
            photo: uint8 (H, W, 3).
            surroundings: the whole photo that it is a window of. The window is pasted into it, and the
                segmenter sees a part twice as wide as the window around it, at least half its own input size.
        """
        _check_picture(photo)
        if surroundings is None:
            return self._read_whole(photo)
        x0, y0, x1, y1 = surroundings.box
        left, top, right, bottom = self._context(surroundings)
        whole = self._read_whole(_paste(photo, surroundings)[top:bottom, left:right])
        return _nearest(whole[y0 - top : y1 - top, x0 - left : x1 - left], photo.shape[:2])

    def comparable(self, label_map: np.ndarray) -> np.ndarray:
        """Returns int32 (H, W): a layout in the words that the segmenter has.

        Classes that it has one word for become the first of them; classes that it cannot tell, void and
        unlabelled become `UNSEEN`.
        """
        ids = np.asarray(label_map)
        known = (ids >= 0) & (ids < len(self._comparable))
        return np.where(known, self._comparable[np.where(known, ids, 0)], np.int32(UNSEEN))

    def _context(self, surroundings: Surroundings) -> Box:
        """Returns the part of the photo that is read: a square around the window, cut off at the photo's edges."""
        x0, y0, x1, y1 = surroundings.box
        side = max(2 * (x1 - x0), 2 * (y1 - y0), self._input.width // 2)
        left, right = _span(x0, x1, side, surroundings.photo.shape[1])
        top, bottom = _span(y0, y1, side, surroundings.photo.shape[0])
        return left, top, right, bottom

    def _read_whole(self, photo: np.ndarray) -> np.ndarray:
        size = self._input.height, self._input.width
        inside = self._input.inside(photo.shape[:2])
        canvas = np.full((*size, 3), GREY, np.uint8)
        canvas[: inside[0], : inside[1]] = _bilinear(photo, inside)
        classes = self._output.classes(self._network(self._input.array(canvas)))
        least, most = int(classes.min()), int(classes.max())
        if least < 0 or most >= len(self._reading):
            wrong = least if least < 0 else most
            raise InputError(f"{self._source}: the network gave class {wrong}, but {len(self._reading)} are named")
        kept = [max(1, round(n * part / whole)) for n, part, whole in zip(classes.shape, inside, size, strict=True)]
        return _nearest(self._reading[classes[: kept[0], : kept[1]]], photo.shape[:2])


def shipped_mapping(name: str) -> Path:
    """Returns the path of a shipped segmenter's mapping file."""
    return Path(str(resources.files("scenebrush.evaluation") / "mappings" / f"{name}.json"))


def default_segmenter(label_set: LabelSet) -> str | None:
    """Returns the name of the shipped segmenter that knows most of the classes of `label_set`, None if none does."""
    known: dict[str, int] = {}
    for name in SEGMENTERS:
        try:
            known[name] = len(SegmenterMapping.read(shipped_mapping(name)).words_for(label_set, name))
        except InputError:
            continue
    return max(known, key=lambda name: known[name]) if known else None


def onnx_network(path: Path, output: int = 0, threads: int | None = None) -> Network:
    """Returns a network of one input from an ONNX file, on the CPU.

    Raises:
        InputError: it has other than one input, or no output of that index.
        ModelError: onnxruntime is not installed, or cannot read the file.
    """
    runtime = _onnxruntime(path)
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = options.inter_op_num_threads = threads
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base class of their own
        raise ModelError(f"{path} is no network that onnxruntime can run ({str(error).splitlines()[0]})") from error
    inputs, outputs = [v.name for v in session.get_inputs()], [v.name for v in session.get_outputs()]
    if len(inputs) != 1 or output >= len(outputs):
        raise InputError(f"{path} has inputs {inputs} and outputs {outputs}; expected one input and output {output}")
    return lambda x: np.asarray(session.run([outputs[output]], {inputs[0]: x})[0])


def _span(start: int, stop: int, length: int, whole: int) -> tuple[int, int]:
    """Returns `length` pixels with start..stop in their middle, moved and cut to lie in 0..whole."""
    length = min(length, whole)
    first = min(max(0, (start + stop - length) // 2), whole - length)
    return first, first + length


def _paste(photo: np.ndarray, surroundings: Surroundings) -> np.ndarray:
    x0, y0, x1, y1 = surroundings.box
    whole = surroundings.photo
    _check_picture(whole)
    if not (0 <= x0 < x1 <= whole.shape[1] and 0 <= y0 < y1 <= whole.shape[0]):
        raise InputError(f"window {surroundings.box} does not lie in its photo of {whole.shape[1]}x{whole.shape[0]} px")
    out = whole.copy()
    out[y0:y1, x0:x1] = _bilinear(photo, (y1 - y0, x1 - x0))
    return out


def _bilinear(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if picture.shape[:2] == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR))


def _nearest(classes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a map (H, W) at another size by nearest neighbour (pixel centres)."""
    rows = ((np.arange(size[0]) + 0.5) * classes.shape[0] / size[0]).astype(int)
    columns = ((np.arange(size[1]) + 0.5) * classes.shape[1] / size[1]).astype(int)
    return np.asarray(classes[rows[:, None], columns])


def _check_picture(photo: np.ndarray) -> None:
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8 or 0 in photo.shape:
        raise InputError(f"a segmenter reads pictures uint8 (H, W, 3); this one is {photo.dtype} {photo.shape}")


def _onnxruntime(path: Path) -> Any:
    try:
        return import_module("onnxruntime")
    except ImportError as error:
        raise ModelError(f"{path} needs onnxruntime ({error}); pip install 'scenebrush[measure]'") from error
