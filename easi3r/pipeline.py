"""The whole method on one page: frames of a clip in; masks, cameras and depths out.

Start reading here. Each step is a room of its own; they meet only in this file and in `method/`:
`steps.py` (the steps of one clip) and `passes.py` (the network over its pairs). The method is that
of Easi3R (arXiv 2503.24391) on DUSt3R (arXiv 2312.14132); docs/method.md states it.
"""

from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from easi3r.config import Cue, Settings, WeightDefaults
from easi3r.cost.memory import within_budget
from easi3r.errors import SettingsError
from easi3r.knowledge import KnownCameras
from easi3r.known import known_of, undistortion, with_known
from easi3r.method.device_faults import device_faults_named
from easi3r.method.passes import device_errors_named
from easi3r.method.refiner import Refiner, refiner_memory, refiner_of
from easi3r.method.steps import ClipSteps, PassMotion, StageClock
from easi3r.model import DUSt3R, LoadedModel
from easi3r.motion import DISAGREEMENT_LIMIT, POSES_DISAGREE, FlowEstimator, MotionEvidence
from easi3r.quality.trust import assess, require_evidence
from easi3r.tensors import DynamicMasks
from easi3r.types import (
    ClipAnnotation,
    ClipSpec,
    Frames,
    Provenance,
    Reconstruction,
    digest,
)
from easi3r.video import FrameSize, decode


def annotate_clip(
    spec: ClipSpec, model: LoadedModel, settings: Settings, known: KnownCameras | None = None
) -> ClipAnnotation:
    """Decode one clip and annotate it.

    Args:
        spec: which frames of which video.
        model: the network, on the device it is to run on.
        settings: of the run.
        known: known cameras; None: those of `spec.known`, or else they are estimated.

    Raises:
        VideoError, KnownInputError: the frames, or what is known of them, cannot be read.
        NonFiniteError, DegenerateGeometryError, DisconnectedGraphError: the predictions allow no
            cameras.
        OutOfMemoryError: the device is too small for `execution.pairs_per_batch`.
        DeviceFaultError: the device failed, and this process can use it no more.
        SettingsError: `execution.memory_budget_bytes` is too small for the clip.
        DegenerateClipError: its images prove nothing, and `degenerate` is `quarantine`.
    """
    clock = StageClock(model.device)
    with clock.stage("decode"):
        frames = decode_clip(spec, model, settings)
    if known is not None:
        frames = replace(frames, known=known)
    return annotate_decoded(spec, frames, model, settings, clock)


def decode_clip(spec: ClipSpec, model: LoadedModel, settings: Settings) -> Frames:
    """The frames of one clip, at the size that the settings, or else the weights, ask for.

    With `spec.known`: undistorted, with the cameras and motion masks that the user knows.

    Raises:
        VideoError: they cannot be read.
        KnownInputError: what the user knows cannot be read, or changed since it was planned.
        UnreadableURLError, StorageUnavailableError: nor can their file.
    """
    known = known_of(spec)
    frames = decode(spec, *frame_size(model, settings), undistortion(known))
    return with_known(frames, known)


def frame_size(model: LoadedModel, settings: Settings) -> FrameSize:
    """The size of frames that the settings, or else the weights, ask for."""
    long_side = settings.video.long_side_px or model.config.long_side_px
    return FrameSize(long_side, model.config.patch_size, settings.video.fit)


def annotate_decoded(
    spec: ClipSpec,
    frames: Frames,
    model: LoadedModel,
    settings: Settings,
    clock: StageClock | None = None,
) -> ClipAnnotation:
    """`annotate_clip` from decoded frames on; `clock` holds what was timed before.

    Raises:
        As `annotate_clip`, but for errors of the video.
    """
    clock = clock or StageClock(model.device)
    chosen = settings.completed(model.defaults)
    masks, reconstruction = annotate_frames(frames, model.network, chosen, clock=clock)
    trust = assess(reconstruction.quality, model.sha256)
    if settings.degenerate == "quarantine" and trust is not None:
        require_evidence(f"clip {spec.clip_id}", trust)
    refined, refiner = masks, refiner_of(settings.masks, model.device)
    if refiner is not None:
        with clock.stage("refinement"), device_errors_named(model.network, chosen.execution):
            refined = refiner.refine(frames, masks)
    known_digest = spec.known_digest or _digest_of_arrays(frames)
    return ClipAnnotation(
        spec=spec,
        pts_seconds=frames.pts_seconds,
        frame_index=frames.frame_index,
        source_to_stored=frames.source_to_stored,
        images_shape=(frames.images.shape[1], frames.images.shape[2]),
        dynamic_score=_by_token(masks.score, frames, model.config.patch_size),
        dynamic_mask=refined.mask.cpu().numpy(),
        reconstruction=reconstruction,
        provenance=provenance(model, settings, known_digest, refiner),
        scale=frames.known.annotated_scale,
        poses_given=frames.known.camera_to_world is not None,
        seconds_by_stage=clock.seconds,
        padding=frames.padding,
        unrefined_mask=None if refiner is None else masks.mask.cpu().numpy(),
        undistorted=frames.undistorted,
        warnings=_warnings(reconstruction),
        trust=trust,
    )


def annotate_frames(
    frames: Frames,
    network: DUSt3R,
    settings: Settings,
    flow_estimator: FlowEstimator | None = None,
    clock: StageClock | None = None,
) -> tuple[DynamicMasks, Reconstruction]:
    """Masks, cameras and depths of frames that are already in memory.

    Args:
        settings: what they leave to the weights is taken as for weights that recommend nothing;
            `settings.completed(model.defaults)` takes what loaded weights recommend.
        flow_estimator: optical flow for alignment and cues; None takes OpenCV's DIS flow.
        clock: receives the seconds of each stage.

    Returns:
        The masks of pass 2, not refined, at the frames' resolution; cameras, depths and confidences
        in the world of the first frame's camera, or in that of the known poses.

    Raises:
        As `annotate_clip`, but for errors of the video.
    """
    beside = refiner_memory(settings.masks, network.mask_token.device, frames)
    settings = within_budget(settings.completed(WeightDefaults()), network.config, frames, beside)
    with device_errors_named(network, settings.execution):
        clip = ClipSteps.begin(frames, network, settings, flow_estimator, clock)
        if settings.motion.cue == "attention":  # which needs no predictions of pass 1
            second = clip.second_pass(clip.attention_masks(clip.first_attention()))
            masks = clip.attention_masks(second.statistics)
            reconstruction = clip.reconstruct(second, masks)
            return masks, clip.with_quality(reconstruction, second, masks)
        passes = run_both_passes(clip)
        motion, masks = passes.motion, passes.motion.masks()
        first = passes.first_reconstruction
        return masks, clip.with_quality(passes.reconstruction, motion.result, masks, first)


@dataclass(frozen=True)
class BothPasses:
    """Both passes of a clip, each reconstructed.

    Attributes:
        first_reconstruction: of pass 1: nothing re-weighted, nothing taken to move.
        motion: what moves in pass 2, by any cue.
    """

    first_reconstruction: Reconstruction
    motion: PassMotion

    @property
    def reconstruction(self) -> Reconstruction:
        """Of pass 2."""
        return self.motion.reconstruction


def run_both_passes(clip: ClipSteps) -> BothPasses:
    """Pass 1, what moves in it, and pass 2 re-weighted by that."""
    first = clip.first_pass()
    first_reconstruction = clip.reconstruct(first)
    steering = PassMotion(clip, first, first_reconstruction).masks()
    second = clip.second_pass(steering, first)
    if clip.settings.motion.cue == "attention":  # Easi3R masks the flow term by pass 2's masks
        reconstruction = clip.reconstruct(second, clip.attention_masks(second.statistics))
    else:
        reconstruction = clip.reconstruct(second, steering, first_reconstruction)
    return BothPasses(first_reconstruction, PassMotion(clip, second, reconstruction))


@dataclass(frozen=True)
class CueMasks:
    """What one cue says moves."""

    name: Cue
    masks: DynamicMasks


@dataclass(frozen=True)
class Examination:
    """Everything about some frames that can be scored.

    Attributes:
        masks, reconstruction: as `annotate_frames` gives them.
        first_reconstruction: of the first pass: nothing re-weighted, nothing taken to move.
        cues: each cue alone, on the final reconstruction; `combined` where it is calibrated.
        evidence: what attention and flow say, of which `combined` is made.
    """

    masks: DynamicMasks
    reconstruction: Reconstruction
    first_reconstruction: Reconstruction
    cues: tuple[CueMasks, ...]
    evidence: MotionEvidence


def examine_frames(
    frames: Frames,
    model: LoadedModel,
    settings: Settings,
    flow_estimator: FlowEstimator | None = None,
) -> Examination:
    """`annotate_frames`, with the masks of every cue and the reconstruction of the first pass.

    Raises:
        As `annotate_frames`.
    """
    refiner = refiner_of(settings.masks, model.device)
    beside = refiner_memory(settings.masks, model.device, frames)
    settings = within_budget(settings.completed(model.defaults), model.config, frames, beside)
    with device_errors_named(model.network, settings.execution):
        clip = ClipSteps.begin(frames, model.network, settings, flow_estimator)
        passes = run_both_passes(clip)
        names: list[Cue] = ["attention", "flow", "match"]
        if settings.motion.calibration is not None:
            names.append("combined")
        masks = passes.motion.masks()
        return Examination(
            masks=masks if refiner is None else refiner.refine(frames, masks),
            reconstruction=passes.reconstruction,
            first_reconstruction=passes.first_reconstruction,
            cues=tuple(CueMasks(name, passes.motion.masks_of(name)) for name in names),
            evidence=passes.motion.evidence,
        )


def provenance(
    model: LoadedModel,
    settings: Settings,
    known_digest: str | None = None,
    refiner: Refiner | None = None,
) -> Provenance:
    """Where annotations come from: model, settings, what the user knew, and the refiner."""
    if refiner is not None:
        masks = settings.masks.model_copy(update={"refiner_sha256": refiner.sha256})
        settings = settings.model_copy(update={"masks": masks})
    return Provenance(
        weights_name=model.name,
        weights_sha256=model.sha256,
        weights_licence=model.licence,
        code_version=version("easi3r"),
        settings_digest=settings.result_digest(known_digest),
        settings_json=settings.completed(model.defaults).model_dump_json(),
        device=str(model.device),
        refiner_name=None if refiner is None else refiner.name,
        refiner_sha256=None if refiner is None else refiner.sha256,
        known_digest=known_digest,
    )


def select_device(name: str) -> torch.device:
    """The device of a name; `auto` takes the first GPU, else the CPU.

    Raises:
        SettingsError: no such device here.
        DeviceFaultError: it is there, and failed.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        with device_faults_named(name):
            torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        remedy = "Choose `cpu`, `auto` or a device that torch sees"
        raise SettingsError("execution.device", f"no device {name!r} ({error})", remedy) from error
    return device


def _digest_of_arrays(frames: Frames) -> str | None:
    """The digest of what is known of some frames where no file says it; None: nothing is."""
    arrays = [frames.known.intrinsics, frames.known.camera_to_world]
    if frames.moving is not None:
        arrays.append(np.packbits(frames.moving))
    if all(array is None for array in arrays):
        return None
    return digest([None if array is None else array.tolist() for array in arrays])


def _warnings(reconstruction: Reconstruction) -> tuple[str, ...]:
    disagreement = reconstruction.quality.get("known_pose_disagreement", 0.0)
    return (POSES_DISAGREE,) if disagreement > DISAGREEMENT_LIMIT else ()


def _by_token(
    score: Float[Tensor, "frames _rows _columns"], frames: Frames, patch: int
) -> Float32[np.ndarray, "frames rows columns"]:
    """The mean score of each token's pixels, where a score is finer than tokens."""
    height, width = frames.images.shape[1:3]
    by_token = torch.nn.functional.adaptive_avg_pool2d(
        score.float()[:, None], (height // patch, width // patch)
    )
    return by_token[:, 0].cpu().numpy()
