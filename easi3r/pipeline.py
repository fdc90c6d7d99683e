"""The whole method on one page: frames of a clip in; masks, cameras and depths out.

Start reading here. Each step is a room of its own; they meet only in this file. The method is
that of Easi3R (arXiv 2503.24391) on DUSt3R (arXiv 2312.14132).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np
import torch

from easi3r.alignment import DISFlow, FlowEstimator, align, estimate_flow
from easi3r.attention import (
    StatisticsAccumulator,
    cluster_tokens,
    pair_graph,
    segment,
    token_masks,
)
from easi3r.config import ExecutionSettings, Settings
from easi3r.errors import OutOfMemoryError, SettingsError
from easi3r.model import DUSt3R, LoadedModel, normalise
from easi3r.tensors import DynamicMasks, FrameFeatures, PairGraph, PairPrediction
from easi3r.types import (
    ClipAnnotation,
    ClipSpec,
    Frames,
    KnownCameras,
    Provenance,
    Reconstruction,
    digest,
)
from easi3r.video import decode


@dataclass
class StageClock:
    """Seconds spent in each named stage of one clip, the device's work included."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to `name`."""
        start = self._now()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self._now() - start

    def _now(self) -> float:
        if self.device.type == "cuda":  # its work is queued, not done, when a call returns
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def annotate_clip(
    spec: ClipSpec, model: LoadedModel, settings: Settings, known: KnownCameras | None = None
) -> ClipAnnotation:
    """Decode one clip and annotate it.

    Args:
        spec: which frames of which video.
        model: the network, on the device it is to run on.
        settings: of the run.
        known: cameras given from outside; None estimates them.

    Raises:
        VideoError: the frames cannot be read.
        NonFiniteError, DegenerateGeometryError, DisconnectedGraphError: the predictions allow no
            cameras.
        OutOfMemoryError: the device is too small for `execution.pairs_per_batch`.
    """
    clock = StageClock(model.device)
    known = known or KnownCameras()
    long_side = settings.video.long_side_px or model.config.long_side_px
    with clock.stage("decode"):
        frames = decode(spec, long_side, model.config.patch_size)
    masks, reconstruction = annotate_frames(frames, model.network, settings, known, clock=clock)
    return ClipAnnotation(
        spec=spec,
        pts_seconds=frames.pts_seconds,
        frame_index=frames.frame_index,
        source_to_stored=frames.source_to_stored,
        images_shape=(frames.images.shape[1], frames.images.shape[2]),
        dynamic_score=masks.score.float().cpu().numpy(),
        dynamic_mask=masks.mask.cpu().numpy(),
        reconstruction=reconstruction,
        provenance=provenance(model, settings, known),
        scale=known.annotated_scale,
        seconds_by_stage=clock.seconds,
    )


def annotate_frames(
    frames: Frames,
    network: DUSt3R,
    settings: Settings,
    known: KnownCameras | None = None,
    flow_estimator: FlowEstimator | None = None,
    clock: StageClock | None = None,
) -> tuple[DynamicMasks, Reconstruction]:
    """Masks, cameras and depths of frames that are already in memory.

    Args:
        flow_estimator: optical flow for the alignment; None takes OpenCV's DIS flow.
        clock: receives the seconds of each stage.

    Returns:
        The masks of pass 2, at the frames' resolution; cameras, depths and confidences in the
        world of the first frame's camera, or in that of the known poses.

    Raises:
        As `annotate_clip`, but for errors of the video.
    """
    clock = clock or StageClock()
    known = known or KnownCameras()
    flow_estimator = flow_estimator or DISFlow()
    graph = pair_graph(len(frames), settings.graph)
    with _out_of_memory_named(network, settings.execution):
        masks, prediction = _two_passes(frames, network, settings, graph, clock)
        with clock.stage("alignment"):
            flow = None
            if settings.alignment.flow_weight > 0:
                dynamic = masks.mask.cpu().numpy()
                flow = estimate_flow(frames.images, dynamic, graph, flow_estimator)
            reconstruction = align(graph, prediction, settings.alignment, known, flow)
    return masks, reconstruction


def _two_passes(
    frames: Frames, network: DUSt3R, settings: Settings, graph: PairGraph, clock: StageClock
) -> tuple[DynamicMasks, PairPrediction]:
    """What moves, read from the second pass, and what that pass predicts of every pair."""
    height, width = frames.images.shape[1:3]
    with _inference(network, settings):
        with clock.stage("encoder"):
            features = _encode(network, frames, settings.execution)
        with clock.stage("segmentation"):
            clusters = cluster_tokens(features, settings.segmentation)
        with clock.stage("pass 1"):
            statistics = StatisticsAccumulator(graph.frames)
            for edges in _batches(graph, settings.execution):
                statistics.add(network.key_means(features, edges), edges)
        with clock.stage("segmentation"):
            steering = segment(statistics.finish(), clusters, height, width)
        with clock.stage("pass 2"):
            moving = token_masks(steering.mask, network.config.patch_size).flatten(1)
            statistics = StatisticsAccumulator(graph.frames)
            predictions = []
            for edges in _batches(graph, settings.execution):
                prediction, key_means = network.predict(features, edges, moving)
                statistics.add(key_means, edges)
                predictions.append(prediction)
        with clock.stage("segmentation"):
            masks = segment(statistics.finish(), clusters, height, width)
        return masks, _concatenate(predictions)


def provenance(model: LoadedModel, settings: Settings, known: KnownCameras) -> Provenance:
    """Where annotations of this model, these settings and these known cameras come from."""
    known_digest = known.digest
    settings_digest = digest([settings.digest, known_digest]) if known_digest else settings.digest
    return Provenance(
        weights_name=model.name,
        weights_sha256=model.sha256,
        weights_licence=model.licence,
        code_version=version("easi3r"),
        settings_digest=settings_digest,
        settings_json=settings.model_dump_json(),
        device=str(model.device),
    )


def select_device(name: str) -> torch.device:
    """The device of a name; `auto` takes the first GPU, else the CPU.

    Raises:
        SettingsError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        remedy = "Choose `cpu`, `auto` or a device that torch sees"
        raise SettingsError("execution.device", f"no device {name!r} ({error})", remedy) from error
    return device


@contextmanager
def _inference(network: DUSt3R, settings: Settings) -> Iterator[None]:
    """No gradients, and exactly the precision asked for."""
    device = network.mask_token.device
    lower = settings.model.precision == "bfloat16"
    with (
        torch.no_grad(),
        torch.autocast(device.type, torch.bfloat16, enabled=lower),
        # torch lets convolutions round float32 to TF32 unless told otherwise.
        torch.backends.cudnn.flags(enabled=True, allow_tf32=lower),
    ):
        yield


@contextmanager
def _out_of_memory_named(network: DUSt3R, execution: ExecutionSettings) -> Iterator[None]:
    """Running out of device memory as our own, transient error."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        problem = f"out of memory with {execution.pairs_per_batch} pairs in flight"
        remedy = "Lower execution.pairs_per_batch, video.long_side_px or sampling.clip_frames"
        raise OutOfMemoryError(str(network.mask_token.device), problem, remedy) from error


def _encode(network: DUSt3R, frames: Frames, execution: ExecutionSettings) -> FrameFeatures:
    """Features of all frames; a pair in flight is two frames, so as many frames as two per pair."""
    device = network.mask_token.device
    images = torch.from_numpy(frames.images)
    parts = [
        network.encode(normalise(batch.to(device)))
        for batch in images.split(2 * execution.pairs_per_batch)
    ]
    tokens = torch.cat([part.tokens for part in parts])
    return FrameFeatures(tokens, parts[0].rows, parts[0].columns)


def _batches(graph: PairGraph, execution: ExecutionSettings) -> Iterator[np.ndarray]:
    for start in range(0, len(graph), execution.pairs_per_batch):
        yield graph.edges[start : start + execution.pairs_per_batch]


def _concatenate(predictions: list[PairPrediction]) -> PairPrediction:
    return PairPrediction(
        points_1=torch.cat([p.points_1 for p in predictions]),
        points_2=torch.cat([p.points_2 for p in predictions]),
        confidence_1=torch.cat([p.confidence_1 for p in predictions]),
        confidence_2=torch.cat([p.confidence_2 for p in predictions]),
    )
