"""Small rendered videos for tests: seconds to make, real to decode."""

from pathlib import Path

from easi3r.synthetic import SceneSettings, render, sample_scene, write_clip


def write_scenes(folder: Path, count: int, frames: int = 6) -> list[Path]:
    """`count` videos of 96x64 pixels with their truth beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = SceneSettings(frames=frames, height=64, width=96)
    return [
        write_clip(render(sample_scene(seed, settings)), folder, f"scene-{seed}")
        for seed in range(count)
    ]
