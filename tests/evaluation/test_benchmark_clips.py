"""The benchmark's clips: fixed, apart from training, and true to their kind."""

import numpy as np
import pytest

from easi3r.evaluation.benchmark_clips import (
    BenchmarkClip,
    Kind,
    benchmark_clips,
    render_benchmark_clip,
)
from easi3r.synthetic import RenderedClip
from easi3r.training.batches import TRAINING_SEEDS
from easi3r.training.validation import HELD_OUT_SEEDS


@pytest.fixture(scope="module", params=list(Kind), ids=lambda kind: kind.name)
def rendered(request: pytest.FixtureRequest) -> tuple[Kind, RenderedClip]:
    clip = BenchmarkClip(request.param, number=0, frames=6, crf=23)
    return request.param, render_benchmark_clip(clip)


def test_four_equal_kinds_of_twelve_to_sixteen_frames() -> None:
    clips = benchmark_clips()
    assert len(clips) == 32
    assert [sum(clip.kind is kind for clip in clips) for kind in Kind] == [8] * 4
    assert {clip.frames for clip in clips} <= set(range(12, 17))
    assert len({clip.frames for clip in clips}) > 1
    assert len({clip.name for clip in clips}) == 32
    assert clips == benchmark_clips()
    assert benchmark_clips(2) == tuple(clip for clip in clips if clip.number < 2)


def test_benchmark_seeds_are_apart_from_training() -> None:
    seeds = sorted(clip.first_seed for clip in benchmark_clips(per_kind=100))
    assert min(np.diff(seeds)) >= 100
    assert seeds[0] > HELD_OUT_SEEDS + 50_000
    assert seeds[-1] + 100 <= TRAINING_SEEDS


def test_a_clip_satisfies_its_kind(rendered: tuple[Kind, RenderedClip]) -> None:
    kind, clip = rendered
    moving = clip.dynamic_mask.mean(axis=(1, 2))
    still_objects = ((clip.solid >= 0) & ~clip.dynamic_mask).mean(axis=(1, 2))
    if kind.has_movers:
        assert (moving >= 0.01).mean() >= 0.75
    else:
        assert not clip.moving.any()
        assert moving.max() == 0
    if kind in (Kind.FROZEN, Kind.LOOK_ALIKES):
        assert (still_objects >= 0.01).mean() >= 0.75
    if kind is Kind.MOVERS:
        assert len(np.unique(clip.object_id[clip.moving])) >= 2
    travelled = np.linalg.norm(np.diff(clip.camera_to_world[:, :3, 3], axis=0), axis=1).sum()
    if kind.camera_moves:
        assert travelled > 0.02 * np.median(clip.depth)
    else:
        assert travelled < 1e-12


def test_rendering_a_clip_is_deterministic() -> None:
    clip = BenchmarkClip(Kind.STILL_CAMERA, number=2, frames=4, crf=23)
    first, second = render_benchmark_clip(clip), render_benchmark_clip(clip)
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.dynamic_mask, second.dynamic_mask)
