"""Procedural scenes with exact ground truth: for tests, the demo and training.

`sample_scene` draws a textured room with a moving camera and solids, some of them moving;
`render` ray-casts it; `write_clip` makes an mp4 with its truth beside it.
"""

from easi3r.synthetic.files import read_truth, write_clip
from easi3r.synthetic.render import RenderedClip, back_project, render
from easi3r.synthetic.scene import Materials, Scene, SceneSettings, Shape, Solid, sample_scene

__all__ = [
    "Materials",
    "RenderedClip",
    "Scene",
    "SceneSettings",
    "Shape",
    "Solid",
    "back_project",
    "read_truth",
    "render",
    "sample_scene",
    "write_clip",
]
