"""`easi3r evaluate synthetic`: render, encode, decode, annotate and score clips that have truth."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import cv2
import torch

from easi3r.config import SamplingSettings, Settings
from easi3r.errors import WorkerLostError
from easi3r.evaluation.benchmark_clips import BenchmarkClip, render_benchmark_clip
from easi3r.evaluation.examination import ExaminedClip, examine
from easi3r.evaluation.results import (
    ClipResult,
    motion_methods,
    score_geometry,
    score_motion,
)
from easi3r.evaluation.truth import Truth, resample_truth
from easi3r.model import LoadedModel, load_checkpoint
from easi3r.motion import DISFlow
from easi3r.pipeline import decode_clip, select_device
from easi3r.synthetic import RenderedClip, write_clip
from easi3r.types import Frames
from easi3r.video import plan_clips, probe
from easi3r.viz import TruthRow


def run_benchmark(
    clips: Sequence[BenchmarkClip], settings: Settings, folder: Path, processes: int = 2
) -> Iterator[ClipResult]:
    """Scores of every clip, as they are finished; the videos stay in `folder`.

    Each process uses one thread.

    Raises:
        WorkerLostError: a process died (out of memory, say).
        As `easi3r.pipeline.annotate_clip`: a clip that cannot be annotated ends the run.
    """
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_use_one_thread) as executor:
        futures = [executor.submit(run_clip, clip, settings, folder) for clip in clips]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            remedy = "Free memory, or give fewer processes"
            raise WorkerLostError("benchmark", f"a process died ({error})", remedy) from error
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


def run_clip(clip: BenchmarkClip, settings: Settings, folder: Path) -> ClipResult:
    """Scores of one clip, written as a video file and read back like any other."""
    chosen = settings.model
    model = _warm_model(chosen.weights, chosen.sha256, settings.execution.device)
    rendered = render_benchmark_clip(clip)
    video = write_clip(rendered, folder, clip.name, clip.crf)
    frames = read_frames(video, clip.frames, settings, model)
    truth = truth_of(rendered, frames)
    start = time.perf_counter()
    examined = examine(frames, model, settings)
    seconds = time.perf_counter() - start
    methods = motion_methods(examined, frames, DISFlow())
    return ClipResult(
        name=clip.name,
        group=clip.kind.value,
        frames=len(frames),
        height=frames.images.shape[1],
        width=frames.images.shape[2],
        scene_depth=truth.scene_depth,
        moving_share=float(truth.dynamic_mask.mean()),
        masks=score_motion(methods, truth.dynamic_mask, truth.objects),
        geometry=score_geometry(examined, truth, clip.kind.camera_moves),
        seconds=seconds,
        pictures=(_picture(clip.name, frames, examined, truth),),
    )


def _use_one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@lru_cache(maxsize=1)
def _warm_model(weights: str, sha256: str | None, device: str) -> LoadedModel:
    model = load_checkpoint(weights, sha256)
    model.network.to(select_device(device))
    return model


def read_frames(video: Path, frames: int, settings: Settings, model: LoadedModel) -> Frames:
    """All frames of a video in one clip, decoded as `easi3r annotate` does."""
    [spec] = plan_clips(probe(str(video)), SamplingSettings(clip_frames=frames), settings.video)
    return decode_clip(spec, model, settings)


def truth_of(rendered: RenderedClip, frames: Frames) -> Truth:
    truth = Truth(
        depth=rendered.depth,
        camera_to_world=rendered.camera_to_world,
        intrinsics=rendered.intrinsics,
        dynamic_mask=rendered.dynamic_mask,
        objects=rendered.solid >= 0,
    )
    height, width = frames.images.shape[1:3]
    return resample_truth(truth, frames.frame_index, frames.source_to_stored, height, width)


def _picture(name: str, frames: Frames, examined: ExaminedClip, truth: Truth) -> TruthRow:
    middle = len(frames) // 2
    return TruthRow(
        name=name,
        image=frames.images[middle],
        true_mask=truth.dynamic_mask[middle],
        mask=examined.masks.mask[middle],
        score=examined.masks.score[middle],
        true_depth=truth.depth[middle],
        depth=examined.reconstruction.depth[middle],
    )
