"""What travels from the flow to the workers."""

import os
import pickle
from dataclasses import replace

import pytest

from easi3r.knowledge import KnownInputs
from easi3r.run.run import Run, absolute_location
from easi3r.store import result_id
from easi3r.types import ClipSpec, digest
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
    spec = ClipSpec("a.mp4", "f" * 64, (0, 1), (0.0, 0.1), 0, 2)
    clip_id = spec.clip_id
    assert run.result_id(spec) == result_id(clip_id, WEIGHTS_SHA256, settings.digest)
    known = replace(spec, known=KnownInputs(poses="p.txt", digest="d" * 64))
    both = digest([settings.digest, "d" * 64])
    assert run.result_id(known) == result_id(clip_id, WEIGHTS_SHA256, both)


def test_the_hash_of_a_refiner_is_part_of_what_names_results() -> None:
    run = Run("videos", "out.zarr", null_settings(masks={"refine": "sam2"}))
    plain = Run("videos", "out.zarr", null_settings())
    spec = ClipSpec("a.mp4", "f" * 64, (0, 1), (0.0, 0.1), 0, 2)
    names = {
        plain.result_id(spec),
        run.with_refiner("0" * 64).result_id(spec),
        run.with_refiner("1" * 64).result_id(spec),
    }
    assert len(names) == 3
    assert plain.with_refiner("0" * 64).result_id(spec) == plain.result_id(spec)


def test_known_paths_are_made_absolute() -> None:
    known = KnownInputs("lens.json", "s3://bucket/poses", metric=True)
    run = Run.of("videos", "out.zarr", null_settings(), NullEngine, known)
    assert run.known == replace(known, intrinsics=os.path.abspath("lens.json"))
    assert Run.of("videos", "out.zarr", null_settings(), known=KnownInputs()).known is None
