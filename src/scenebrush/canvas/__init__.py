"""Pictures from real pixels: class-bound copying and gradient-domain blending (no torch)."""

from scenebrush.canvas.copying import Fill, fill

__all__ = ["Fill", "fill"]
