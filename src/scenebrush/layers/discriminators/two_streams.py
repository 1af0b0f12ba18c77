"""The two-stream, multi-scale patch discriminator of SESAME (Ntavelis et al., ECCV 2020, section 3.2, figure 3)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from scenebrush.layers.discriminators.base import MultiScaleDiscriminator, PatchScale
from scenebrush.layers.discriminators.patches import patch_prediction, patch_stream, patch_windows, through


class SesameDiscriminator(MultiScaleDiscriminator):
    """Judges patches of an image under their semantics, at several scales that share nothing.

    At 256x256 and the defaults the logits are 35x35 (patches of 70 px) and 19x19 (about twice that). What is matched
    are the image stream's maps before the gate.
    """

    def __init__(
        self,
        semantic_channels: int,
        *,
        image_channels: int = 3,
        width: int = 64,
        num_layers: int = 4,
        num_scales: int = 2,
        mean_gate: bool = False,
    ) -> None:
        """Builds the network for `semantic_channels`: classes + hole mask when editing (36 for Cityscapes' 35),
        labels + instance boundaries when whole pictures are made (36 again).

        `mean_gate` (ours) gates by 1 + the MEAN over channels: the paper's sum starts near 130 (facts 1.4), so
        that hinge terms of 50 and more drown every other loss in a short training.
        """
        super().__init__(
            TwoStreamDiscriminator(semantic_channels, image_channels, width, num_layers, mean_gate=mean_gate)
            for _ in range(num_scales)
        )

    def semantic_gates(self, semantics: Tensor) -> list[Tensor]:
        """Returns for every scale the gate 1 + sum over channels of the semantics stream, (B, 1, h, w).

        It is what `embed` returns: "we only need to calculate D_sem once" for fake and real.
        """
        gates: Sequence[Tensor] = self.embed(semantics)
        return list(gates)


class TwoStreamDiscriminator(PatchScale):
    """One scale: an image stream and a semantics stream of equal shape, merged before the last convolution."""

    def __init__(
        self, semantic_channels: int, image_channels: int, width: int, num_layers: int, *, mean_gate: bool = False
    ) -> None:
        super().__init__()
        self.mean_gate = mean_gate
        self.semantic_stream = patch_stream(semantic_channels, width, num_layers)
        self.image_stream = patch_stream(image_channels, width, num_layers)
        self.prediction = patch_prediction(width, num_layers)
        self.windows = patch_windows(num_layers)

    def embed(self, condition: Tensor) -> Tensor:
        """Returns the gate of the condition (B, S, H, W)."""
        return self.gate(condition)

    def gate(self, semantics: Tensor) -> Tensor:
        """Returns 1 + sum_c g_c(p), (B, 1, h, w), g the last map of the semantics stream: a sum over channels only."""
        for layer in self.semantic_stream:
            semantics = layer(semantics)
        return 1 + (semantics.mean(1, keepdim=True) if self.mean_gate else semantics.sum(1, keepdim=True))

    def judge(self, image: Tensor, embedded: Tensor) -> tuple[list[Tensor], Tensor]:
        """Returns the image stream's maps, before the gate, and the logits conv(f (1 + sum g)), (B, 1, h, w)."""
        maps = through(self.image_stream, image)
        return maps, self.prediction(maps[-1] * embedded)
