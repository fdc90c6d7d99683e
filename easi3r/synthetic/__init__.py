"""Procedural scenes with exact ground truth: for tests, the demo, training and the benchmark.

`sample_scene` draws a textured room or open ground with a camera and objects, some of them moving;
`render` ray-casts it; `write_clip` makes an mp4 with its truth beside it.
"""

from easi3r.synthetic.clip_files import read_truth, write_clip
from easi3r.synthetic.render import RenderedClip, back_project, render
from easi3r.synthetic.sampling import sample_scene
from easi3r.synthetic.scene import Scene, Solid
from easi3r.synthetic.scene_settings import (
    CameraKind,
    CameraSettings,
    MaterialSettings,
    MoverSettings,
    SceneSettings,
    SensorSettings,
    Vocabulary,
)
from easi3r.synthetic.shapes import Shape

__all__ = [
    "CameraKind",
    "CameraSettings",
    "MaterialSettings",
    "MoverSettings",
    "RenderedClip",
    "Scene",
    "SceneSettings",
    "SensorSettings",
    "Shape",
    "Solid",
    "Vocabulary",
    "back_project",
    "read_truth",
    "render",
    "sample_scene",
    "write_clip",
]
