"""A sequence from its committed clips to its result, its masks as PNG and its picture."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from easi3r.errors import Easi3RError, UnwritableDestinationError
from easi3r.evaluation.examination import OURS
from easi3r.evaluation.protocols import LONGEST_CLIP
from easi3r.evaluation.sequence import TrueSequence
from easi3r.evaluation.sequence_baselines import geometry_baseline_values, mask_baseline_values
from easi3r.evaluation.sequence_files import written_masks
from easi3r.evaluation.sequence_pictures import draw_sequence
from easi3r.evaluation.sequence_runs import AnnotatedSequence, Evaluation, described
from easi3r.evaluation.sequence_scores import (
    SequenceResult,
    camera_values,
    depth_notes,
    depth_values,
    mask_values,
    point_values,
)
from easi3r.evaluation.stored_clips import StoredClip, source_masks
from easi3r.store import open_dataset
from easi3r.viz import recorded_frames

_WITH_POINTS = frozenset({"dycheck"})  # data sets whose points are scored


def score_sequence(annotated: AnnotatedSequence, evaluation: Evaluation) -> SequenceResult:
    """The result of a sequence; writes its masks and its picture under `evaluation.out`.

    One that was not annotated, or whose truth or clips cannot be read, has its problem in it.

    Raises:
        UnwritableDestinationError: `evaluation.out` cannot be written.
    """
    sequence = annotated.sequence
    result = SequenceResult(
        name=sequence.name,
        dataset=sequence.dataset,
        frames=len(sequence),
        clips=len(annotated.clips),
        problem=annotated.problem,
        left_out=sequence.left_out,
        seconds={"video": annotated.video_seconds},
    )
    if annotated.problem:
        return result
    try:
        return _scored(annotated, evaluation, result)
    except UnwritableDestinationError:
        raise
    except Easi3RError as error:
        return replace(result, problem=described(error))


def _scored(
    annotated: AnnotatedSequence, evaluation: Evaluation, result: SequenceResult
) -> SequenceResult:
    sequence, seconds = annotated.sequence, dict(result.seconds)
    dataset = open_dataset(evaluation.dataset)
    with _timed(seconds, "scores"):
        opened = [dataset.open_clip(one.clip_id, one.result_id) for one in annotated.clips]
        clips = [StoredClip.of(one) for one in opened]
        truths = [clip.true_depth(sequence) for clip in clips]
        depths = [clip.depth for clip in clips]
        masks = source_masks(sequence, clips, [clip.mask for clip in clips])
        folder = evaluation.out / "masks"
        of_masks = mask_values(sequence, written_masks(sequence, masks, folder))
        paths = [clip.camera_to_world for clip in clips]
        of_cameras, notes = camera_values(sequence, clips, paths)
        ours = {**of_masks, **of_cameras, **depth_values(depths, truths)}
        notes = (*coverage_notes(sequence, clips, evaluation), *notes, *depth_notes(sequence))
        with_points = sequence.dataset in _WITH_POINTS
        if with_points:
            of_points, more = point_values(sequence, clips, depths, truths)
            ours, notes = {**ours, **of_points}, (*notes, *more)
    values = {OURS: ours}
    with _timed(seconds, "baselines"):
        images = [recorded_frames(one).images for one in opened]
        if of_masks:
            values |= mask_baseline_values(sequence, clips, images)
        values |= geometry_baseline_values(sequence, clips, truths, with_points)
    with _timed(seconds, "pictures"):
        scores = [one["dynamic_score"].to_numpy() for one in opened]
        path = evaluation.out / "pictures" / f"{sequence.name}.png"
        draw_sequence(sequence, clips, images, scores, truths, path)
    return replace(result, values=values, notes=notes, seconds=seconds)


def coverage_notes(
    sequence: TrueSequence, clips: Sequence[StoredClip], evaluation: Evaluation
) -> tuple[str, ...]:
    """Where the clips are not what the protocol means: several, or of some frames only."""
    notes = []
    if evaluation.protocol == "paper" and len(clips) > 1:
        notes.append(f"{len(clips)} clips: one holds {LONGEST_CLIP} frames at most")
    annotated = sum(int(clip.owned.sum()) for clip in clips)
    if annotated < len(sequence):
        notes.append(f"{annotated} of {len(sequence)} frames annotated")
    return tuple(notes)


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start
