"""What travels from the flow to the workers."""

import os
import pickle

import pytest

from easi3r.run.run import Run, absolute_location
from easi3r.store import result_id
from tests.engines import WEIGHTS_SHA256, NullEngine, null_settings


@pytest.mark.parametrize(
    ("given", "absolute"),
    [
        ("s3://bucket/a", "s3://bucket/a"),
        ("zip://a.mp4::/b.zip", "zip://a.mp4::/b.zip"),
        ("/a/../b", "/b"),
        ("a::b.mp4", os.path.join(os.getcwd(), "a::b.mp4")),
        ("videos/", os.path.join(os.getcwd(), "videos/")),
        ("a.mp4", os.path.join(os.getcwd(), "a.mp4")),
    ],
)
def test_locations_mean_the_same_in_every_process(given: str, absolute: str) -> None:
    assert absolute_location(given) == absolute


def test_a_run_is_pickled_by_names_and_stays_equal() -> None:
    run = Run.of("videos", "out.zarr", null_settings(), NullEngine)
    assert len(pickle.dumps(run)) < 5000
    assert pickle.loads(pickle.dumps(run)) == run
    plain = Run.of("videos", "out.zarr", null_settings())
    assert pickle.loads(pickle.dumps(plain)) == plain


def test_results_are_named_by_clip_weights_and_settings() -> None:
    settings = null_settings(model={"weights": "nano"})
    run = Run("videos", "out.zarr", settings).with_weights(WEIGHTS_SHA256)
    assert run.settings.digest == settings.digest
    assert run.result_id("c1") == result_id("c1", WEIGHTS_SHA256, settings.digest)


def test_the_hash_of_a_refiner_is_part_of_what_names_results() -> None:
    run = Run("videos", "out.zarr", null_settings(masks={"refine": "sam2"}))
    plain = Run("videos", "out.zarr", null_settings())
    names = {
        plain.result_id("c1"),
        run.with_refiner("0" * 64).result_id("c1"),
        run.with_refiner("1" * 64).result_id("c1"),
    }
    assert len(names) == 3
    assert plain.with_refiner("0" * 64).result_id("c1") == plain.result_id("c1")
