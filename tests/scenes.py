"""Small rendered videos for tests: seconds to make, real to decode."""

from collections.abc import Sequence
from pathlib import Path

import av

from easi3r.synthetic import SceneSettings, render, sample_scene, write_clip


def write_scenes(folder: Path, count: int, frames: int = 6) -> list[Path]:
    """`count` videos of 96x64 pixels with their truth beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = SceneSettings(frames=frames, height=64, width=96)
    return [
        write_clip(render(sample_scene(seed, settings)), folder, f"scene-{seed}")
        for seed in range(count)
    ]


def write_cut_scenes(path: Path, lengths: Sequence[int]) -> Path:
    """One video of 96x64 pixels that cuts from scene to scene, each of so many frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "5", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for seed, frames in enumerate(lengths):
            scene = sample_scene(1 + 4 * seed, SceneSettings(frames=frames, height=64, width=96))
            for image in render(scene).images:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path
