from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from easi3r.alignment.chain import chain_pairs
from easi3r.alignment.pnp import camera_by_pnp, cameras_by_pnp
from easi3r.alignment.problem import Pixels
from easi3r.config import AlignmentSettings
from easi3r.geometry import invert_rigid
from tests.alignment.scenes import known_scene

ALL_PIXELS = Pixels.every(1, 18, 24, torch.device("cpu"))


def test_exact_pairs_chain_into_the_scene() -> None:
    scene = known_scene()
    chain = chain_pairs(scene.graph, scene.prediction)
    cameras, failures = cameras_by_pnp(
        chain, scene.prediction, ALL_PIXELS, scene.intrinsics, AlignmentSettings()
    )
    assert failures == 0
    ours, truth = (invert_rigid(c[0]) @ c for c in (cameras, scene.camera_to_world))
    np.testing.assert_allclose(ours[:, :3, :3], truth[:, :3, :3], atol=1e-4)


def test_a_frame_without_a_pose_has_that_of_the_chain() -> None:
    scene = known_scene()
    chain = chain_pairs(scene.graph, scene.prediction)
    flat = replace(chain.to_world, scale=chain.to_world.scale.clone())
    flat.scale[3] = 0
    cameras, failures = cameras_by_pnp(
        replace(chain, to_world=flat),
        scene.prediction,
        ALL_PIXELS,
        scene.intrinsics,
        AlignmentSettings(),
    )
    assert failures == 1
    np.testing.assert_array_equal(cameras[3], chain.cameras()[3])


def test_an_exception_of_pnp_is_a_failure_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = known_scene()
    chain = chain_pairs(scene.graph, scene.prediction)
    solve, calls = cv2.solvePnPRansac, []

    def fails_once(*arguments: object, **options: object) -> object:
        calls.append(arguments)
        if len(calls) == 4:
            raise cv2.error("degenerate points")
        return solve(*arguments, **options)

    monkeypatch.setattr("easi3r.alignment.pnp.cv2.solvePnPRansac", fails_once)
    cameras, failures = cameras_by_pnp(
        chain, scene.prediction, ALL_PIXELS, scene.intrinsics, AlignmentSettings()
    )
    assert failures == 1
    np.testing.assert_array_equal(cameras[3], chain.cameras()[3])


def test_too_few_points_give_no_camera() -> None:
    points = np.random.default_rng(0).random((3, 3))
    assert camera_by_pnp(points, points[:, :2], np.eye(3)) is None
