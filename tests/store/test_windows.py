"""Windows hold what plain zarr and `open_dataset` read, wherever they lie and whatever is lost."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.config import StoreSettings
from easi3r.errors import (
    ClipNotFoundError,
    CorruptClipError,
    NotADatasetError,
    SettingsError,
    VariableNotReadError,
)
from easi3r.geometry import fill_world_planes, world_point_map
from easi3r.store import ClipWindows, open_dataset, prepare_dataset, write_clip
from easi3r.store.files import files_at
from easi3r.store.torch_windows import torch_windows
from easi3r.store.windows import PER_FRAME
from tests.store.annotations import make_annotation
from tests.store.fixtures.make_schema_1 import FOLDER

CHUNKED = StoreSettings(frames_per_chunk=2)


def written(url: str, settings: StoreSettings = CHUNKED, frames: int = 5) -> str:
    """The id of a clip just written there, with every variable that a clip may have."""
    annotation = make_annotation(frames, refined=True)
    return write_clip(url, annotation, settings).record.clip_id


@pytest.mark.parametrize("point_map", ["stored", "derived"])
def test_a_window_is_what_open_dataset_reads(dataset_url: str, point_map: str) -> None:
    clip_id = written(dataset_url, CHUNKED.model_copy(update={"point_map": point_map}))
    dataset = open_dataset(dataset_url)
    whole = dataset[clip_id].load()
    reader = ClipWindows(dataset)
    for start, stop in ((1, 4), (0, 5), (4, 5), (1, 4)):
        window = reader.read(clip_id, start, stop, PER_FRAME)
        frames = whole.isel(time=slice(start, stop))
        for name in PER_FRAME - {"point_map"}:
            values = getattr(window, name)
            assert values.dtype == frames[name].dtype
            np.testing.assert_array_equal(values, frames[name].values)
        points = world_point_map(window.depth, window.intrinsics, window.camera_to_world)
        np.testing.assert_allclose(window.point_map, points, rtol=1e-6, atol=1e-4)
        bound = whole.point_map.attrs["max_relative_error"]
        np.testing.assert_allclose(window.point_map, frames.point_map, rtol=bound, atol=1e-4)


@pytest.mark.parametrize("frames_per_chunk", [1, 3, 64])
def test_every_window_of_every_chunking(local_url: str, frames_per_chunk: int) -> None:
    chosen = StoreSettings(frames_per_chunk=frames_per_chunk, point_map="derived")
    clip_id = written(local_url, chosen, frames=7)
    dataset = open_dataset(local_url)
    depth = dataset[clip_id].depth.values
    reader = ClipWindows(dataset)
    for start in range(7):
        for stop in range(start + 1, 8):
            np.testing.assert_array_equal(
                reader.read(clip_id, start, stop, ["depth"]).depth, depth[start:stop]
            )


def test_only_the_requested_variables_are_read(local_url: str) -> None:
    clip_id = written(local_url)
    dataset = open_dataset(local_url)
    folder = Path(local_url, dataset.record(clip_id).path)
    for name in ("depth", "point_map", "confidence"):
        (folder / name / "zarr.json").unlink()
    window = ClipWindows(dataset).read(clip_id, 1, 3, ["dynamic_mask", "time"])
    assert set(window.values) == {"dynamic_mask", "time"}
    assert len(window.dynamic_mask) == len(window.time) == 2


def test_a_variable_that_was_not_requested_raises(local_url: str) -> None:
    clip_id = written(local_url)
    window = ClipWindows(open_dataset(local_url)).read(clip_id, 1, 3, ["time", "dynamic_mask"])
    for copy in (window, pickle.loads(pickle.dumps(window))):
        with pytest.raises(
            VariableNotReadError, match=rf"depth .*{clip_id}: was not read"
        ) as error:
            copy.depth  # noqa: B018
    assert error.value.remedy == "Ask for it: variables=('time', 'dynamic_mask', 'depth')"
    absent = PER_FRAME - {"time", "dynamic_mask"}
    assert not any(hasattr(window, name) for name in absent)


def test_every_variable_with_frames_is_an_attribute_of_windows(local_url: str) -> None:
    window = ClipWindows(open_dataset(local_url)).read(written(local_url), 0, 1, PER_FRAME)
    for name in PER_FRAME:
        assert getattr(window, name) is window.values[name]


def test_datasets_of_earlier_versions_read(local_url: str) -> None:
    dataset = open_dataset(str(FOLDER))
    reader = ClipWindows(dataset)
    for clip in dataset.clips:
        window = reader.read(clip.clip_id, 0, clip.frames, ["depth", "point_map"])
        np.testing.assert_array_equal(window.depth, dataset[clip.clip_id].depth.values)


def _remove(path: Path) -> None:
    path.unlink()


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 3)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[40] ^= 1  # past the header of the first chunk
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [_remove, _cut, _flip])
@pytest.mark.parametrize("name", ["depth/c/0/0/0", "camera_to_world/c/0/0/0", "depth/zarr.json"])
def test_a_lost_or_damaged_object_is_an_error_that_names_it(
    local_url: str, harm: Callable[[Path], None], name: str
) -> None:
    clip_id = written(local_url)
    dataset = open_dataset(local_url)
    harm(Path(local_url, dataset.record(clip_id).path, name))
    with pytest.raises(CorruptClipError, match=f"{clip_id}.*{name.partition('/')[0]}"):
        ClipWindows(dataset).read(clip_id, 0, 2)


def test_another_encoding_is_refused_by_name(local_url: str) -> None:
    clip_id = written(local_url)
    dataset = open_dataset(local_url)
    record = dataset.record(clip_id)
    files = files_at(local_url)
    document = json.loads(files.get(f"{record.path}/depth/zarr.json"))
    document["codecs"][0]["configuration"]["codecs"][1] = {
        "name": "zstd",
        "configuration": {"level": 3, "checksum": False},
    }
    data = json.dumps(document).encode()
    files.put(f"{record.path}/depth/zarr.json", data)
    sha256 = hashlib.sha256(data).hexdigest()
    objects = tuple(
        stored.model_copy(update={"sha256": sha256, "size": len(data)})
        if stored.name == "depth/zarr.json"
        else stored
        for stored in record.objects
    )
    changed = record.model_copy(update={"objects": objects})
    files.put(record.commit_path, changed.model_dump_json().encode())
    with pytest.raises(NotADatasetError, match=r"depth/zarr\.json.*Zstd.*open_dataset"):
        ClipWindows(dataset).read(clip_id, 0, 2)


def test_an_invalid_request_names_the_valid_ones(local_url: str) -> None:
    clip_id = written(local_url)
    reader = ClipWindows(open_dataset(local_url))
    with pytest.raises(SettingsError, match=r"\[3, 6\).*\[0, 5\)"):
        reader.read(clip_id, 3, 6)
    with pytest.raises(SettingsError, match=r"loss_history.*point_map"):
        reader.read(clip_id, 0, 1, ["loss_history"])
    with pytest.raises(ClipNotFoundError):
        reader.read("0" * 32, 0, 1)


def test_more_clips_are_read_than_are_cached(local_url: str) -> None:
    ids = [
        write_clip(local_url, make_annotation(3, seed=seed), CHUNKED).record.clip_id
        for seed in range(3)
    ]
    dataset = open_dataset(local_url)
    reader = ClipWindows(dataset, clips_kept=1)
    for clip_id in [*ids, *ids]:
        frames = reader.read(clip_id, 1, 3, ["time"]).time
        np.testing.assert_array_equal(frames, dataset[clip_id].time[1:3])


LOADING = """
import sys
from torch.utils.data import DataLoader
from easi3r.store import open_dataset
from easi3r.store.torch_windows import torch_windows

if __name__ == "__main__":
    url, start_method = sys.argv[1:]
    windows = torch_windows(open_dataset(url), 2, variables=("frame_index", "point_map"))
    here = windows[3]  # connects before the fork
    loader = DataLoader(windows, 4, num_workers=1, multiprocessing_context=start_method)
    ((index, points),) = loader
    assert (points[3] == here[1]).all()
    print(index.tolist(), tuple(points.shape), windows.clip_ids[0].decode())
"""


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_workers_of_a_data_loader_read_from_s3(
    bucket: str, start_method: str, tmp_path: Path
) -> None:
    """In a process of its own, as who trains would: this one has threads of many servers."""
    url = f"s3://{bucket}/clips.zarr"
    prepare_dataset(url, "{}")
    clip_id = written(url)
    script = tmp_path / "loading.py"
    script.write_text(LOADING)
    command = [sys.executable, str(script), url, start_method]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    windows = [[30, 32], [32, 34], [34, 36], [36, 38]]
    assert done.stdout.strip() == f"{windows} {(4, 2, 16, 32, 3)} {clip_id}"


def test_a_torch_dataset_counts_its_windows(local_url: str) -> None:
    lengths = (6, 2, 9)
    for seed, frames in enumerate(lengths):
        annotation = make_annotation(frames, seed=seed, video_url=f"{seed}.mp4")
        write_clip(local_url, annotation, CHUNKED)
    dataset = open_dataset(local_url)
    windows = torch_windows(dataset, 3, stride=2, variables=("time", "dynamic_mask"))
    assert len(windows) == 2 + 0 + 4
    again = pickle.loads(pickle.dumps(windows))
    for number, (clip, start) in enumerate([(0, 0), (0, 2), (2, 0), (2, 2), (2, 4), (2, 6)]):
        expected = dataset[dataset.clips[clip].clip_id].isel(time=slice(start, start + 3))
        for item in (windows[number], again[number]):
            np.testing.assert_array_equal(item[0], expected.time.values)
            np.testing.assert_array_equal(item[1], expected.dynamic_mask.values)
    with pytest.raises(IndexError, match="6 of 6"):
        windows[6]
    with pytest.raises(SettingsError, match=r"no clip .* 10 frames"):
        torch_windows(dataset, 10)
    with pytest.raises(SettingsError, match="depths"):
        torch_windows(dataset, 2, variables=("depths",))
    chosen = torch_windows(dataset, 3, clips=[(dataset.clips[2].clip_id, 9)])
    assert len(chosen) == 7


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**31))
def test_float32_points_keep_their_bound(seed: int) -> None:
    annotation = make_annotation(frames=2, height=16, width=16, seed=seed)
    reconstruction = annotation.reconstruction
    planes = np.empty((2, 3, 16, 16), np.float32)
    fill_world_planes(
        planes, reconstruction.depth, reconstruction.intrinsics, reconstruction.camera_to_world
    )
    exact = world_point_map(
        reconstruction.depth, reconstruction.intrinsics, reconstruction.camera_to_world
    )
    reach = np.abs(reconstruction.depth[..., None]).astype(np.float64) * 3
    moved = np.abs(reconstruction.camera_to_world[:, None, None, :3, 3])
    assert (np.abs(planes.transpose(0, 2, 3, 1) - exact) <= 2.0**-22 * (reach + moved)).all()
