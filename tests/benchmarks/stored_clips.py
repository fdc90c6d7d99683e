"""Clips for the benchmarks of storage: rendered truth with texture and noise, 512x288."""

from functools import cache

import numpy as np

from easi3r.synthetic import RenderedClip, SceneSettings, render, sample_scene
from easi3r.types import ClipAnnotation, ClipSpec, Provenance, Reconstruction

FRAMES, HEIGHT, WIDTH = 24, 288, 512
TEXTURE, NOISE = 0.03, 0.003  # of depth; networks print some of the image into it
_SEED = 3
_FRAMES_PER_SECOND = 24.0


@cache
def rendered_scene(frames: int, height: int, width: int) -> RenderedClip:
    """The scene that the clips show; rendered once."""
    return render(sample_scene(_SEED, SceneSettings(frames=frames, height=height, width=width)))


def made_clip(
    seed: int, frames: int = FRAMES, height: int = HEIGHT, width: int = WIDTH
) -> ClipAnnotation:
    """One scene's truth with this seed's noise, as an annotation."""
    scene, rng = rendered_scene(frames, height, width), np.random.default_rng(seed)
    shape = scene.depth.shape
    texture = TEXTURE * (scene.images.mean(axis=-1, dtype=np.float32) / 255 - 0.5)
    noise = NOISE * rng.standard_normal(shape, dtype=np.float32)
    trust = np.exp(-scene.depth / 5) * (1 + 0.05 * rng.standard_normal(shape, dtype=np.float32))
    times = 1.5 + np.arange(frames) / _FRAMES_PER_SECOND
    spec = ClipSpec(
        video_url=f"file:///videos/{seed}.mp4",
        video_fingerprint=f"{seed:064x}",
        frame_index=tuple(range(frames)),
        pts_seconds=tuple(times.tolist()),
        owned_start=0,
        owned_stop=frames,
    )
    return ClipAnnotation(
        spec=spec,
        pts_seconds=times,
        frame_index=np.arange(frames),
        source_to_stored=np.eye(3),
        images_shape=(height, width),
        dynamic_score=rng.uniform(0, 1, (frames, height // 16, width // 16)).astype(np.float32),
        dynamic_mask=scene.dynamic_mask,
        reconstruction=Reconstruction(
            camera_to_world=scene.camera_to_world,
            intrinsics=scene.intrinsics,
            depth=scene.depth * (1 + texture + noise),
            confidence=(1 + 10 * trust).clip(min=1).astype(np.float32),
            loss_history=np.linspace(0.4, 0.1, 7),
            quality={"final_objective": 0.1},
        ),
        provenance=Provenance(
            weights_name="nano",
            weights_sha256="a" * 64,
            weights_licence="Apache-2.0",
            code_version="0.1.0",
            settings_digest="b" * 64,
            settings_json="{}",
            device="cpu",
        ),
        scale="arbitrary",
        poses_given=True,
        seconds_by_stage={},
    )
