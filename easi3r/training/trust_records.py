"""Quality figures of clips beside the errors that truth shows, one JSON line a clip."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64
from pydantic import BaseModel, ConfigDict

from easi3r.config import Settings
from easi3r.evaluation.baselines import constant_velocity
from easi3r.evaluation.camera_scores import BASELINE_SHARE, score_still_camera
from easi3r.evaluation.depth_scores import known_depth, score_depth
from easi3r.geometry.trajectory import trajectory_error
from easi3r.model import LoadedModel
from easi3r.pipeline import annotate_frames
from easi3r.training.trust_clips import KnownScene, TrustClip
from easi3r.types import Reconstruction

STILL_SHARE = 0.002
"""A camera whose centres spread by less than this share of the scene's depth stands still."""


class TrustRecord(BaseModel):
    """One annotated clip.

    Attributes:
        world: scene or recording; a split never divides one.
        kind: what is special about it; `real` for recordings.
        figures: all quality figures; None where one does not exist.
        path_ratio: error of the path over that of the best evenly paced straight line; of a camera
            that stands still, its drift over what counts as no baseline (2 % of the depth).
        depth_ratio: abs-rel of the depths over that of one depth; None without true depth.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    world: str
    kind: str
    weights_sha256: str
    figures: dict[str, float | None]
    path_ratio: float
    depth_ratio: float | None

    @property
    def worst_ratio(self) -> float:
        """The larger of the two ratios; below 1 both are better than the trivial answers."""
        return max(self.path_ratio, self.depth_ratio or 0.0)


def collect(
    clips: Iterable[TrustClip], model: LoadedModel, settings: Settings, out: Path
) -> Iterator[TrustRecord]:
    """Annotate the clips that a file of records lacks, and append theirs, one by one."""
    done = {record.name for record in read_records(out)} if out.is_file() else set()
    for clip in clips:
        if clip.name in done:
            continue
        frames, scene = clip.read(model, settings)
        chosen = settings.completed(model.defaults)
        _, reconstruction = annotate_frames(frames, model.network, chosen)
        path, depth = error_ratios(reconstruction, scene)
        figures = reconstruction.quality
        record = TrustRecord(
            name=clip.name,
            world=clip.world,
            kind=clip.kind,
            weights_sha256=model.sha256,
            figures={n: v if math.isfinite(v) else None for n, v in figures.items()},
            path_ratio=path,
            depth_ratio=depth,
        )
        with out.open("a") as file:
            file.write(record.model_dump_json() + "\n")
        yield record


def read_records(path: Path) -> list[TrustRecord]:
    """The records of a file."""
    return [TrustRecord.model_validate_json(line) for line in path.read_text().splitlines()]


def error_ratios(reconstruction: Reconstruction, scene: KnownScene) -> tuple[float, float | None]:
    """`path_ratio` and `depth_ratio` of a reconstruction."""
    depth = None
    if known_depth(scene.depth).any():
        depth = depth_ratio(reconstruction.depth, scene.depth)
    return path_ratio(reconstruction, scene), depth


def path_ratio(reconstruction: Reconstruction, scene: KnownScene) -> float:
    """Error of the path over that of the best straight line, or a still camera's drift."""
    truth = scene.camera_to_world
    centres = truth[:, :3, 3]
    spread = np.sqrt(np.square(centres - centres.mean(axis=0)).sum(axis=1).mean())
    known = known_depth(scene.depth)
    if known.any() and spread < STILL_SHARE * np.median(scene.depth[known]):
        still = score_still_camera(
            reconstruction.camera_to_world, reconstruction.depth, scene.depth
        )
        return still.wander / BASELINE_SHARE
    line = trajectory_error(constant_velocity(len(truth)), truth)
    return trajectory_error(reconstruction.camera_to_world, truth) / line


def depth_ratio(
    estimate: Float32[np.ndarray, "frames height width"],
    truth: Float32[np.ndarray, "frames height width"] | Float64[np.ndarray, "frames height width"],
) -> float:
    """abs-rel after one scale over that of one depth."""
    one_depth = score_depth(np.ones_like(truth, np.float32), truth.astype(np.float32))
    return score_depth(estimate, truth.astype(np.float32)).abs_rel / one_depth.abs_rel
