"""scenebrush edits photographs by what things are."""

__version__ = "0.1.0"
