"""What SEIGAN can do: erase through the inpainter, and make carried objects fit through the enhancer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scenebrush.canvas import compose
from scenebrush.canvas.analogy import draw_things
from scenebrush.errors import ModelError
from scenebrush.methods.seigan.folder import load_networks
from scenebrush.methods.seigan.networks import SeiganNetworks
from scenebrush.methods.seigan.rendering import enhanced, inpainted
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.scene import Scene


class SeiganEditor:
    """Renders edits of photos with any label set: the networks know no classes.

    What is erased is filled by the inpainter. Carried objects are pasted by the canvas, and the enhancer makes them
    fit.
    Things that nothing brings are the canvas's (`canvas.analogy`): SEIGAN draws none.

    Args:
        networks: trained generators in evaluation mode.
        label_set: the classes that they were trained on.
        name: for messages and tables.
    """

    def __init__(self, networks: SeiganNetworks, label_set: LabelSet, *, name: str = "seigan") -> None:
        self.networks, self.label_set, self.name = networks, label_set, name

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        """Returns the photo after the edit; see `methods.base.Editor.edit`.

        The seed is that of the search for things that nothing brings; all else is determined.
        """
        canvas = compose(scene, edit, lend=True)
        things = edit.layout.label_set.is_kind(edit.layout.label_map, "thing") & edit.hole
        empty = edit.hole & ~canvas.carried & ~things
        photo = inpainted(self.networks, canvas.photo, empty)
        photo = draw_things(scene, edit, photo, carried=canvas.carried, seed=seed)
        for carry in edit.carries:
            photo = enhanced(self.networks, photo, carry.target & canvas.carried)
        return np.where(edit.hole[..., None], photo, scene.photo)


def load(folder: Path | None) -> SeiganEditor:
    """Returns the editor of a model folder; see `folder.load_networks` for what may be wrong with it."""
    if folder is None:
        raise ModelError(
            "method 'seigan' needs a model folder; train one with scenebrush train recipes/seigan/coco_things.yaml"
        )
    networks, label_set = load_networks(folder)
    return SeiganEditor(networks, label_set, name=folder.resolve().name)
