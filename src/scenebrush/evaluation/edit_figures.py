"""All figures of one method on one set of edits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from scenebrush.evaluation.edit_cases import EditCase, Rendering
from scenebrush.evaluation.fid import FidResult, KidResult, fid, kid
from scenebrush.evaluation.inception import InceptionV3, inception_features
from scenebrush.evaluation.lpips import Lpips, lpips
from scenebrush.evaluation.ssim import psnr, ssim

LOWER_IS_BETTER = {
    "lpips": True,
    "lpips_hole": True,
    "lpips_vgg": True,
    "ssim_hole": False,
    "psnr_hole": False,
    "psnr": False,
    "seconds": True,
    "cpu_seconds": True,
}
"""The figures per edit, and which way is better. `lpips`, `lpips_vgg`, `psnr` are of the whole window."""


@dataclass(frozen=True, eq=False)
class EditFigures:
    """What was measured of one method.

    Args:
        per_edit: name -> float64 (N,), the names of `LOWER_IS_BETTER`.
        fid: against the truths of the same edits, or None where it was not asked for.
        kid: the same; a picture is never compared with its own truth.
        touched: share of the visible pixels that the method changed, see `Rendering`.
    """

    per_edit: dict[str, np.ndarray]
    fid: FidResult | None = None
    kid: KidResult | None = None
    touched: float = 0.0


@dataclass
class EditMeasures:
    """The networks that measure edits, and the truths' features, taken once.

    Args:
        alex: LPIPS on AlexNet.
        vgg: LPIPS on VGG16, or None to leave it out.
        inception: for FID and KID, or None to leave them out.
        seed: of KID's subsets, the same for every method.
    """

    alex: Lpips
    vgg: Lpips | None = None
    inception: InceptionV3 | None = None
    seed: int = 0
    _truths: tuple[Sequence[EditCase], np.ndarray] | None = field(default=None, repr=False)

    def measure(self, cases: Sequence[EditCase], rendering: Rendering) -> EditFigures:
        """Returns the figures of a rendering of these cases."""
        truths = np.stack([case.truth for case in cases])
        holes = np.stack([case.hole for case in cases])
        made = rendering.pictures
        figures = {
            "lpips": lpips(truths, made, self.alex),
            "lpips_hole": lpips(truths, made, self.alex, holes=holes),
            "ssim_hole": ssim(truths, made, holes),
            "psnr_hole": psnr(truths, made, holes),
            "psnr": psnr(truths, made),
            "seconds": rendering.seconds,
            "cpu_seconds": rendering.cpu_seconds,
        }
        if self.vgg is not None:
            figures["lpips_vgg"] = lpips(truths, made, self.vgg)
        if self.inception is None or len(cases) < 4:
            return EditFigures(figures, touched=rendering.touched)
        real, fake = self._real_features(cases, truths), inception_features(made, self.inception)
        distance = kid(real, fake, np.random.default_rng(self.seed), paired=True)
        return EditFigures(figures, fid(real, fake), distance, rendering.touched)

    def _real_features(self, cases: Sequence[EditCase], truths: np.ndarray) -> np.ndarray:
        assert self.inception is not None
        if self._truths is None or self._truths[0] is not cases:
            self._truths = (cases, inception_features(truths, self.inception))
        return self._truths[1]
