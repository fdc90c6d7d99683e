"""The steps of annotating one clip, each timed; `pipeline.py` puts them in order."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from easi3r.alignment import FlowTerm, align
from easi3r.attention import cluster_tokens, dynamic_map, pair_graph, segment, smooth_over_clusters
from easi3r.config import Cue, Settings
from easi3r.method.padding import still_in_padding, unknown_in_padding, unsure_in_padding
from easi3r.method.passes import (
    FirstPass,
    PassResult,
    attention_pass,
    encode,
    full_pass,
    inference,
    match_pass,
    reweighted_pass,
)
from easi3r.model import DUSt3R
from easi3r.motion import (
    DISFlow,
    FlowEstimator,
    FlowEvidence,
    MotionEvidence,
    MotionScore,
    clip_flow,
    combined_score,
    flow_evidence,
    flow_score,
    match_residual,
    match_score,
    pose_disagreement,
    superpixels,
)
from easi3r.quality.quality_figures import ClipMaterial, map_depth, quality_figures
from easi3r.tensors import AttentionStatistics, DynamicMasks, FrameFeatures, PairGraph
from easi3r.types import Frames, OpticalFlow, Reconstruction, TokenMatches


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


@dataclass(frozen=True)
class ClipSteps:
    """One clip and what its steps share: frames, network, settings, pair graph, features.

    Flow and matches are computed on first use: the attention cue needs no matches, and no flow
    where the alignment gives it no weight.
    """

    frames: Frames
    network: DUSt3R
    settings: Settings
    flow_estimator: FlowEstimator
    clock: StageClock
    graph: PairGraph
    features: FrameFeatures
    clusters: Int64[Tensor, "frames rows columns"]

    @classmethod
    def begin(
        cls,
        frames: Frames,
        network: DUSt3R,
        settings: Settings,
        flow_estimator: FlowEstimator | None = None,
        clock: StageClock | None = None,
    ) -> "ClipSteps":
        """Encode the frames and cluster their tokens."""
        clock = clock or StageClock()
        graph = pair_graph(len(frames), settings.graph)
        with inference(settings), clock.stage("encoder"):
            network = network.in_precision(settings.model.precision or "float32")
            features = encode(network, frames, settings.execution)
        with clock.stage("segmentation"):
            clusters = cluster_tokens(features, settings.segmentation)
        estimator = flow_estimator or DISFlow()
        return cls(frames, network, settings, estimator, clock, graph, features, clusters)

    def first_attention(self) -> AttentionStatistics:
        """Attention statistics of pass 1, without predictions: all that Easi3R needs."""
        with inference(self.settings), self.clock.stage("pass 1"):
            return attention_pass(self.network, self.features, self.graph, self.settings.execution)

    def first_pass(self) -> FirstPass:
        """Pass 1 with predictions, for cues that need geometry."""
        with inference(self.settings), self.clock.stage("pass 1"):
            return full_pass(self.network, self.features, self.graph, self.settings.execution)

    def second_pass(self, steering: DynamicMasks, first: FirstPass | None = None) -> PassResult:
        """Pass 2, re-weighted by masks of what moves; unaffected pairs are reused from `first`."""
        with inference(self.settings), self.clock.stage("pass 2"):
            network, features, graph = self.network, self.features, self.graph
            execution, moving = self.settings.execution, steering.mask
            return reweighted_pass(network, features, graph, execution, moving, first)

    def reconstruct(
        self,
        result: PassResult,
        masks: DynamicMasks | None = None,
        earlier: Reconstruction | None = None,
    ) -> Reconstruction:
        """Cameras and depths of a pass, by global alignment.

        Args:
            masks: pixels whose flow is left out of the alignment; None uses all flow.
            earlier: reconstruction of the first pass, as initial state.

        Returns:
            With known poses, the figures hold `known_pose_disagreement` as well
            (`easi3r.motion.pose_disagreement`).
        """
        settings, known, flow = self.settings.alignment, self.frames.known, None
        if settings.flow_weight:
            static = np.ones(self.frames.images.shape[:3], bool)
            if masks is not None:
                static = ~masks.mask.cpu().numpy()
            height, width = self.frames.images.shape[1:3]
            static &= self.frames.padding.picture(height, width)
            flow = FlowTerm(self.flow, static)
        prediction = unsure_in_padding(result.prediction, self.frames)
        with self.clock.stage("alignment"):
            aligned = align(self.graph, prediction, settings, known, flow, earlier)
        reconstruction = unknown_in_padding(aligned, self.frames)
        if known.camera_to_world is None:
            return reconstruction
        disagreement = pose_disagreement(
            self.flow, reconstruction.intrinsics, known.camera_to_world
        )
        figures = {**reconstruction.quality, "known_pose_disagreement": disagreement}
        return replace(reconstruction, quality=figures)

    def attention_masks(self, statistics: AttentionStatistics) -> DynamicMasks:
        """Masks of what moves by attention, with those that the user knows."""
        return self.with_known_masks(self.segmented(statistics))

    def segmented(self, statistics: AttentionStatistics) -> DynamicMasks:
        """Motion segmentation from attention (docs/method.md §4)."""
        with self.clock.stage("segmentation"):
            masks = segment(statistics, self.clusters, *self.frames.images.shape[1:3])
        return still_in_padding(masks, self.frames)

    def with_known_masks(self, masks: DynamicMasks) -> DynamicMasks:
        """Masks replaced by, or united with, those that the user knows; scores stay the cue's."""
        if self.frames.moving is None:
            return masks
        known = torch.from_numpy(self.frames.moving).to(masks.mask.device)
        unite = self.settings.motion.known_masks == "unite"
        return replace(masks, mask=masks.mask | known if unite else known)

    def with_quality(
        self,
        reconstruction: Reconstruction,
        result: PassResult,
        masks: DynamicMasks,
        earlier: Reconstruction | None = None,
    ) -> Reconstruction:
        """The reconstruction of a pass with its quality figures.

        Unchanged where neither cue nor alignment looks at optical flow: it is not computed, and no
        memory for it is budgeted, for the figures alone.

        Args:
            masks: of the clip.
            earlier: reconstruction of the first pass, where there is one.
        """
        if self.settings.motion.cue == "attention" and not self.settings.alignment.flow_weight:
            return reconstruction
        flow, moving = self.flow, masks.mask.cpu().numpy()
        with self.clock.stage("quality"):
            material = ClipMaterial(
                self.frames.images,
                flow,
                moving,
                reconstruction,
                earlier,
                map_depth(result.prediction),
                self.graph.edges,
            )
            figures = quality_figures(material.without(self.frames.padding)).as_dict()
        return replace(reconstruction, quality={**reconstruction.quality, **figures})

    @cached_property
    def flow(self) -> OpticalFlow:
        """Optical flow of every pair of the graph."""
        with self.clock.stage("optical flow"):
            return clip_flow(self.frames.images, self.graph.edges, self.flow_estimator)

    @cached_property
    def matches(self) -> TokenMatches:
        """Attention's matches of every pair of the graph, nothing re-weighted."""
        with inference(self.settings), self.clock.stage("matches"):
            return match_pass(self.network, self.features, self.graph, self.settings)


@dataclass(frozen=True)
class PassMotion:
    """Motion segmentation of one pass of a clip, by any cue.

    Attributes:
        reconstruction: of this pass alone, which flow and matches are compared with.
    """

    clip: ClipSteps
    result: PassResult
    reconstruction: Reconstruction

    def masks(self) -> DynamicMasks:
        """Masks by the cue that the settings choose, with those that the user knows."""
        masks = self.masks_of(self.clip.settings.motion.cue or "attention")
        return self.clip.with_known_masks(masks)

    def masks_of(self, cue: Cue) -> DynamicMasks:
        """Masks by one cue alone."""
        match cue:
            case "attention":
                return self.clip.segmented(self.result.statistics)
            case "flow":
                return self._timed(lambda: flow_score(self.flow_evidence))
            case "match":
                return self._timed(self._match_score)
            case "combined":
                calibration = self.clip.settings.motion.calibration
                return self._timed(lambda: combined_score(self.evidence, calibration))

    @cached_property
    def flow_evidence(self) -> FlowEvidence:
        """Residuals of optical flow against the reconstruction."""
        return flow_evidence(self.clip.frames.images, self.clip.flow, self.reconstruction)

    @cached_property
    def evidence(self) -> MotionEvidence:
        """Inputs of the combined cue: attention, flow residuals, superpixels."""
        clip = self.clip
        attention = smooth_over_clusters(dynamic_map(self.result.statistics), clip.clusters)
        patches = superpixels(clip.frames.images)
        return MotionEvidence(
            attention.float().cpu().numpy(), self.flow_evidence, clip.flow, patches
        )

    def _match_score(self) -> MotionScore:
        residual = match_residual(self.clip.matches, self.clip.graph.edges, self.reconstruction)
        return match_score(residual, *self.clip.frames.images.shape[1:3])

    def _timed(self, compute: Callable[[], MotionScore]) -> DynamicMasks:
        """Masks from a cue's score, timed and moved to the network's device."""
        with self.clip.clock.stage("motion"):
            motion = compute()
        device = self.clip.features.tokens.device
        score, mask = (torch.from_numpy(part).to(device) for part in (motion.score, motion.mask))
        masks = DynamicMasks(score, mask, motion.threshold)
        return still_in_padding(masks, self.clip.frames)
