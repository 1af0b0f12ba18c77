"""Pictures from real pixels: class-bound copying, gradient-domain blending, pasting (no torch)."""

from scenebrush.canvas.composing import Canvas, compose
from scenebrush.canvas.copying import Fill, fill
from scenebrush.canvas.pasting import paste

__all__ = ["Canvas", "Fill", "compose", "fill", "paste"]
