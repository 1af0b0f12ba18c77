"""Pictures of a new layout made of the pixels of one photo: image analogies by labels ("texture by numbers").

Hertzmann et al., SIGGRAPH 2001; the search is PatchMatch (Barnes et al. 2009), the picture a vote of overlapping
patches (Wexler et al. 2007, Kwatra et al. 2005), coarse to fine. No training and no torch.
"""

from scenebrush.canvas.analogy.rendering import Analogy, Rendering
from scenebrush.canvas.analogy.settings import AnalogySettings
from scenebrush.canvas.analogy.things import draw_things

__all__ = ["Analogy", "AnalogySettings", "Rendering", "draw_things"]
