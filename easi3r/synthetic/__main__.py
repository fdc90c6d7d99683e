"""`python -m easi3r.synthetic PICTURE`: a contact sheet of scenes with their truth."""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from easi3r.synthetic.render import RenderedClip, render
from easi3r.synthetic.sampling import sample_scene
from easi3r.synthetic.scene_settings import (
    CameraKind,
    CameraSettings,
    MoverSettings,
    SceneSettings,
    SensorSettings,
    Vocabulary,
)

_ROWS = {
    "rooms": SceneSettings(outdoor=0.0),
    "open ground": SceneSettings(outdoor=1.0),
    "movers, camera standing still": SceneSettings(
        camera=CameraSettings(kinds=(CameraKind.STILL,)), movers=MoverSettings(visible=(2, 4))
    ),
    "movers beside look-alikes": SceneSettings(
        movers=MoverSettings(visible=(1, 2), look_alikes=1.0)
    ),
    "blur, compression, noise": SceneSettings(
        movers=MoverSettings(visible=(1, 3)),
        sensor=SensorSettings(blur=1.0, jpeg=1.0, jpeg_quality=(20, 40), noise=(4.0, 8.0)),
    ),
    "held-out vocabulary": SceneSettings(
        vocabulary=Vocabulary.HELD_OUT, movers=MoverSettings(visible=(1, 3))
    ),
}
_SCENES = 2  # in each row
_FRAMES = 12


def draw(picture: Path, first_seed: int = 0) -> None:
    """Of each scene the first and the last frame, with outlines of what moves, and its depth."""
    columns = 3 * _SCENES
    figure = Figure(figsize=(2.2 * columns, 1.85 * len(_ROWS)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(_ROWS), columns)
    for place, (name, settings) in enumerate(_ROWS.items()):
        row = axes[place]
        sized = settings.model_copy(update={"frames": _FRAMES})
        for number in range(_SCENES):
            clip = render(sample_scene(first_seed + _SCENES * place + number, sized))
            _draw_clip(row[3 * number : 3 * number + 3], clip)
        row[0].set_title(name, loc="left", fontsize="small")
    figure.savefig(picture, dpi=72)


def _draw_clip(axes: np.ndarray, clip: RenderedClip) -> None:
    for axis, frame in zip(axes[:2], (0, len(clip) - 1), strict=True):
        axis.imshow(clip.images[frame])
        if clip.dynamic_mask[frame].any():
            axis.contour(clip.dynamic_mask[frame], levels=[0.5], colors="yellow", linewidths=0.8)
    axes[2].imshow(np.log(clip.depth[-1]), cmap="magma_r")
    for axis in axes:
        axis.set_axis_off()


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--first-seed", type=int, default=0)
    arguments = parser.parse_args()
    draw(arguments.picture, arguments.first_seed)


if __name__ == "__main__":
    main()
