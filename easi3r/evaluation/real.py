"""`easi3r evaluate real`: masks, cameras and depth of real video, as far as it has ground truth.

In this process, and not through a dataset: every cue is scored beside the masks that are used.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from easi3r.config import Settings
from easi3r.evaluation.baselines import MotionMasks
from easi3r.evaluation.examination import OURS, ExaminedClip, examine
from easi3r.evaluation.results import (
    FIRST_PASS,
    ClipResult,
    motion_methods,
    score_geometry,
    score_motion,
)
from easi3r.evaluation.sequence import MOVING, STILL, VOID, TrueSequence
from easi3r.evaluation.sequence_baselines import geometry_baseline_values
from easi3r.evaluation.sequence_scores import (
    SequenceResult,
    Values,
    camera_values,
    depth_notes,
    depth_values,
    mask_values,
)
from easi3r.evaluation.source_pixels import PixelLookup
from easi3r.evaluation.stored_clips import StoredClip, source_masks
from easi3r.evaluation.truth import Truth
from easi3r.geometry import transform_intrinsics
from easi3r.model import LoadedModel
from easi3r.motion import DISFlow
from easi3r.pipeline import frame_size
from easi3r.types import Frames, Reconstruction
from easi3r.video import FrameSize, fit_size
from easi3r.viz import TruthRow

_PICTURES = 4

Motion = UInt8[np.ndarray, "frames height width"]


@dataclass(frozen=True)
class RealResult:
    """Scores of a sequence.

    Attributes:
        clip: at the network's size, every cue among the methods; what requirements are about.
        sequence: as of any data set, masks at the source's pixels.
    """

    clip: ClipResult
    sequence: SequenceResult

    @property
    def name(self) -> str:
        """The sequence's."""
        return self.sequence.name


def score_sequence(sequence: TrueSequence, model: LoadedModel, settings: Settings) -> RealResult:
    """Score all frames of a sequence as one clip.

    Raises:
        TruthError: an image, a mask or a depth cannot be read.
        As `easi3r.pipeline.annotate_frames`.
    """
    frames = read_frames(sequence, frame_size(model, settings))
    motion = _motion(sequence, frames)
    start = time.perf_counter()
    examined = examine(frames, model, settings)
    seconds = time.perf_counter() - start
    stored = _stored(frames, examined.masks.mask, examined.reconstruction)
    depth = stored.true_depth(sequence)
    truth = _truth(sequence, frames, motion, depth)
    judged = motion != VOID
    methods = motion_methods(examined, frames, DISFlow())
    has_geometry = sequence.camera_to_world is not None or bool(depth.any())
    clip = ClipResult(
        name=sequence.name,
        group=sequence.name,
        frames=len(frames),
        height=frames.images.shape[1],
        width=frames.images.shape[2],
        scene_depth=truth.scene_depth,
        moving_share=float((motion[judged] == MOVING).mean()) if judged.any() else np.nan,
        masks=score_motion(methods, motion == MOVING, counted=judged) if judged.any() else {},
        geometry=score_geometry(examined, truth, camera_moves=True) if has_geometry else {},
        seconds=seconds,
        pictures=_pictures(sequence, frames, examined, motion, depth),
    )
    return RealResult(clip, _sequence_result(sequence, stored, depth, examined, methods))


def read_frames(sequence: TrueSequence, size: FrameSize) -> Frames:
    """All frames of a sequence at the network's size."""
    fit = fit_size(sequence.width, sequence.height, 1.0, *size)
    places = range(len(sequence))
    return Frames(
        images=np.stack([fit.apply(Image.fromarray(sequence.image(place))) for place in places]),
        pts_seconds=sequence.pts_seconds,
        frame_index=np.array(places, np.int64),
        source_to_stored=fit.source_to_stored,
        padding=fit.padding,
    )


def _motion(sequence: TrueSequence, frames: Frames) -> Motion:
    """True masks at the stored pixels; frames without one are void, unless nothing moves."""
    height, width = frames.images.shape[1:3]
    size = (sequence.height, sequence.width)
    lookup = PixelLookup.to_source(frames.source_to_stored, size, (height, width), size)
    unknown = STILL if sequence.nothing_moves else VOID
    motion = np.full((len(frames), height, width), unknown, np.uint8)
    for place in range(len(frames)):
        truth = sequence.motion(place)
        if truth is not None:
            motion[place] = lookup(truth, outside=VOID)
    return motion


def _stored(
    frames: Frames, mask: Bool[np.ndarray, "frames height width"], ours: Reconstruction
) -> StoredClip:
    return StoredClip(
        places=frames.frame_index,
        owned=np.ones(len(frames), bool),
        source_to_stored=frames.source_to_stored,
        mask=mask,
        depth=ours.depth,
        camera_to_world=ours.camera_to_world,
        intrinsics=ours.intrinsics,
    )


def _truth(
    sequence: TrueSequence,
    frames: Frames,
    motion: Motion,
    depth: Float32[np.ndarray, "frames height width"],
) -> Truth:
    """What is known at the stored pixels; NaN or 0 where it is not."""
    nothing = np.full((len(frames), 4, 4), np.nan)
    poses, intrinsics = sequence.camera_to_world, sequence.intrinsics
    if poses is None or intrinsics is None:
        intrinsics = np.tile(np.eye(3), (len(frames), 1, 1))
    return Truth(
        depth=depth,
        camera_to_world=nothing if poses is None else poses,
        intrinsics=transform_intrinsics(intrinsics, frames.source_to_stored),
        dynamic_mask=motion == MOVING,
    )


def _sequence_result(
    sequence: TrueSequence,
    stored: StoredClip,
    depth: Float32[np.ndarray, "frames height width"],
    examined: ExaminedClip,
    methods: Sequence[MotionMasks],
) -> SequenceResult:
    values: dict[str, Values] = {}
    for one in methods:
        values[one.method] = mask_values(sequence, source_masks(sequence, [stored], [one.mask]))
    first = examined.first_reconstruction
    notes: tuple[str, ...] = ()
    for method, by in ((FIRST_PASS, first), (OURS, examined.reconstruction)):
        of_cameras, notes = camera_values(sequence, [stored], [by.camera_to_world])
        of_depth = depth_values([by.depth], [depth])
        values[method] = {**values.get(method, {}), **of_cameras, **of_depth}
    for method, of_baseline in geometry_baseline_values(sequence, [stored], [depth], False).items():
        values[method] = of_baseline
    return SequenceResult(
        name=sequence.name,
        dataset=sequence.dataset,
        frames=len(sequence),
        clips=1,
        values={method: of_method for method, of_method in values.items() if of_method},
        notes=(*notes, *depth_notes(sequence)),
        left_out=sequence.left_out,
    )


def _pictures(
    sequence: TrueSequence,
    frames: Frames,
    examined: ExaminedClip,
    motion: Motion,
    depth: Float32[np.ndarray, "frames height width"],
) -> tuple[TruthRow, ...]:
    return tuple(
        TruthRow(
            name=f"frame {sequence.frame_names[at]}",
            image=frames.images[at],
            true_mask=None if (motion[at] == VOID).all() else motion[at] == MOVING,
            mask=examined.masks.mask[at],
            score=examined.masks.score[at],
            true_depth=depth[at] if depth[at].any() else None,
            depth=examined.reconstruction.depth[at],
        )
        for at in sorted({round(x) for x in np.linspace(0, len(frames) - 1, _PICTURES)})
    )
