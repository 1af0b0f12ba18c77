"""pix2pixHD's released checkpoints as our networks; what no shape tells is an option."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from scenebrush.errors import ModelError
from scenebrush.methods.checkpoints import Converted, States, label_channels, read_encoder
from scenebrush.methods.pix2pixhd.config import Pooling
from scenebrush.methods.pix2pixhd.conversion import networks_from_original
from scenebrush.methods.pix2pixhd.original_keys import encoder_from_original, generator_from_original
from scenebrush.scene.label_set import LabelSet


@dataclass(frozen=True)
class Options:
    """What the shapes do not tell.

    Args:
        boundaries: whether a channel after the classes is the boundaries of instances; None: where one is left.
        pooling: the encoder's features are averaged over each "instance", or over each "class" (`label_feat`).
    """

    boundaries: bool | None = None
    pooling: Pooling = "instance"


def convert(states: States, label_set: LabelSet, options: Options) -> Converted:
    """Returns configuration and networks of the authors' `*_net_G.pth` and, with styles, `*_net_E.pth`.

    Raises:
        ModelError: a key that is missing, left over or of another shape; a label set of other classes.
    """
    encoder = None if states.encoder is None else read_encoder(encoder_from_original, states.encoder)
    features = 0 if encoder is None else encoder.head.out_channels
    seen = generator_from_original(states.generator).in_channels
    try:
        channels = label_channels(seen - features, label_set, options.boundaries)
    except ModelError as error:
        whose = "are its encoder's" if features else "may be those of an encoder: then give *_net_E.pth too"
        raise ModelError(f"{error}; of its {seen} channels {features or 3} {whose}") from None
    networks = networks_from_original(states.generator, states.encoder, num_classes=channels.num_classes)
    networks.config = dataclasses.replace(networks.config, pooling=options.pooling)
    return Converted(networks.config, networks)
