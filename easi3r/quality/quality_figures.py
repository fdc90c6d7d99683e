"""The quality figures of a clip, computed while it is in memory; names carry units."""

from dataclasses import asdict, dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from easi3r.geometry.trajectory import align_path
from easi3r.quality import depth_agreement as depths
from easi3r.quality import image_evidence as evidence
from easi3r.quality.flow_cameras import (
    bend_agreement,
    centres_by_flow,
    flow_cameras,
    halves_agreement,
    off_straight_line,
    rotation_angles_deg,
    share,
    spread,
)
from easi3r.quality.pair_samples import PairSamples, grid, sample_pairs
from easi3r.tensors import PairPrediction
from easi3r.types import OpticalFlow, Padding, Reconstruction

LARGEST_RESIDUAL = 50.0
"""Residuals end here, in units of the expected error: beyond it all are alike."""


@dataclass(frozen=True)
class ClipMaterial:
    """What the figures of a clip are computed from.

    Attributes:
        first_reconstruction: of pass 1; None where the method made none.
        pair_depth: z that each pair predicts of its first image, at the pixels of `grid`.
        pair_edges: (first, second) of each predicted pair.
    """

    images: UInt8[np.ndarray, "frames height width 3"]
    flow: OpticalFlow
    moving: Bool[np.ndarray, "frames height width"]
    reconstruction: Reconstruction
    first_reconstruction: Reconstruction | None
    pair_depth: Float64[np.ndarray, "pairs points"]
    pair_edges: Int64[np.ndarray, "pairs 2"]

    def without(self, padding: Padding) -> "ClipMaterial":
        """The same of the picture alone: padding shows nothing, so it must not count."""
        if not any(padding):
            return self
        height, width = self.moving.shape[1:]
        rows = slice(padding.top, height - padding.bottom)
        columns = slice(padding.left, width - padding.right)
        flow, first = self.flow, self.first_reconstruction
        return replace(
            self,
            images=self.images[:, rows, columns],
            flow=replace(
                flow,
                flow=flow.flow[:, rows, columns],
                consistent=flow.consistent[:, rows, columns],
            ),
            moving=self.moving[:, rows, columns],
            reconstruction=_part(self.reconstruction, rows, columns),
            first_reconstruction=None if first is None else _part(first, rows, columns),
        )


@dataclass(frozen=True)
class QualityFigures:
    """Figures that need no truth. Shares and ratios are pure numbers; "widest" pairs are those of
    the graph that are farthest apart in time, links those of neighbouring frames.

    Attributes:
        textured_share: of pixels whose gradient is above noise, 0..1.
        flow_consistent_share: of pixels whose flow agrees with the flow back; median over links.
        wide_flow_consistent_share: the same over the widest pairs.
        weakest_link_share: the least over the links.
        jump: largest difference between neighbours after flow, over the median (1: even).
        parallax_deg: flow that no turn of the camera explains, widest pairs, as an angle.
        triangulation_deg: angle at which points see the cameras of the widest pairs, as estimated.
        flow_residual: distance of flow from what cameras and depths explain, static pixels, in
            units of the flow's expected error; median, 0..`LARGEST_RESIDUAL`.
        refined_flow_residual: the same once each pair's camera is fitted to its flow.
        rotation_disagreement_deg: between the estimated cameras of a pair and those fitted to its
            flow; median; 180 where no pair has flow enough.
        path_disagreement: RMS distance of the camera centres from those of the fitted pairs after a
            similarity, as a share of the path's spread, 0..10.
        bend_agreement: whether both leave the straight line alike, -1..1 (`bend_agreement`).
        half_bend_agreement: the same of the paths by flow in the left and right image halves.
        path_bend: RMS distance of the path from the best evenly paced line, as such a share.
        path_share: spread of the camera centres, in median depths.
        turn_deg: from a frame to the next, median.
        total_turn_deg: largest angle between two cameras.
        view_angle_deg: across the longer side of the image; median of frames.
        depth_disagreement: |log| of a static point's depth over the other frame's there, median,
            0..3.
        depth_spread: abs-rel of one depth, if the estimated ones were true.
        map_depth_spread: standard deviation of the log depth of a pixel over the pairs that
            predict it, median; NaN where no frame comes first in two pairs.
        triangulated_share: points of the widest pairs that flow triangulates, over all.
        triangulated_correlation: of the logarithms of the estimated and the triangulated depths,
            -1..1; 0 where there are too few.
        triangulated_depth_ratio: abs-rel of the estimated depth over that of one depth, against
            the triangulated ones, 0..10; 1 where there are too few.
        moving_share: of pixels, 0..1.
        mask_flicker: share of moving pixels that a neighbour frame calls static, 0..1.
        median_confidence: the network's, >= 1, of pixels that no frame contradicts.
        pass_rotation_deg: between the relative rotations of passes 1 and 2, median of pairs; None,
            like the next four, where pass 1 was not reconstructed.
        pass_path: RMS distance of the centres of both passes after a similarity, as a share of the
            path's spread, 0..10.
        pass_bend_agreement: whether the paths of both passes leave the straight line alike, -1..1.
        pass_depth: abs-rel of the depths of pass 1 against those of pass 2 after one scale.
        pass_focal: |log| of the ratio of both passes' focals.
    """

    textured_share: float
    flow_consistent_share: float
    wide_flow_consistent_share: float
    weakest_link_share: float
    jump: float
    parallax_deg: float
    triangulation_deg: float
    flow_residual: float
    refined_flow_residual: float
    rotation_disagreement_deg: float
    path_disagreement: float
    bend_agreement: float
    half_bend_agreement: float
    path_bend: float
    path_share: float
    turn_deg: float
    total_turn_deg: float
    view_angle_deg: float
    depth_disagreement: float
    depth_spread: float
    map_depth_spread: float
    triangulated_share: float
    triangulated_correlation: float
    triangulated_depth_ratio: float
    moving_share: float
    mask_flicker: float
    median_confidence: float
    pass_rotation_deg: float | None = None
    pass_path: float | None = None
    pass_bend_agreement: float | None = None
    pass_depth: float | None = None
    pass_focal: float | None = None

    def as_dict(self) -> dict[str, float]:
        """By name, as a store keeps them; without those of a pass that was not reconstructed."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def quality_figures(clip: ClipMaterial) -> QualityFigures:
    """All figures of a clip.

    Where nothing is static, or no flow consistent, a figure has its worst value: nothing vouches
    for the clip.
    """
    samples = sample_pairs(clip.flow, clip.moving, clip.reconstruction)
    return QualityFigures(
        **_evidence(clip, samples),
        **_cameras(clip.reconstruction, samples),
        **_depths(clip, samples),
        **_passes(clip.reconstruction, clip.first_reconstruction),
        moving_share=float(clip.moving.mean()),
        mask_flicker=evidence.mask_flicker(samples, clip.moving),
        median_confidence=_confidence(clip.reconstruction),
    )


def _part(reconstruction: Reconstruction, rows: slice, columns: slice) -> Reconstruction:
    """Some rows and columns of a reconstruction."""
    intrinsics = reconstruction.intrinsics.copy()
    intrinsics[:, :2, 2] -= (columns.start, rows.start)
    return replace(
        reconstruction,
        intrinsics=intrinsics,
        depth=reconstruction.depth[:, rows, columns],
        confidence=reconstruction.confidence[:, rows, columns],
    )


def map_depth(prediction: PairPrediction) -> Float64[np.ndarray, "pairs points"]:
    """`ClipMaterial.pair_depth` of the network's predictions."""
    rows, columns = grid(*prediction.confidence_1.shape[1:])
    depth: Float64[np.ndarray, "pairs points"] = (
        prediction.points_1[:, rows, columns, 2].double().cpu().numpy()
    )
    return depth


def _evidence(clip: ClipMaterial, samples: PairSamples) -> dict[str, float]:
    grey = evidence.brightness(clip.images)
    links = evidence.link_shares(samples)
    return {
        "textured_share": evidence.textured_share(grey),
        "flow_consistent_share": float(np.median(links)),
        "wide_flow_consistent_share": float(samples.consistent[samples.widest].mean()),
        "weakest_link_share": float(links.min()),
        "jump": evidence.jump(samples, grey),
        "triangulation_deg": depths.triangulation_angle_deg(samples),
    }


def _cameras(reconstruction: Reconstruction, samples: PairSamples) -> dict[str, float]:
    poses = reconstruction.camera_to_world
    by_flow = flow_cameras(samples)
    centres = poses[:, :3, 3] / np.median(reconstruction.depth)
    centres = centres - centres.mean(axis=0)
    extent = spread(centres)
    fitted = centres_by_flow(samples, by_flow, poses)
    turned = by_flow.to_second[:, :3, :3].swapaxes(1, 2) @ samples.to_second[:, :3, :3]
    angles = rotation_angles_deg(turned)[by_flow.known]
    first, second = np.triu_indices(len(poses), k=1)
    turns = rotation_angles_deg(poses[first, :3, :3].swapaxes(1, 2) @ poses[second, :3, :3])
    focal = np.median(reconstruction.intrinsics[:, 0, 0])
    long_side = max(reconstruction.depth.shape[1:])
    return {
        "parallax_deg": depths.parallax_deg(samples, by_flow.to_second),
        "flow_residual": _residual(samples, samples.to_second),
        "refined_flow_residual": _residual(samples, by_flow.to_second),
        "rotation_disagreement_deg": float(np.median(angles)) if len(angles) else 180.0,
        "path_disagreement": share(_rms(_aligned(fitted, centres) - centres), extent),
        "bend_agreement": bend_agreement(fitted, centres),
        "half_bend_agreement": halves_agreement(samples, poses),
        "path_bend": share(_rms(off_straight_line(centres)), extent),
        "path_share": extent,
        "turn_deg": float(np.median(turns[second - first == 1])),
        "total_turn_deg": float(turns.max()),
        "view_angle_deg": float(np.degrees(2 * np.arctan(long_side / 2 / focal))),
    }


def _depths(clip: ClipMaterial, samples: PairSamples) -> dict[str, float]:
    reconstruction = clip.reconstruction
    by_flow, estimated = depths.triangulated(samples, samples.to_second)
    ratio, correlation = 1.0, 0.0
    if len(by_flow) >= depths.FEWEST_TRIANGULATED:
        correlation = depths.log_correlation(estimated, by_flow)
        ratio = share(depths.scaled_error(estimated, by_flow), depths.one_depth_error(by_flow))
    return {
        "depth_disagreement": depths.frame_disagreement(samples, reconstruction),
        "depth_spread": depths.one_depth_error(reconstruction.depth[:, ::3, ::3]),
        "map_depth_spread": depths.map_spread(clip.pair_depth, clip.pair_edges),
        "triangulated_share": len(by_flow) / samples.usable[samples.widest].size,
        "triangulated_correlation": correlation,
        "triangulated_depth_ratio": ratio,
    }


def _passes(second: Reconstruction, first: Reconstruction | None) -> dict[str, float]:
    if first is None:
        return {}
    a, b = np.triu_indices(len(second.depth), k=1)
    rotations = [
        poses[a, :3, :3].swapaxes(1, 2) @ poses[b, :3, :3]
        for poses in (first.camera_to_world, second.camera_to_world)
    ]
    apart = rotation_angles_deg(rotations[0].swapaxes(1, 2) @ rotations[1])
    before, centres = (one.camera_to_world[:, :3, 3] for one in (first, second))
    focals = [np.median(one.intrinsics[:, 0, 0]) for one in (first, second)]
    return {
        "pass_rotation_deg": float(np.median(apart)),
        "pass_path": share(_rms(_aligned(before, centres) - centres), spread(centres)),
        "pass_bend_agreement": bend_agreement(before, centres),
        "pass_depth": depths.relative_error(first.depth, second.depth),
        "pass_focal": float(abs(np.log(focals[0] / focals[1]))),
    }


def _residual(samples: PairSamples, to_second: Float64[np.ndarray, "pairs 4 4"]) -> float:
    if not samples.usable.any():
        return LARGEST_RESIDUAL
    _, places = samples.landing(to_second)
    off = np.linalg.norm(places - samples.targets, axis=-1) / samples.noise
    return min(float(np.median(off[samples.usable])), LARGEST_RESIDUAL)


def _confidence(reconstruction: Reconstruction) -> float:
    trusted = reconstruction.confidence[reconstruction.confidence > 0]
    return float(np.median(trusted)) if len(trusted) else 1.0


def _aligned(
    centres: Float64[np.ndarray, "frames 3"], onto: Float64[np.ndarray, "frames 3"]
) -> Float64[np.ndarray, "frames 3"]:
    """A path after the similarity that takes it onto another."""
    poses = np.tile(np.eye(4), (2, len(centres), 1, 1))
    poses[0, :, :3, 3], poses[1, :, :3, 3] = centres, onto
    return align_path(poses[0], poses[1])[:, :3, 3]


def _rms(offsets: Float64[np.ndarray, "frames 3"]) -> float:
    return float(np.sqrt(np.square(offsets).sum(axis=1).mean()))
