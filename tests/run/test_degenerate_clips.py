"""Clips whose images prove nothing end with a low trust and the reason, or quarantined as set."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

import easi3r
from easi3r.config import Settings
from easi3r.plan import plan_video
from easi3r.run.run import Run
from easi3r.run.worker import annotate_batch
from easi3r.store import prepare_dataset, query, update_index
from easi3r.synthetic import CameraKind, CameraSettings, SceneSettings, render, sample_scene
from easi3r.types import ClipReport, Outcome
from easi3r.video import SourceVideo

FRAMES = 8
JUMP = 50
QUICK = {"alignment": {"max_steps": 10}}  # more would bend what proves nothing further


def level(grey: int) -> np.ndarray:
    return np.full((FRAMES, 72, 96, 3), grey, np.uint8)


def jump() -> np.ndarray:
    """A camera that walks on for 50 frames that the clip lacks."""
    camera = CameraSettings(kinds=(CameraKind.WANDER,), speed=(1.0, 1.2), turn_rate=(30, 32))
    settings = SceneSettings(frames=FRAMES + JUMP, height=72, width=96, camera=camera, outdoor=0.0)
    half = FRAMES // 2
    scene = sample_scene(3, settings)
    return render(scene.select([*range(half), *range(half + JUMP, FRAMES + JUMP)])).images


def write_video(path: Path, images: np.ndarray) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12, options={"crf": "18"})
        stream.height, stream.width = images.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


def annotated(folder: Path, images: np.ndarray, settings: Settings) -> tuple[str, ClipReport]:
    """The dataset, and the report of its one clip, which the ordinary worker made."""
    dataset, video = str(folder / "out.zarr"), folder / "clip.mp4"
    write_video(video, images)
    prepare_dataset(dataset, settings.model_dump_json())
    plan = plan_video(SourceVideo(str(video)), dataset, settings)
    (report,) = annotate_batch(plan.specs, Run("videos", dataset, settings))
    return dataset, report


CLIPS = pytest.mark.parametrize(
    ("images", "reason"),
    [
        pytest.param(lambda: level(0), "no texture", id="black"),
        pytest.param(lambda: level(255), "no texture", id="white"),
        pytest.param(jump, "cut inside", id="jump"),
    ],
)


@CLIPS
def test_they_are_marked(tmp_path: Path, images: Callable[[], np.ndarray], reason: str) -> None:
    dataset, report = annotated(tmp_path, images(), Settings.parse(QUICK))
    assert report.outcome is Outcome.COMMITTED
    assert report.trust is not None
    assert report.trust < 0.2
    (record,) = easi3r.open_dataset(dataset).results
    assert reason in record.trust_reasons
    update_index(dataset)
    assert len(query(dataset, "trust < 0.2")) == 1


@CLIPS
def test_or_quarantined(tmp_path: Path, images: Callable[[], np.ndarray], reason: str) -> None:
    dataset, report = annotated(
        tmp_path, images(), Settings.parse({**QUICK, "degenerate": "quarantine"})
    )
    assert report.outcome is Outcome.QUARANTINED
    assert report.reason == "degenerate_clip"
    assert reason in (report.message or "")
    assert not easi3r.open_dataset(dataset).results


def test_the_setting_moves_no_result() -> None:
    assert Settings(degenerate="quarantine").digest == Settings().digest
