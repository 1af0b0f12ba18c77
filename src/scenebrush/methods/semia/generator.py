"""SemIA's generator: I_t = G(I_s | P_s -> P_t), a photo brought from its own layout into another."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from scenebrush.errors import InputError
from scenebrush.methods.semia.decoder import Decoder
from scenebrush.methods.semia.encoder import Encoder
from scenebrush.methods.semia.translation import Change, FeatureTranslation, Translation, feature_change


class Analogy(NamedTuple):
    """The picture (B, 3, H, W) and the scales and shifts that made it, with what they were made of."""

    picture: Tensor
    translation: Translation
    change: Change


class SemiaGenerator(nn.Module):
    """Two encoders, the translation of layout features into scales and shifts, a decoder.

    Args:
        condition_channels: channels of a layout (3: a picture in its classes' colours).
        image_channels: of the photo.
        width: channels of the encoders' first layer.
        levels: how often the encoders halve.
        modulate_encoder, modulate_decoder: where scales and shifts are applied.
        skips: add the image encoder's features in the decoder.
        unused_tail: in training run the layout encoder's tail too, as the released code does. Nothing uses what comes
            out; only the tail's own statistics move.
    """

    def __init__(
        self,
        condition_channels: int = 3,
        *,
        image_channels: int = 3,
        width: int = 32,
        levels: int = 3,
        modulate_encoder: bool = True,
        modulate_decoder: bool = True,
        skips: bool = False,
        unused_tail: bool = False,
    ) -> None:
        super().__init__()
        self.levels = levels
        self.modulate_encoder = modulate_encoder
        self.modulate_decoder = modulate_decoder
        self.skips = skips
        self.unused_tail = unused_tail
        self.layout_encoder = Encoder(condition_channels, width=width, levels=levels)
        self.image_encoder = Encoder(image_channels, width=width, levels=levels)
        self.translation = FeatureTranslation(self.layout_encoder.widths)
        self.decoder = Decoder(width=width, levels=levels, image_channels=image_channels)

    def forward(self, photo: Tensor, source_layout: Tensor, target_layout: Tensor) -> Analogy:
        """Returns the picture of the target layout.

        In training the layout encoder's statistics go on between its two passes, source first: equal layouts then do
        not give exactly equal features.

        Args:
            photo: (B, 3, H, W) in [-1, 1], sides divisible by 2^levels.
            source_layout: the photo's, (B, C, H, W) in [-1, 1].
            target_layout: the picture's, of the same size.

        Raises:
            InputError: sides that do not divide, or layouts of another size.
        """
        self._check(photo, source_layout, target_layout)
        source, target = self._layout_features(source_layout), self._layout_features(target_layout)
        change = feature_change(source, target)
        translation = self.translation(change)
        encoded = self.image_encoder(photo, translation if self.modulate_encoder else None)
        picture = self.decoder(
            encoded.tail,
            translation if self.modulate_decoder else None,
            encoded.levels if self.skips else None,
        )
        return Analogy(picture, translation, change)

    def _layout_features(self, layout: Tensor) -> list[Tensor]:
        levels: list[Tensor] = self.layout_encoder(layout, with_tail=self.training and self.unused_tail).levels
        return levels

    def _check(self, photo: Tensor, *layouts: Tensor) -> None:
        height, width = photo.shape[2:]
        divisor = 2**self.levels
        if height % divisor or width % divisor:
            raise InputError(f"photo is {width}x{height}; expected sides divisible by {divisor}: crop or pad it")
        for layout in layouts:
            if layout.shape[2:] != photo.shape[2:]:
                raise InputError(
                    f"layout is {layout.shape[3]}x{layout.shape[2]}, the photo {width}x{height}; give one size"
                )
