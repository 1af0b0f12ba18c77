"""What every model has to beat: fills that need no training, and other people's inpainting networks."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from scenebrush.errors import ModelError
from scenebrush.scene.edit import Edit
from scenebrush.scene.scene import Scene

RING = 8  # px around the hole whose mean colour counts
TELEA_RADIUS = 5.0  # px, OpenCV's inpaintRadius


class MeanColour:
    """The hole in the mean colour of the visible pixels within 8 px of it."""

    name = "mean"

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        """Returns the photo with the hole in one colour."""
        ring = ndimage.binary_dilation(edit.hole, iterations=RING) & ~edit.hole
        photo = scene.photo.copy()
        if ring.any():
            photo[edit.hole] = np.round(scene.photo[ring].mean(axis=0)).astype(np.uint8)
        return photo


class NearestOfClass:
    """Each pixel of the hole from the nearest visible pixel of its class, or of any class where there is none."""

    name = "nearest"

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        """Returns the photo with the hole filled."""
        photo, hole, asked = scene.photo.copy(), edit.hole, edit.layout.label_map
        _copy_nearest(photo, scene.photo, ~hole, hole)
        for class_id in np.unique(asked[hole]):
            source = ~hole & (scene.layout.label_map == class_id)
            _copy_nearest(photo, scene.photo, source, hole & (asked == class_id))
        return photo


def _copy_nearest(out: np.ndarray, photo: np.ndarray, source: np.ndarray, target: np.ndarray) -> None:
    """Writes into out[target] the pixels of photo[source] that are nearest to each; nothing if source is empty."""
    if source.any():
        rows, columns = ndimage.distance_transform_edt(~source, return_distances=False, return_indices=True)
        out[target] = photo[rows[target], columns[target]]


class Telea:
    """OpenCV's inpainting after Telea (2004), radius 5; knows no labels."""

    name = "telea"

    def __init__(self) -> None:
        self._cv2 = _package("cv2", "opencv-python-headless")

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        """Returns the photo with the hole filled."""
        mask = edit.hole.astype(np.uint8) * 255
        filled = self._cv2.inpaint(np.ascontiguousarray(scene.photo), mask, TELEA_RADIUS, self._cv2.INPAINT_TELEA)
        return np.where(edit.hole[..., None], filled, scene.photo)


class OnnxInpainting:
    """Any inpainting network with MI-GAN's interface: image uint8 (1, 3, H, W), mask uint8 (1, 1, H, W), 255 = keep.

    Such a network scales picture and mask before it masks, so what lies under the hole bleeds into its rim: black
    would frame every result in black. The hole is given to it in the nearest visible pixels instead.

    Args:
        path: the .onnx file.
        threads: CPU threads; None leaves it to onnxruntime.
    """

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        if not path.is_file():
            raise ModelError(f"{path} does not exist; give the .onnx file of an inpainting network")
        runtime = _package("onnxruntime", "onnxruntime")
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        self.name = path.stem
        self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = [value.name for value in self._session.get_inputs()]
        if len(self._inputs) != 2:
            raise ModelError(f"{path} has inputs {self._inputs}; expected two, image and mask (255 = keep)")

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        """Returns the photo with the hole filled; visible pixels stay as they are."""
        photo = scene.photo.copy()
        _copy_nearest(photo, scene.photo, ~edit.hole, edit.hole)
        image = np.ascontiguousarray(photo.transpose(2, 0, 1)[None])
        keep = np.where(edit.hole, 0, 255).astype(np.uint8)[None, None]
        out = np.asarray(self._session.run(None, dict(zip(self._inputs, (image, keep), strict=True)))[0])
        return np.where(edit.hole[..., None], out[0].transpose(1, 2, 0), scene.photo)


def _package(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ModelError(f"{package} is not installed ({error}); pip install 'scenebrush[measure]'") from error
