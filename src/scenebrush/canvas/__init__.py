"""Pictures from real pixels: class-bound copying, gradient-domain blending, pasting (no torch)."""

from scenebrush.canvas.composing import Canvas, compose
from scenebrush.canvas.copying import Fill, fill
from scenebrush.canvas.pasting import paste
from scenebrush.canvas.plan import Parts

__all__ = ["Canvas", "Fill", "Parts", "compose", "fill", "paste"]
