"""Motion cues and their evidence on exact geometry: a slanted surface, one patch of which moves."""

from dataclasses import replace

import numpy as np
import pytest

from easi3r.config import MotionCalibration
from easi3r.errors import SettingsError
from easi3r.geometry import (
    centred_intrinsics,
    invert_rigid,
    pixel_grid,
    project,
    transform_points,
    world_point_map,
)
from easi3r.motion import (
    MotionEvidence,
    combined_score,
    features,
    flow_evidence,
    flow_score,
    match_residual,
    match_score,
)
from easi3r.motion.cues import FEATURES
from easi3r.types import OpticalFlow, Reconstruction, TokenMatches

HEIGHT, WIDTH, PATCH = 48, 64, 8
EDGES = np.array([[0, 1], [1, 0], [1, 2], [2, 1], [0, 2], [2, 0]], np.int64)
PATCH_THAT_MOVES = (slice(16, 32), slice(24, 40))  # rows, columns; whole tokens


IMAGES = np.full((3, HEIGHT, WIDTH, 3), 90, np.uint8)
PATCHES = np.broadcast_to(np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH), (3, HEIGHT, WIDTH))


def reconstruction(depth_error: float = 1.0) -> Reconstruction:
    """Three cameras that step sideways by 0.2 before a slanted surface about 4 away."""
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, 0, 3] = [0.0, 0.2, 0.4]
    intrinsics = np.tile(centred_intrinsics(60.0, WIDTH, HEIGHT), (3, 1, 1))
    depth = np.broadcast_to(4 + 0.02 * np.arange(WIDTH), (3, HEIGHT, WIDTH)).astype(np.float32)
    return Reconstruction(
        poses, intrinsics, depth * np.float32(depth_error), np.ones_like(depth), np.zeros(1), {}
    )


def rigid_flow() -> np.ndarray:
    """The flow that the true surface induces, for every edge."""
    true = reconstruction()
    world = world_point_map(true.depth, true.intrinsics, true.camera_to_world)
    flows = []
    for first, second in EDGES:
        seen = transform_points(
            invert_rigid(true.camera_to_world[second]), world[first].reshape(-1, 3)
        )
        ends = project(seen, true.intrinsics[second]).reshape(HEIGHT, WIDTH, 2)
        flows.append(ends - pixel_grid(HEIGHT, WIDTH))
    return np.stack(flows).astype(np.float32)


def flow_with_mover() -> OpticalFlow:
    flow = rigid_flow()
    gap = (EDGES[:, 1] - EDGES[:, 0])[:, None, None]
    flow[(slice(None), *PATCH_THAT_MOVES)] += np.stack([0 * gap, 3.0 * gap], -1)  # downwards
    return OpticalFlow(EDGES, flow, np.ones(flow.shape[:3], bool))


def moving_pixels() -> np.ndarray:
    mask = np.zeros((3, HEIGHT, WIDTH), bool)
    mask[(slice(None), *PATCH_THAT_MOVES)] = True
    return mask


def test_flow_of_a_still_scene_leaves_no_residual() -> None:
    flow = OpticalFlow(EDGES, rigid_flow(), np.ones((6, HEIGHT, WIDTH), bool))
    result = flow_evidence(IMAGES, flow, reconstruction())
    assert result.residual.max() < 0.02
    assert result.strict_residual.max() < 0.02
    assert result.loose_residual.max() < 0.02
    np.testing.assert_array_equal(result.seen, 1.0)


def test_motion_across_epipolar_lines_has_a_high_residual() -> None:
    result = flow_evidence(IMAGES, flow_with_mover(), reconstruction())
    moving = moving_pixels()
    assert result.residual[moving].min() > 4
    assert result.residual[~moving].max() < 0.02


@pytest.mark.parametrize("error", [0.75, 1.35])
def test_depth_errors_raise_only_the_strict_residual(error: float) -> None:
    flow = OpticalFlow(EDGES, rigid_flow(), np.ones((6, HEIGHT, WIDTH), bool))
    result = flow_evidence(IMAGES, flow, reconstruction(error))
    assert result.residual.max() < 0.1
    assert result.strict_residual.min() > 0.5


@pytest.mark.parametrize("error", [0.4, 2.5])
def test_large_depth_errors_leave_the_loose_residual_low(error: float) -> None:
    still = OpticalFlow(EDGES, rigid_flow(), np.ones((6, HEIGHT, WIDTH), bool))
    result = flow_evidence(IMAGES, still, reconstruction(error))
    assert result.loose_residual.max() < 0.1
    assert result.residual.min() > 0.5
    moves = flow_evidence(IMAGES, flow_with_mover(), reconstruction(error))
    assert moves.loose_residual[moving_pixels()].min() > 4


def test_inconsistent_flow_is_not_evidence() -> None:
    flow = flow_with_mover()
    flow.consistent[(slice(None), *PATCH_THAT_MOVES)] = False
    result = flow_evidence(IMAGES, flow, reconstruction())
    moving = moving_pixels()
    np.testing.assert_array_equal(result.seen[moving], 0.0)
    np.testing.assert_array_equal(result.seen[~moving], 1.0)
    assert result.residual[moving].min() > 4  # the only flows there are


def test_one_consistent_flow_outweighs_the_others() -> None:
    flow = flow_with_mover()
    flow.flow[0] = rigid_flow()[0]
    flow.consistent[4, *PATCH_THAT_MOVES] = False  # from frame 0: only that to frame 1 is left
    result = flow_evidence(IMAGES, flow, reconstruction())
    assert result.residual[0].max() < 0.02


def test_photometric_residual_needs_texture() -> None:
    """The rest of the image has a texture that goes with the surface; a plain one tells nothing."""
    plain = flow_evidence(IMAGES, flow_with_mover(), reconstruction())
    assert plain.photometric_residual.max() == 0
    rows = np.arange(HEIGHT)[:, None]
    striped = np.broadcast_to(128 + 100 * np.sin(rows), (HEIGHT, WIDTH)).astype(np.uint8)
    images = np.repeat(np.stack([striped] * 3)[..., None], 3, axis=-1)
    images[1, 19:35, 24:40] = images[0, 16:32, 24:40]  # the patch moves 3 pixels a frame
    images[2, 22:38, 24:40] = images[0, 16:32, 24:40]
    seen = flow_evidence(images, flow_with_mover(), reconstruction()).photometric_residual
    assert np.median(seen[0, 18:30, 26:38]) > 5
    assert np.median(seen[0, :12]) == 0


def matches(shift_tokens: float) -> TokenMatches:
    """Matches at the rigid place, but for the moving patch, which is so many tokens off."""
    rows, columns = HEIGHT // PATCH, WIDTH // PATCH
    middles = slice(PATCH // 2, None, PATCH)
    flow = rigid_flow()[:, middles, middles]
    place = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1) + flow / PATCH
    place[:, 2:4, 3:5, 1] += shift_tokens
    return TokenMatches(
        place.astype(np.float32), np.full((len(EDGES), rows, columns), 0.5, np.float32)
    )


def test_matches_of_a_static_scene_have_no_reprojection_error() -> None:
    assert match_residual(matches(0.0), EDGES, reconstruction()).max() < 0.02


def test_matches_of_a_moving_object_have_a_reprojection_error() -> None:
    residual = match_residual(matches(2.0), EDGES, reconstruction())
    np.testing.assert_allclose(residual[:, 2:4, 3:5], 2.0, atol=0.05)
    residual[:, 2:4, 3:5] = 0
    assert residual.max() < 0.02


def evidence() -> MotionEvidence:
    tokens = (3, HEIGHT // PATCH, WIDTH // PATCH)
    return MotionEvidence(
        attention=np.zeros(tokens, np.float32),
        flow=flow_evidence(IMAGES, flow_with_mover(), reconstruction()),
        tracks=flow_with_mover(),
        patches=PATCHES,
    )


def test_each_cue_alone_masks_the_mover() -> None:
    moving = moving_pixels()
    np.testing.assert_array_equal(flow_score(evidence().flow).mask, moving)
    residual = match_residual(matches(2.0), EDGES, reconstruction())
    by_match = match_score(residual, HEIGHT, WIDTH).mask
    assert (by_match & moving).sum() / (by_match | moving).sum() > 0.5  # tokens, upsampled


def test_combined_cue_is_a_logistic_model_of_the_features() -> None:
    values = features(evidence())
    assert values.shape == (3, HEIGHT, WIDTH, FEATURES)
    coefficients = (0.0, 2.0, *[0.0] * 16, 0.5, 1.0, -0.5, 0.0)
    calibration = MotionCalibration(
        coefficients=coefficients, intercept=-3.0, threshold=0.6, certain=0.6
    )
    motion = combined_score(evidence(), calibration)
    logit = values @ np.array(coefficients) - 3
    np.testing.assert_allclose(motion.score, 1 / (1 + np.exp(-logit)), rtol=1e-4)
    np.testing.assert_array_equal(motion.mask, motion.score > np.float32(0.6))
    moving = moving_pixels()  # a patch that stays there: its tracks leave it at the rim
    assert motion.mask[moving].mean() > 0.4
    assert motion.mask[~moving].mean() < 0.1


def test_combined_cue_without_a_fitting_calibration_is_refused() -> None:
    with pytest.raises(SettingsError, match="calibration"):
        combined_score(evidence(), None)
    short = MotionCalibration(coefficients=(1.0,), intercept=0.0, threshold=0.5, certain=0.5)
    with pytest.raises(SettingsError, match="1 coefficients for 22"):
        combined_score(evidence(), short)


def test_hysteresis_keeps_likely_pixels_connected_to_certain_ones() -> None:
    chosen = evidence()
    residual = np.zeros_like(chosen.flow.residual)
    residual[0, 10, 10:14] = 3.0
    residual[1, 10, 12] = 20.0  # certain, and touches the first frame's in time
    residual[0, 30, 30:34] = 3.0  # never certain
    nowhere = replace(chosen.tracks, consistent=np.zeros_like(chosen.tracks.consistent))
    flow = replace(chosen.flow, residual=residual)
    coefficients = (0.0, 0.0, 1.0, *[0.0] * 19)  # along tracks, and here a patch is a pixel
    calibration = MotionCalibration(
        coefficients=coefficients, intercept=-2.0, threshold=0.3, certain=0.7
    )
    mask = combined_score(replace(chosen, flow=flow, tracks=nowhere), calibration).mask
    np.testing.assert_array_equal(
        np.argwhere(mask), [*([0, 10, x] for x in range(10, 14)), [1, 10, 12]]
    )
