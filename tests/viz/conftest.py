"""A committed clip of a rendered video, annotated with its own truth: no network needed."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from easi3r import open_dataset
from easi3r.config import SamplingSettings, Settings, StoreSettings, VideoSettings
from easi3r.store import prepare_dataset
from easi3r.store import write_clip as commit_clip
from easi3r.synthetic import MoverSettings, SceneSettings, render, sample_scene, write_clip
from easi3r.types import ClipAnnotation, Frames, Provenance, Reconstruction
from easi3r.video import decode, plan_clips, probe

HEIGHT, WIDTH, PATCH, FRAMES = 48, 80, 16, 6


@dataclass(frozen=True)
class Committed:
    """A clip in a dataset, and what it was made from."""

    url: str
    clip_id: str
    video: Path
    frames: Frames

    @property
    def clip(self) -> xr.Dataset:
        return open_dataset(self.url)[self.clip_id]


@pytest.fixture
def committed(tmp_path: Path) -> Committed:
    settings = SceneSettings(
        frames=FRAMES,
        height=HEIGHT,
        width=WIDTH,
        movers=MoverSettings(visible=(2, 4)),
    )
    scene = render(sample_scene(5, settings))
    video = write_clip(scene, tmp_path / "videos", "scene")
    [spec] = plan_clips(probe(str(video)), SamplingSettings(), VideoSettings())
    frames = decode(spec, WIDTH, PATCH)
    tokens = (FRAMES, HEIGHT // PATCH, PATCH, WIDTH // PATCH, PATCH)
    annotation = ClipAnnotation(
        spec=spec,
        pts_seconds=frames.pts_seconds,
        frame_index=frames.frame_index,
        source_to_stored=frames.source_to_stored,
        images_shape=(HEIGHT, WIDTH),
        dynamic_score=scene.dynamic_mask.reshape(tokens).mean(axis=(2, 4)).astype(np.float32),
        dynamic_mask=scene.dynamic_mask,
        reconstruction=Reconstruction(
            camera_to_world=scene.camera_to_world,
            intrinsics=scene.intrinsics,
            depth=scene.depth,
            confidence=np.full_like(scene.depth, 2),
            loss_history=np.array([0.2, 0.1]),
            quality={},
        ),
        provenance=Provenance(
            weights_name="nano",
            weights_sha256="0" * 64,
            weights_licence="Apache-2.0",
            code_version="0.1.0",
            settings_digest=Settings().digest,
            settings_json=json.dumps(Settings().model_dump(mode="json")),
            device="cpu",
        ),
    )
    url = str(tmp_path / "clips.zarr")
    prepare_dataset(url, "{}")
    commit_clip(url, annotation, StoreSettings())
    return Committed(url, spec.clip_id, video, frames)
