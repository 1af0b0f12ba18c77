"""All figures of one method on one set of edits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from scenebrush.evaluation.edit_cases import EditCase, Rendering
from scenebrush.evaluation.fid import FidResult, KidResult, fid, kid
from scenebrush.evaluation.inception import InceptionV3, inception_features
from scenebrush.evaluation.label_agreement import Agreement, label_agreement
from scenebrush.evaluation.lpips import Lpips, lpips
from scenebrush.evaluation.patch_distances import patch_distances
from scenebrush.evaluation.segmenters import Segmenter
from scenebrush.evaluation.single_image_fid import single_image_fid
from scenebrush.evaluation.ssim import psnr, ssim

LOWER_IS_BETTER = {
    "lpips": True,
    "lpips_hole": True,
    "lpips_vgg": True,
    "ssim_hole": False,
    "ssim": False,
    "psnr_hole": False,
    "psnr": False,
    "reconstruction_lpips": True,
    "reconstruction_ssim": False,
    "reconstruction_psnr": False,
    "agreement": False,
    "agreement_changed": False,
    "miou": False,
    "single_image_fid": True,
    "coherence": True,
    "completeness": True,
    "learned_seconds": True,
    "seconds": True,
    "cpu_seconds": True,
}
"""The figures per edit, and which way is better.

`lpips`, `lpips_vgg`, `ssim`, `psnr` are of the whole window. `agreement` and `miou` are a segmenter's, within the hole,
and NaN where it can tell nothing there; `agreement_changed`, `learned_seconds` and the `reconstruction` figures are
those of task `analogy`. `single_image_fid`, `coherence` and `completeness` compare the window with the
real one, with the hole's truth in it where that is known.
"""


PATCH_STEP = 2  # px from patch to patch: a quarter of the time, within 0.5 % of step 1


@dataclass(frozen=True, eq=False)
class EditFigures:
    """What was measured of one method.

    Args:
        per_edit: name -> float64 (N,), some of the names of `LOWER_IS_BETTER`.
        fid: against the real pictures of the same edits, or None where it was not asked for.
        kid: the same; a picture is never compared with its own real one.
        touched: share of the visible pixels that the method changed, see `Rendering`.
        agreement: what the segmenter read, all edits; None without a segmenter.
    """

    per_edit: dict[str, np.ndarray]
    fid: FidResult | None = None
    kid: KidResult | None = None
    touched: float = 0.0
    agreement: Agreement | None = None


@dataclass
class EditMeasures:
    """The networks that measure edits, and the real pictures' features, taken once.

    Args:
        alex: LPIPS on AlexNet.
        vgg: LPIPS on VGG16, or None to leave it out.
        inception: for FID and KID, or None to leave them out.
        segmenter: for label agreement, or None to leave it out.
        patches: whether single-image FID (with `inception`), patch coherence and completeness are measured.
        seed: of KID's subsets, the same for every method.
    """

    alex: Lpips
    vgg: Lpips | None = None
    inception: InceptionV3 | None = None
    segmenter: Segmenter | None = None
    patches: bool = False
    seed: int = 0
    _real: tuple[Sequence[EditCase], np.ndarray] | None = field(default=None, repr=False)

    def measure(
        self, cases: Sequence[EditCase], rendering: Rendering, *, report: Callable[[int], None] | None = None
    ) -> EditFigures:
        """Returns the figures of a rendering of these cases; `report` is told how many pictures are read."""
        figures = {"seconds": rendering.seconds, "cpu_seconds": rendering.cpu_seconds}
        if all(case.truth is not None for case in cases):
            figures |= self._against_truth(cases, rendering.pictures)
        if self.patches:
            figures |= self._patches(cases, rendering.pictures)
        agreement = self._agreement(cases, rendering, report)
        if agreement is not None:
            figures |= {"agreement": agreement.accuracy, "miou": agreement.miou}
        if self.inception is None or len(cases) < 4:
            return EditFigures(figures, touched=rendering.touched, agreement=agreement)
        real, fake = self._real_features(cases), inception_features(rendering.pictures, self.inception)
        distance = kid(real, fake, np.random.default_rng(self.seed), paired=True)
        return EditFigures(figures, fid(real, fake), distance, rendering.touched, agreement)

    def _against_truth(self, cases: Sequence[EditCase], made: np.ndarray) -> dict[str, np.ndarray]:
        truths = np.stack([case.reference for case in cases])
        holes = np.stack([case.hole for case in cases])
        figures = {
            "lpips": lpips(truths, made, self.alex),
            "lpips_hole": lpips(truths, made, self.alex, holes=holes),
            "ssim_hole": ssim(truths, made, holes),
            "ssim": ssim(truths, made),
            "psnr_hole": psnr(truths, made, holes),
            "psnr": psnr(truths, made),
        }
        return figures | ({"lpips_vgg": lpips(truths, made, self.vgg)} if self.vgg is not None else {})

    def _patches(self, cases: Sequence[EditCase], made: np.ndarray) -> dict[str, np.ndarray]:
        pairs = [patch_distances(p, case.reference, step=PATCH_STEP) for p, case in zip(made, cases, strict=True)]
        figures = {
            "coherence": np.array([pair.coherence for pair in pairs]),
            "completeness": np.array([pair.completeness for pair in pairs]),
        }
        if self.inception is None:
            return figures
        real = np.stack([case.reference for case in cases])
        return figures | {"single_image_fid": single_image_fid(made, real, self.inception).values}

    def _agreement(
        self, cases: Sequence[EditCase], rendering: Rendering, report: Callable[[int], None] | None
    ) -> Agreement | None:
        if self.segmenter is None:
            return None
        return label_agreement(
            rendering.pictures,
            [case.reference_labels if rendering.real else case.asked for case in cases],
            self.segmenter,
            holes=[case.hole for case in cases],
            surroundings=[case.surroundings for case in cases],
            report=report,
        )

    def _real_features(self, cases: Sequence[EditCase]) -> np.ndarray:
        assert self.inception is not None
        if self._real is None or self._real[0] is not cases:
            self._real = (cases, inception_features(np.stack([c.reference for c in cases]), self.inception))
        return self._real[1]
