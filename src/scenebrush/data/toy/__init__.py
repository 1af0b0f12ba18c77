"""The toy world: seeded street-like scenes with exact labels, rendered with and without any one object."""

from scenebrush.data.toy.folder import write_toy_folder
from scenebrush.data.toy.parts import ToyObject
from scenebrush.data.toy.world import Counterfactual, ToyWorld, draw_counterfactuals

__all__ = ["Counterfactual", "ToyObject", "ToyWorld", "draw_counterfactuals", "write_toy_folder"]
