"""`easi3r.annotate`: one video from Python, as a user without a server has it."""

import logging
from pathlib import Path

import numpy as np
import pytest

import easi3r
from easi3r.errors import NotAVideoError, SettingsError, VideoError
from easi3r.synthetic import read_truth
from tests.known.writers import write_json
from tests.scenes import write_scenes

SETTINGS = easi3r.Settings.parse(
    {
        "video": {"long_side_px": 64},
        "sampling": {"clip_frames": 4},
        "alignment": {"max_steps": 4},
        "execution": {"device": "cpu"},
    }
)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (path,) = write_scenes(tmp_path_factory.mktemp("single"), count=1, frames=6)
    return path


@pytest.fixture(scope="module")
def annotated(video: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """A result of two clips, its dataset, and the progress on the way."""
    steps: list[tuple[int, int]] = []
    dataset = str(tmp_path_factory.mktemp("single") / "out.zarr")
    result = easi3r.annotate(
        video,
        settings=SETTINGS,
        destination=dataset,
        on_progress=lambda done, total: steps.append((done, total)),
    )
    return result, dataset, steps


def test_every_frame_stands_once_in_order_of_time(annotated: tuple) -> None:
    result, _, steps = annotated
    assert result.frame_index.tolist() == [0, 1, 2, 3, 4, 5]
    assert (np.diff(result.pts_seconds) > 0).all()
    assert result.clip.tolist() == [0, 0, 0, 1, 1, 1]  # the clips share two frames
    assert result.dynamic_mask.shape == result.depth.shape == (6, 40, 64)
    assert result.camera_to_world.shape == (6, 4, 4)
    assert steps == [(1, 2), (2, 2)]


def test_arrays_agree_with_what_is_committed(annotated: tuple) -> None:
    result, url, _ = annotated
    dataset = easi3r.open_dataset(url)
    assert tuple(dataset) == result.clip_ids
    for number, clip_id in enumerate(result.clip_ids):
        stored = dataset[clip_id].load()
        mine = result.clip == number
        rows = np.isin(stored.frame_index.values, result.frame_index[mine])
        np.testing.assert_array_equal(stored.dynamic_mask.values[rows], result.dynamic_mask[mine])
        np.testing.assert_allclose(stored.depth.values[rows], result.depth[mine], rtol=2**-12)
        np.testing.assert_allclose(
            stored.point_map.values[rows], result.point_map[mine], rtol=2**-11, atol=1e-5
        )
    assert len(easi3r.query(url, "newest")) == 2


def test_xarray_has_the_datasets_names_and_units(annotated: tuple) -> None:
    result, url, _ = annotated
    ours = result.to_xarray()
    stored = easi3r.open_dataset(url)[result.clip_ids[0]]
    for name in ("dynamic_mask", "depth", "confidence", "point_map", "camera_to_world"):
        assert ours[name].dims == stored[name].dims
        assert ours[name].attrs["units"] == stored[name].attrs["units"]
    assert ours.attrs["weights_licence"] == "Apache-2.0"
    assert ours.sel(time=ours.time[2]).depth.shape == (40, 64)


def test_known_cameras_are_paths_or_arrays(video: Path, tmp_path: Path) -> None:
    truth = read_truth(video)
    poses = truth.camera_to_world
    poses[:, 0, 3] += 0.1 * np.arange(len(poses))  # the scene's own camera only turns
    file = write_json(tmp_path / "poses.json", camera_to_world=poses.tolist())
    urls = [str(tmp_path / f"{name}.zarr") for name in ("arrays", "files")]
    known = dict(intrinsics=truth.intrinsics[0], metric=True, motion_masks=truth.dynamic_mask)
    for url, given in zip(urls, (poses, file), strict=True):
        result = easi3r.annotate(video, settings=SETTINGS, destination=url, poses=given, **known)
    np.testing.assert_allclose(result.camera_to_world, poses, atol=1e-9)
    assert result.scale == "metric"
    assert result.intrinsics[0, 0, 0] == pytest.approx(truth.intrinsics[0, 0, 0] * 64 / 96)
    assert result.dynamic_mask.any() == truth.dynamic_mask.any()
    ids = [{record.result_id for record in easi3r.open_dataset(url).results} for url in urls]
    assert ids[0] == ids[1]


def test_frames_have_known_cameras_too(video: Path) -> None:
    truth = read_truth(video)
    result = easi3r.annotate(
        truth.images,
        pts_seconds=truth.times.tolist(),
        settings=SETTINGS,
        poses=truth.camera_to_world,
    )
    np.testing.assert_allclose(result.camera_to_world, truth.camera_to_world, atol=1e-9)
    assert result.scale == "arbitrary"


def test_frames_with_times_give_what_their_video_gives() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)
    model = easi3r.load_model("nano", device="cpu")
    result = easi3r.annotate(images, pts_seconds=[0.0, 0.1, 0.2], settings=SETTINGS, model=model)
    assert len(result) == 3
    assert result.depth.shape == (3, 48, 64)
    assert result.clips[0].spec.video_url.startswith("frames:")


def test_frames_in_memory_are_fitted_as_the_settings_say() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 36, 64, 3), dtype=np.uint8)
    video = {"long_side_px": 64, "fit": "pad"}
    settings = SETTINGS.model_copy(update={"video": easi3r.Settings.parse({"video": video}).video})
    result = easi3r.annotate(images, pts_seconds=[0.0, 0.1, 0.2], settings=settings)
    assert result.depth.shape == (3, 40, 64)
    assert result.clips[0].padding == (0, 2, 0, 2)


@pytest.mark.parametrize(
    ("images", "times", "error"),
    [
        (np.zeros((3, 8, 8, 3), np.uint8), None, SettingsError),
        (np.zeros((3, 8, 8, 3), np.uint8), [0.0, 0.1], VideoError),
        (np.zeros((3, 8, 8, 3), np.uint8), [0.0, 0.2, 0.1], VideoError),
        (np.zeros((3, 8, 8, 3), np.float32), [0.0, 0.1, 0.2], VideoError),
        (np.zeros((0, 8, 8, 3), np.uint8), [], VideoError),
    ],
    ids=["no times", "too few times", "times that do not ascend", "floats", "no frames"],
)
def test_frames_that_cannot_be_used_are_refused(
    images: np.ndarray, times: list[float] | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        easi3r.annotate(images, pts_seconds=times, settings=SETTINGS)


def test_a_video_that_cannot_be_used_raises_the_base_error(tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video at all" * 100)
    with pytest.raises(easi3r.Easi3RError) as caught:
        easi3r.annotate(bad, settings=SETTINGS)
    assert isinstance(caught.value, NotAVideoError)


def test_progress_is_logged(video: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "easi3r.single_video")
    easi3r.annotate(video, settings=SETTINGS)
    assert caplog.messages[-1].endswith("2 of 2 clips annotated")
