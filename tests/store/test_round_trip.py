"""What was written is what plain zarr, plain xarray and `open_dataset` read, on every storage."""

import multiprocessing
import pickle
from dataclasses import asdict

import numpy as np
import pytest
import xarray as xr
import zarr

from easi3r.config import StoreSettings
from easi3r.errors import SettingsError
from easi3r.geometry import world_point_map
from easi3r.store import (
    VARIABLES,
    ClipWindows,
    CommitRecord,
    Dataset,
    audit,
    open_dataset,
    prepare_dataset,
    result_id,
    write_clip,
)
from easi3r.types import ClipAnnotation
from tests.store.annotations import make_annotation

CHUNKED = StoreSettings(frames_per_chunk=2, mantissa_bits=10)
DERIVED = StoreSettings(frames_per_chunk=2, mantissa_bits=10, point_map="derived")
EXACT = ("dynamic_mask", "dynamic_score")


def expected_arrays(annotation: ClipAnnotation) -> dict[str, np.ndarray]:
    reconstruction = annotation.reconstruction
    return {
        "time": annotation.pts_seconds,
        "frame_index": annotation.frame_index,
        "dynamic_mask": annotation.dynamic_mask,
        "dynamic_score": annotation.dynamic_score,
        "camera_to_world": reconstruction.camera_to_world,
        "intrinsics": reconstruction.intrinsics,
        "loss_history": reconstruction.loss_history,
    }


def assert_matches(clip: xr.Dataset, annotation: ClipAnnotation) -> None:
    for name, values in expected_arrays(annotation).items():
        assert clip[name].dtype == values.dtype
        np.testing.assert_array_equal(clip[name].values, values)
    for name in ("depth", "confidence"):
        values = getattr(annotation.reconstruction, name).astype(np.float64)
        assert clip[name].dtype == np.float32
        bound = clip[name].attrs["max_relative_error"]
        assert bound == 2.0**-11
        assert (np.abs(clip[name].values - values) <= bound * values).all()
    assert_pinhole(clip)


def assert_pinhole(clip: xr.Dataset) -> None:
    points = world_point_map(clip.depth.values, clip.intrinsics.values, clip.camera_to_world.values)
    assert clip.point_map.dtype == np.float32
    bound = clip.point_map.attrs["max_relative_error"]
    assert bound <= 2.0**-11
    error = np.abs(clip.point_map.values - points)
    assert (error <= bound * np.abs(points) + 1e-12).all()  # 1e-12: order of float64 sums


@pytest.mark.parametrize("chosen", [CHUNKED, DERIVED], ids=["stored", "derived"])
def test_open_dataset_gives_back_what_was_written(dataset_url: str, chosen: StoreSettings) -> None:
    annotation = make_annotation(stream_break="error while decoding", scale="metric")
    written = write_clip(dataset_url, annotation, chosen)
    assert written.created

    dataset = open_dataset(dataset_url)
    assert list(dataset) == [annotation.spec.clip_id]
    clip = dataset[annotation.spec.clip_id]
    assert_matches(clip, annotation)
    assert "dynamic_mask_unrefined" not in clip
    for variable in VARIABLES:
        if variable.optional:
            continue
        assert clip[variable.name].dims == variable.dims
        assert clip[variable.name].attrs["long_name"] == variable.long_name
        assert clip[variable.name].attrs["units"] == (variable.units or "m")
    assert set(clip.coords) == {"time", "frame_index"}
    assert clip.attrs["provenance"] == asdict(annotation.provenance)
    assert clip.attrs["stream_break"] == "error while decoding"
    assert clip.attrs["quality"] == {"final_objective": 0.1, "median_reprojection_px": None}
    np.testing.assert_array_equal(clip.attrs["source_to_stored"], annotation.source_to_stored)


def test_the_mask_before_refinement_is_stored_beside_the_refined_one(dataset_url: str) -> None:
    annotation, plain = make_annotation(refined=True), make_annotation(owned_start=60)
    for one in (annotation, plain):
        write_clip(dataset_url, one, CHUNKED)
    dataset = open_dataset(dataset_url)
    clip = dataset[annotation.spec.clip_id]
    assert_matches(clip, annotation)
    unrefined = clip.dynamic_mask_unrefined
    assert (unrefined.dims, unrefined.dtype) == (("time", "y", "x"), bool)
    np.testing.assert_array_equal(unrefined.values, annotation.unrefined_mask)
    assert clip.attrs["provenance"]["refiner_sha256"] == "d" * 64
    window = ClipWindows(dataset).read(
        annotation.spec.clip_id, 1, 4, ("dynamic_mask", "dynamic_mask_unrefined")
    )
    np.testing.assert_array_equal(window.dynamic_mask_unrefined, annotation.unrefined_mask[1:4])
    assert audit(dataset_url).clean
    with pytest.raises(SettingsError, match="dynamic_mask_unrefined"):
        ClipWindows(dataset).read(plain.spec.clip_id, 1, 4, ("dynamic_mask_unrefined",))


def test_values_are_read_only_when_used(dataset_url: str) -> None:
    annotation = make_annotation()
    write_clip(dataset_url, annotation, DERIVED)
    clip = open_dataset(dataset_url)[annotation.spec.clip_id]
    assert clip.depth.chunks == ((2, 2, 1), (16,), (32,))
    assert clip.point_map.chunks is not None
    assert clip.point_map.isel(time=[3]).values.shape == (1, 16, 32, 3)


def test_plain_xarray_and_plain_zarr_read_a_clip(
    dataset_url: str, recwarn: pytest.WarningsRecorder
) -> None:
    annotation = make_annotation()
    record = write_clip(dataset_url, annotation, CHUNKED).record
    # zarr takes memory:// for a storage of its own; no one but tests keeps a dataset there.
    if dataset_url.startswith("memory:"):
        pytest.skip("plain zarr does not open fsspec's memory://")
    clip = xr.open_zarr(dataset_url, group=record.path, consolidated=False, zarr_format=3)
    assert_matches(clip, annotation)
    group = zarr.open_group(dataset_url, mode="r")
    depth = group[f"{record.path}/depth"]
    assert isinstance(depth, zarr.Array)
    assert depth.metadata.dimension_names == ("time", "y", "x")
    assert depth.chunks == (2, 16, 32)
    assert depth.shards == (6, 16, 32)
    np.testing.assert_array_equal(depth[...], clip.depth.values)
    assert group.attrs["schema_version"] == 1
    assert "CC BY-NC-SA" in str(group.attrs["licence_note"])
    assert not recwarn.list


def test_derived_and_stored_point_maps_agree(dataset_url: str) -> None:
    first, second = make_annotation(), make_annotation(weights_sha256="c" * 64)
    write_clip(dataset_url, first, CHUNKED)
    write_clip(dataset_url, second, DERIVED)
    dataset = open_dataset(dataset_url)
    ids = [result_id(first.spec.clip_id, sha * 64, "b" * 64) for sha in "ac"]
    stored, derived = (dataset.open_clip(first.spec.clip_id, id).point_map for id in ids)
    bound = stored.attrs["max_relative_error"] + derived.attrs["max_relative_error"]
    np.testing.assert_allclose(stored.values, derived.values, rtol=1.01 * bound, atol=1e-12)
    assert (stored.values != derived.values).any()


def test_a_new_result_stands_beside_the_old_one_and_is_read_by_default(dataset_url: str) -> None:
    old, new = make_annotation(), make_annotation(weights_sha256="c" * 64)
    new.reconstruction.depth[:] = 7
    first = write_clip(dataset_url, old, CHUNKED).record
    second = write_clip(dataset_url, new, CHUNKED).record
    dataset = open_dataset(dataset_url)
    assert dataset.results == (first, second)
    assert dataset.clips == (second,)
    clip_id = old.spec.clip_id
    assert (dataset[clip_id].depth == 7).all()
    assert not (dataset.open_clip(clip_id, first.result_id).depth == 7).all()


def _read_in_a_worker(dataset: Dataset, clip_id: str) -> tuple[float, tuple[CommitRecord, ...]]:
    return float(dataset[clip_id].depth.isel(time=1).mean()), dataset.clips


def test_a_dataset_travels_to_spawned_processes(local_url: str) -> None:
    annotation = make_annotation()
    write_clip(local_url, annotation, CHUNKED)
    dataset = open_dataset(local_url)
    clip_id = annotation.spec.clip_id
    here = _read_in_a_worker(dataset, clip_id)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.apply(_read_in_a_worker, (dataset, clip_id))
    assert there == here


def test_an_opened_s3_clip_pickles(bucket: str) -> None:
    url = f"s3://{bucket}/clips.zarr"
    prepare_dataset(url, "{}")
    annotation = make_annotation()
    write_clip(url, annotation, CHUNKED)
    clip = open_dataset(url)[annotation.spec.clip_id]
    assert pickle.loads(pickle.dumps(clip)).depth.sum() == clip.depth.sum()
