"""Training that begins with a model's weights instead of random ones: fine-tuning, and finer levels on coarser ones."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from scenebrush.errors import ModelError
from scenebrush.methods import find_model
from scenebrush.methods.base import read_config
from scenebrush.scene.label_set import LabelSet

_FINER = ("generator.enhancers.", "generator.heads.")
"""What a pix2pixHD with more levels has beyond the coarser model that it begins from; it begins new."""


def start_from(network: nn.Module, model: str, *, method: str, label_set: LabelSet) -> list[str]:
    """Fills a network with the weights of a model, by name or folder; returns the names that begin new.

    Raises:
        ModelError: no such model, one of another method or other classes, or whose weights do not fit the recipe.
    """
    card = find_model(model)
    if card.path is None or card.method != method:
        raise ModelError(
            f"start_from {model!r} is a model of {card.method!r}, the recipe trains {method!r}; name another"
        )
    theirs = [c["name"] for c in read_config(card.path).get("label_set", {}).get("classes", [])]
    if theirs != [c.name for c in label_set.classes]:
        raise ModelError(
            f"start_from {model!r} knows {len(theirs)} classes ({', '.join(theirs[:3])}, ...), the data have"
            f" {len(label_set.classes)} ({', '.join(c.name for c in label_set.classes[:3])}, ...);"
            " name a model of theirs"
        )
    weights = start_weights(model)
    own = network.state_dict()
    new = sorted(own.keys() - weights.keys())
    wrong = [key for key in weights if key not in own or own[key].shape != weights[key].shape]
    wrong += [key for key in new if not key.startswith(_FINER)]
    if wrong:
        raise ModelError(
            f"start_from {model!r} does not fit the recipe's config: {wrong[0]} ({len(wrong)} of {len(own)} tensors);"
            f" give config the sizes of {card.path / 'config.json'}"
        )
    network.load_state_dict({**own, **{key: weights[key].to(own[key].dtype) for key in weights}})
    return new


def start_weights(model: str) -> dict[str, Tensor]:
    """Returns the tensors of a model, by name or folder, that training can begin with; `ModelError` without any."""
    path = (find_model(model).path or Path(model)) / "model.safetensors"
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read ({error}); take the model folder from its source again") from error
