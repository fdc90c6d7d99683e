"""Small annotations with every field set, for tests of whatever reads or writes them."""

import numpy as np

from easi3r.types import ClipAnnotation, ClipSpec, Provenance, Reconstruction


def make_annotation(
    frames: int = 5,
    height: int = 16,
    width: int = 32,
    *,
    seed: int = 0,
    weights_sha256: str = "a" * 64,
    video_url: str = "file:///videos/swing.mp4",
    owned_start: int = 30,
    scale: str = "arbitrary",
    stream_break: str | None = None,
    refined: bool = False,
) -> ClipAnnotation:
    """A clip of random depth seen by a camera that turns and moves; variable frame rate.

    Args:
        refined: a refiner made its mask of a smaller one.
    """
    rng = np.random.default_rng(seed)
    index = owned_start + 2 * np.arange(frames)
    pts = 1.5 + np.cumsum(rng.uniform(0.02, 0.08, frames))
    spec = ClipSpec(
        video_url=video_url,
        video_fingerprint=f"{seed:064x}",
        frame_index=tuple(index.tolist()),
        pts_seconds=tuple(pts.tolist()),
        owned_start=owned_start,
        owned_stop=owned_start + 2 * frames,
        stream_break=stream_break,
    )
    score = rng.uniform(0, 1, (frames, height // 16, width // 16)).astype(np.float32)
    mask = rng.uniform(0, 1, (frames, height, width)) > 0.8
    return ClipAnnotation(
        spec=spec,
        pts_seconds=pts,
        frame_index=index,
        source_to_stored=np.array([[0.25, 0, -4.5], [0, 0.25, 1 / 3], [0, 0, 1.0]]),
        images_shape=(height, width),
        dynamic_score=score,
        dynamic_mask=mask,
        reconstruction=_reconstruction(frames, height, width, rng),
        provenance=Provenance(
            weights_name="nano",
            weights_sha256=weights_sha256,
            weights_licence="Apache-2.0",
            code_version="0.1.0",
            settings_digest="b" * 64,
            settings_json="{}",
            device="cpu",
            refiner_name="sam2 tiny" if refined else None,
            refiner_sha256="d" * 64 if refined else None,
        ),
        scale=scale,
        poses_given=True,
        seconds_by_stage={"decode": 0.25, "align": 3.0},
        unrefined_mask=mask & (np.arange(width) % 2 == 0) if refined else None,
    )


def _reconstruction(
    frames: int, height: int, width: int, rng: np.random.Generator
) -> Reconstruction:
    camera_to_world = np.tile(np.eye(4), (frames, 1, 1))
    for frame, angle in enumerate(rng.uniform(-1, 1, frames)):
        cosine, sine = np.cos(angle), np.sin(angle)
        camera_to_world[frame, :3, :3] = [[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]
        camera_to_world[frame, :3, 3] = rng.normal(size=3)
    intrinsics = np.array([[40.0, 0, width / 2], [0, 41.0, height / 2], [0, 0, 1]])
    return Reconstruction(
        camera_to_world=camera_to_world,
        intrinsics=np.tile(intrinsics, (frames, 1, 1)),
        depth=rng.lognormal(1, 0.5, (frames, height, width)).astype(np.float32),
        confidence=(1 + rng.lognormal(0, 1, (frames, height, width))).astype(np.float32),
        loss_history=np.linspace(0.4, 0.1, 7),
        quality={"final_objective": 0.1, "median_reprojection_px": float("nan")},
    )
