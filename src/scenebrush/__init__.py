"""scenebrush edits photographs by what things are.

from scenebrush import Editor, Scene

scene = Scene.open("street.jpg", labels="street.png", label_set="camvid")
Editor(scene).erase(at=(120, 200)).render().save("out.jpg")
"""

from scenebrush.editor import Editor
from scenebrush.errors import EditError, InputError, LabelError, ModelError, ScenebrushError
from scenebrush.methods import list_models, load_model, load_segmenter
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.operations import Segment
from scenebrush.scene.scene import Scene
from scenebrush.synthesis_editor import SynthesisEditor

__version__ = "0.1.0"

__all__ = [
    "Edit",
    "EditError",
    "Editor",
    "InputError",
    "LabelError",
    "LabelSet",
    "Layout",
    "ModelError",
    "Scene",
    "ScenebrushError",
    "Segment",
    "SynthesisEditor",
    "__version__",
    "list_models",
    "load_model",
    "load_segmenter",
]
