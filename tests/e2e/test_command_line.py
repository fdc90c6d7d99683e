"""`easi3r` as one person uses it: annotate, read back with plain libraries, inspect, draw."""

import json
from pathlib import Path

import numpy as np
import s3fs
import xarray as xr
import zarr

from tests.e2e.commands import easi3r
from tests.scenes import write_scenes


def committed_paths(records: list[str]) -> list[str]:
    """Paths of the committed clips inside a dataset, from the text of its commit records."""
    return [json.loads(record)["path"] for record in records]


def check_with_plain_libraries(dataset: str, path: str, frames: int) -> None:
    """One clip through zarr and xarray alone: shapes, and the point map from its ingredients."""
    group = zarr.open_group(dataset, path=path, mode="r")
    clip = xr.open_zarr(dataset, group=path, consolidated=False)
    height, width = clip.sizes["y"], clip.sizes["x"]
    shapes = {
        "dynamic_mask": (frames, height, width),
        "depth": (frames, height, width),
        "confidence": (frames, height, width),
        "point_map": (frames, height, width, 3),
        "camera_to_world": (frames, 4, 4),
        "intrinsics": (frames, 3, 3),
        "time": (frames,),
        "frame_index": (frames,),
    }
    for name, shape in shapes.items():
        assert group[name].shape == clip[name].shape == shape, name
        assert group[name].metadata.dimension_names == clip[name].dims, name
    assert clip["dynamic_mask"].dtype == bool
    assert clip["time"].attrs.get("units", clip["time"].encoding.get("units")) == "s"
    assert clip.attrs["licence"] == clip.attrs["provenance"]["weights_licence"] == "Apache-2.0"

    depth = clip["depth"].to_numpy().astype(np.float64)
    intrinsics, pose = clip["intrinsics"].to_numpy(), clip["camera_to_world"].to_numpy()
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x, y, np.ones_like(x)], axis=-1)
    rays = np.einsum("tij,yxj->tyxi", np.linalg.inv(intrinsics), pixels)
    camera = rays * depth[..., None]
    world = np.einsum("tij,tyxj->tyxi", pose[:, :3, :3], camera) + pose[:, None, None, :3, 3]
    bound = clip["point_map"].attrs["max_relative_error"]
    error = np.abs(clip["point_map"].to_numpy() - world)
    assert (error <= bound * np.abs(world) + 1e-6 * np.abs(world).max()).all()


def test_a_scene_from_video_to_picture(tmp_path: Path) -> None:
    (video,) = write_scenes(tmp_path, count=1)
    dataset = tmp_path / "out.zarr"
    done = easi3r("annotate", video, dataset)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1/1 clips done (1 committed)" in done.stdout
    assert "frames/s, ETA 0:00:00" in done.stdout
    records = [path.read_text() for path in dataset.glob("commits/*/*.json")]
    (path,) = committed_paths(records)
    check_with_plain_libraries(str(dataset), path, frames=6)

    audited = easi3r("audit", dataset, "--older-than", 0)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    told = easi3r("inspect", dataset)
    assert told.returncode == 0
    assert "1 of 1 videos, 6 frames" in told.stdout
    clip_id = json.loads(records[0])["clip_id"]
    assert clip_id in told.stdout

    drawn = easi3r("picture", dataset, clip_id[:6], "-o", tmp_path / "clip.png")
    assert drawn.returncode == 0, drawn.stderr
    assert (tmp_path / "clip.png").read_bytes().startswith(b"\x89PNG")


def test_into_object_storage(tmp_path: Path, bucket: str) -> None:
    (video,) = write_scenes(tmp_path, count=1)
    dataset = f"s3://{bucket}/deep/out.zarr"
    done = easi3r("annotate", video, dataset)
    assert done.returncode == 0, done.stdout + done.stderr
    store = s3fs.S3FileSystem()
    records = [store.cat_file(name).decode() for name in store.glob(f"{dataset}/commits/*/*.json")]
    (path,) = committed_paths(records)
    check_with_plain_libraries(dataset, path, frames=6)
    again = easi3r("annotate", video, dataset)
    assert "0 committed, 1 skipped" in again.stdout
    audited = easi3r("audit", dataset, "--older-than", 0)
    assert audited.returncode == 0, audited.stdout + audited.stderr


def test_trouble_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    write_scenes(videos, count=1)
    (videos / "empty[1].mp4").touch()
    done = easi3r("annotate", videos, tmp_path / "out.zarr")
    assert done.returncode == 1
    assert "1 committed, 0 skipped, 1 quarantined, 0 failed" in done.stdout
    assert "empty[1].mp4" in done.stdout
    assert "empty_file" in done.stdout
