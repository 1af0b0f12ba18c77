"""The styles of each class: k-means centres of the encoder's object features (paper section 3.4, facts 1.7)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from sklearn.cluster import KMeans
from torch import Tensor

from scenebrush.errors import InputError, ModelError
from scenebrush.layers.layouts import class_of, instance_of, object_map
from scenebrush.methods.pix2pixhd.config import Pooling
from scenebrush.methods.pix2pixhd.encoder import ObjectFeatures

FORMAT: Final = 1
LEAST_SHARE: Final = 1 / 64
"""Objects that are a smaller share of their picture do not count (facts 1.7), where a class has larger ones."""


@dataclass(frozen=True, eq=False)
class StyleSamples:
    """Objects to learn styles from: `classes` int (N,), `features` float32 (N, F), `shares` of the picture (N,)."""

    classes: np.ndarray
    features: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, objects: ObjectFeatures) -> StyleSamples:
        """Returns the objects of encoded photos (`Pix2PixHDNetworks.encode`)."""
        area = objects.row_map.shape[1] * objects.row_map.shape[2]
        return cls(
            class_of(objects.ids).cpu().numpy(),
            objects.means.detach().float().cpu().numpy(),
            (objects.pixels / area).cpu().numpy(),
        )

    @classmethod
    def join(cls, parts: Sequence[StyleSamples]) -> StyleSamples:
        """Returns all objects of several."""
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("classes", "features", "shares")))


@dataclass(frozen=True, eq=False)
class StyleBook:
    """What each class may look like.

    `centers[c]` is float32 (K, F), class c's styles, the most frequent first; `counts[c]` tells how many objects each
    stands for. A class that is not in it has no styles: its objects get features 0.
    """

    num_features: int
    centers: Mapping[int, Tensor]
    counts: Mapping[int, tuple[int, ...]]

    @classmethod
    def fit(cls, samples: StyleSamples, *, num_styles: int = 10, seed: int = 0) -> StyleBook:
        """Returns at most `num_styles` styles per class; the same, whatever the order of the samples."""
        found = {}
        for index in np.unique(samples.classes).tolist():
            mine = samples.classes == index
            large = mine & (samples.shares > LEAST_SHARE)
            found[int(index)] = _cluster(samples.features[large if large.any() else mine], num_styles, seed)
        centers = {index: center for index, (center, _) in found.items()}
        return cls(samples.features.shape[1], centers, {index: count for index, (_, count) in found.items()})

    @classmethod
    def of_photo(cls, objects: ObjectFeatures) -> StyleBook:
        """Returns the looks of one encoded photo as styles: each class's objects, the largest first."""
        means, classes = objects.means.detach().float().cpu(), class_of(objects.ids)
        centers, counts = {}, {}
        for index in torch.unique(classes).tolist():
            rows = (classes == index).nonzero()[:, 0]
            rows = rows[torch.argsort(objects.pixels[rows], descending=True, stable=True)].cpu()
            centers[int(index)], counts[int(index)] = means[rows], (1,) * len(rows)
        return cls(means.shape[1], centers, counts)

    def num_styles(self, class_index: int) -> int:
        """Returns how many styles a class has, perhaps 0."""
        return len(self.centers.get(class_index, ()))

    def style(self, class_index: int, number: int) -> Tensor:
        """Returns style `number`, counted from 0, of a class: float32 (F,); `InputError` where it has no such."""
        count = self.num_styles(class_index)
        if not 0 <= number < count:
            there = f"styles 0 to {count - 1}" if count else "no styles"
            raise InputError(f"class {class_index} has {there}, style {number} was asked for")
        return self.centers[class_index][number]

    def feature_map(
        self,
        label_map: Tensor,
        instance_map: Tensor | None = None,
        *,
        by_class: Mapping[int, int] | None = None,
        by_object: Mapping[int, int] | None = None,
        seed: int | None = None,
        pooling: Pooling = "instance",
    ) -> Tensor:
        """Returns the generator's features, float32 (B, F, H, W), of a layout.

        Args:
            label_map: class indices (B, H, W) or (B, 1, H, W).
            instance_map: integers of the same shape, 0 = none.
            by_object: {instance id: style}, goes before
            by_class: {class index: style}, which goes before
            seed: of a draw per object, which depends on the object's class and id alone, so that a new object changes
                no other's look. None: everything in its class's most frequent style.
            pooling: whether an "instance" or a "class" has one look (`Pix2PixHDConfig.pooling`).

        Raises:
            InputError: a style or an instance that is not there.
        """
        by_class, by_object = by_class or {}, by_object or {}
        objects = object_map(label_map, instance_map if pooling == "instance" else None)
        ids, rows = torch.unique(objects[:, 0], return_inverse=True)
        pairs = list(zip(class_of(ids).tolist(), instance_of(ids).tolist(), strict=True))
        unknown = by_object.keys() - {instance for _, instance in pairs if instance}
        if unknown:
            raise InputError(f"a style was asked for object {min(unknown)}; the instance map holds no such id")
        table = torch.zeros(len(pairs), self.num_features)  # never empty memory: a class may have no styles
        for row, (class_index, instance) in enumerate(pairs):
            if instance in by_object or class_index in by_class:
                number = by_object[instance] if instance in by_object else by_class[class_index]
                table[row] = self.style(class_index, number)
            elif count := self.num_styles(class_index):
                table[row] = self.style(class_index, _draw(seed, class_index, instance, count))
        return table.to(rows.device)[rows].permute(0, 3, 1, 2)

    def save(self, folder: Path) -> None:
        """Writes `styles.safetensors` and `styles.json` into a model folder; each file beside and renamed."""
        tensors = {f"class.{index}": center.contiguous() for index, center in sorted(self.centers.items())}
        facts = {
            "format": FORMAT,
            "num_features": self.num_features,
            "objects": {str(index): list(self.counts[index]) for index in sorted(self.counts)},
        }
        _write(folder / "styles.safetensors", lambda path: save_file(tensors, path))
        _write(folder / "styles.json", lambda path: path.write_text(json.dumps(facts, indent=1) + "\n"))

    @classmethod
    def load(cls, folder: Path) -> StyleBook:
        """Returns the styles of a model folder; `ModelError` where its files are missing or do not fit each other."""
        try:
            facts = json.loads((folder / "styles.json").read_text(encoding="utf-8"))
            if facts["format"] != FORMAT:
                raise ValueError(f"format {facts['format']}, this scenebrush reads {FORMAT}")
            counts = {int(index): tuple(map(int, count)) for index, count in facts["objects"].items()}
            centers = {
                int(key.removeprefix("class.")): v for key, v in load_file(folder / "styles.safetensors").items()
            }
            _check(centers, counts, int(facts["num_features"]))
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{folder} holds no usable styles ({error}); take the model folder from its source again"
            ) from error
        return cls(int(facts["num_features"]), centers, counts)


def _cluster(features: np.ndarray, num_styles: int, seed: int) -> tuple[Tensor, tuple[int, ...]]:
    """Returns centres, the most frequent first, and how many objects each stands for."""
    features = features[np.lexsort(features.T)].astype(np.float64)
    clusters = min(num_styles, len(np.unique(features, axis=0)))
    fitted = KMeans(clusters, n_init=10, random_state=seed).fit(features)
    counts = np.bincount(fitted.labels_, minlength=clusters)
    order = sorted(range(clusters), key=lambda k: (-counts[k], fitted.cluster_centers_[k].tolist()))
    centers = torch.from_numpy(fitted.cluster_centers_[order].astype(np.float32))
    return centers, tuple(int(counts[k]) for k in order)


def _draw(seed: int | None, class_index: int, instance: int, count: int) -> int:
    return 0 if seed is None else int(np.random.default_rng((seed, class_index, instance)).integers(count))


def _check(centers: Mapping[int, Tensor], counts: Mapping[int, tuple[int, ...]], num_features: int) -> None:
    for index in centers.keys() | counts.keys():
        wanted = (len(counts.get(index, ())), num_features)
        shape = tuple(centers[index].shape) if index in centers else None
        if shape != wanted or not bool(torch.isfinite(centers[index]).all()):
            raise ValueError(f"class {index} has styles of shape {shape}, expected finite {wanted}")


def _write(path: Path, write: Callable[[Path], Any]) -> None:
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    write(beside)
    beside.chmod(0o644)  # safetensors writes files that nobody else may read
    beside.rename(path)
