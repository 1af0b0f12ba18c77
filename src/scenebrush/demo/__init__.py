"""The demo: a photograph that comes with scikit-learn, a label map made by us, and edits worth looking at."""

from scenebrush.demo.edits import CAPTIONS, CREDIT, DemoEdit, demo_edits, demo_scene
from scenebrush.demo.making import make_demo
from scenebrush.demo.sheet import sheet

__all__ = ["CAPTIONS", "CREDIT", "DemoEdit", "demo_edits", "demo_scene", "make_demo", "sheet"]
