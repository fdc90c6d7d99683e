"""What a user knows of a video, from the command line to the store."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import xarray as xr
from PIL import Image

import easi3r
from easi3r.config import Settings
from easi3r.errors import OutOfMemoryError
from easi3r.geometry import invert_rigid, source_pixels
from easi3r.knowledge import KnownInputs
from easi3r.known import known_of, undistortion, with_known
from easi3r.run.collection import annotate_collection
from easi3r.run.run import Run
from easi3r.store import read_quarantine
from easi3r.synthetic import (
    RenderedClip,
    SceneSettings,
    read_truth,
    render,
    sample_scene,
    write_clip,
)
from easi3r.types import ClipAnnotation, ClipSpec, Frames
from easi3r.video import decode
from tests.cli.test_app import Call, call  # noqa: F401  a fixture
from tests.engines import INFERENCE_LOG, NullEngine, inferences, null_settings
from tests.known import writers
from tests.scenes import write_scenes

SMALL = ("--clip-frames", 6, "--long-side", 96)


@dataclass(frozen=True)
class Known:
    """A rendered video and what is true of it, in files."""

    video: Path
    truth: RenderedClip
    intrinsics: Path
    poses: Path
    masks: Path

    def options(self) -> list[object]:
        return [
            *("--intrinsics", self.intrinsics, "--poses", self.poses, "--metric"),
            *("--motion-masks", self.masks),
        ]


def lens(truth: RenderedClip, **changes: float) -> dict[str, float]:
    height, width = truth.images.shape[1:3]
    camera = truth.intrinsics[0]
    values = dict(fx=camera[0, 0], fy=camera[1, 1], cx=camera[0, 2], cy=camera[1, 2])
    return {"width": width, "height": height, **values, **changes}


def write_known(video: Path, folder: Path) -> Known:
    truth = read_truth(video)
    masks = folder / "masks"
    masks.mkdir(parents=True)
    for number, mask in enumerate(truth.dynamic_mask):
        Image.fromarray(mask).save(masks / f"{number:05}.png")
    poses = truth.camera_to_world
    return Known(
        video,
        truth,
        writers.write_json(folder / "lens.json", **lens(truth)),
        writers.write_json(folder / "poses.json", camera_to_world=poses.tolist()),
        masks,
    )


@pytest.fixture
def known(tmp_path: Path) -> Known:
    """A camera that turns and moves; something else moves too."""
    scene = sample_scene(4, SceneSettings(frames=6, height=64, width=96))
    return write_known(write_clip(render(scene), tmp_path, "scene"), tmp_path / "known")


def stored(url: Path) -> xr.Dataset:
    dataset = easi3r.open_dataset(str(url))
    (clip_id,) = dataset
    return dataset[clip_id].load()


def test_known_cameras_and_masks_come_back_from_the_store(
    tmp_path: Path,
    known: Known,
    call: Call,  # noqa: F811
) -> None:
    out, truth = tmp_path / "out.zarr", known.truth
    status, shown, _ = call("annotate", known.video, out, *SMALL, *known.options())
    assert status == 0, shown
    clip = stored(out)
    path = np.linalg.norm(np.diff(truth.camera_to_world[:, :3, 3], axis=0), axis=1).sum()
    error = np.abs(clip.camera_to_world.values - truth.camera_to_world).max()
    assert error < 1e-6 * path
    np.testing.assert_allclose(clip.intrinsics.values, truth.intrinsics, rtol=1e-6)
    np.testing.assert_array_equal(clip.dynamic_mask.values, truth.dynamic_mask)
    assert 0.8 < np.median(clip.depth.values / truth.depth) < 1.25
    assert clip.attrs["scale"] == "metric"
    assert clip.attrs["known_inputs"] == ["intrinsics", "poses", "motion_masks"]
    assert clip.attrs["undistorted"] is None
    assert clip.attrs["warnings"] == []
    assert clip.attrs["quality"]["known_pose_disagreement"] < 0.25


def test_poses_in_the_wrong_direction_are_committed_with_a_warning(
    tmp_path: Path,
    known: Known,
    call: Call,  # noqa: F811
) -> None:
    inverted = invert_rigid(known.truth.camera_to_world).tolist()
    file = writers.write_json(tmp_path / "inverted.json", camera_to_world=inverted)
    assert call("annotate", known.video, tmp_path / "out.zarr", *SMALL, "--poses", file)[0] == 0
    clip = stored(tmp_path / "out.zarr")
    assert clip.attrs["warnings"] == ["known cameras disagree"]
    assert clip.attrs["quality"]["known_pose_disagreement"] > 0.25
    assert clip.attrs["scale"] == "arbitrary"


def test_changed_poses_compute_anew_and_unchanged_ones_nothing(
    tmp_path: Path,
    known: Known,
    call: Call,  # noqa: F811
) -> None:
    out, poses = tmp_path / "out.zarr", known.truth.camera_to_world.copy()

    def committed(*options: object) -> str:
        status, shown, _ = call("annotate", known.video, out, *SMALL, *options)
        assert status == 0
        return shown

    assert "1 committed, 0 skipped" in committed()
    assert "1 committed, 0 skipped" in committed("--poses", known.poses)
    assert "0 committed, 1 skipped" in committed("--poses", known.poses)
    moved = tmp_path / "elsewhere.json"
    moved.write_bytes(known.poses.read_bytes())
    assert "0 committed, 1 skipped" in committed("--poses", moved)
    poses[:, 0, 3] *= 2
    writers.write_json(known.poses, camera_to_world=poses.tolist())
    status, planned, _ = call("plan", known.video, out, *SMALL, "--poses", known.poses, "--json")
    answer = json.loads(planned)
    assert (status, answer["state"]["pending"]) == (0, 1)
    (reason,) = answer["outdated"]["reasons"]
    assert reason.startswith("made with known cameras or masks ")
    assert "1 committed, 0 skipped" in committed("--poses", known.poses)
    assert "1 committed, 0 skipped" in committed("--poses", known.poses, "--metric")
    assert "0 committed, 1 skipped" in committed()
    assert len(easi3r.open_dataset(str(out)).results) == 4


def nan(known: Known) -> Path:
    poses = known.truth.camera_to_world.copy()
    poses[2, 0, 3] = np.nan
    return writers.write_json(known.poses, camera_to_world=poses.tolist())


def too_few(known: Known) -> Path:
    return writers.write_kitti(known.poses.with_suffix(".txt"), known.truth.camera_to_world[:4])


def late(known: Known) -> Path:
    poses = known.truth.camera_to_world
    return writers.write_tum(known.poses.with_suffix(".txt"), poses, 1e6 + np.arange(len(poses)))


def another_size(known: Known) -> Path:
    values = lens(known.truth, width=192, height=128)
    return writers.write_json(known.intrinsics, **values)


def small_masks(known: Known) -> Path:
    for mask in known.masks.iterdir():
        Image.new("L", (48, 32)).save(mask)
    return known.masks


@pytest.mark.parametrize(
    ("option", "spoil", "words"),
    [
        ("--poses", nan, "nan"),
        ("--poses", too_few, "holds 4 poses"),
        ("--poses", late, "no row is within 0.02 s"),
        ("--intrinsics", another_size, "192x128"),
        ("--motion-masks", small_masks, "48x32"),
    ],
)
def test_a_wrong_input_is_one_line_before_a_model_is_loaded(
    tmp_path: Path,
    known: Known,
    call: Call,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    spoil: Callable[[Known], Path],
    words: str,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a model is loaded")

    monkeypatch.setattr("easi3r.run.engine.warm_engine", refuse)
    path, out = spoil(known), tmp_path / "out.zarr"
    status, shown, _ = call("annotate", known.video, out, *SMALL, option, path)
    assert status == 1
    assert "0 committed, 0 skipped, 1 quarantined" in shown
    assert "known_input" in shown
    (record,) = read_quarantine(str(out))
    assert words in record.message
    assert str(path) in record.message
    assert len(record.message.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "reason", "named"),
    [
        (["--metric"], "settings", "--poses"),
        (["--poses", "nowhere.txt"], "unreadable_url", "nowhere.txt"),
    ],
)
def test_options_that_cannot_be_are_refused(
    tmp_path: Path,
    known: Known,
    call: Call,  # noqa: F811
    options: list[str],
    reason: str,
    named: str,
) -> None:
    status, _, message = call("annotate", known.video, tmp_path / "out.zarr", *options)
    assert status == 2
    assert message.startswith(f"error ({reason}) ")
    assert named in message
    assert not (tmp_path / "out.zarr").exists()


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_manifest_names_what_is_known_of_each_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setenv(INFERENCE_LOG, str(tmp_path / "log"))
    videos = write_scenes(tmp_path, count=2)
    known = write_known(videos[0], tmp_path / "known")
    manifest = tmp_path / f"videos.{suffix}"
    write_manifest(manifest, known)
    out = str(tmp_path / "out.zarr")
    run = Run.of(str(manifest), out, null_settings(sampling={"clip_frames": 6}), NullEngine)
    assert annotate_collection(run).succeeded
    first, second = (digest_of(out, str(video)) for video in videos)
    assert first is not None
    assert second is None
    poses = known.truth.camera_to_world.copy()
    poses[:, 0, 3] *= 2
    writers.write_json(known.poses, camera_to_world=poses.tolist())
    assert annotate_collection(run).succeeded
    assert inferences(tmp_path / "log").total() == 3
    assert digest_of(out, str(videos[0])) not in (None, first)


def write_manifest(path: Path, known: Known) -> None:
    names = ("url", "intrinsics", "poses", "metric", "motion_masks")
    values = ("scene-0.mp4", "known/lens.json", "known/poses.json", True, "known/masks")
    rows = [dict(zip(names, values, strict=True)), dict.fromkeys(names) | {"url": "scene-1.mp4"}]
    match path.suffix:
        case ".csv":
            cells = [["" if cell is None else str(cell) for cell in row.values()] for row in rows]
            path.write_text("\n".join(map(",".join, [names, *cells])))
        case ".jsonl":
            path.write_text("\n".join(map(json.dumps, rows)))
        case _:
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def digest_of(url: str, video: str) -> str | None:
    """The known digest of the newest result of a video."""
    records = [r for r in easi3r.open_dataset(url).results if r.video_url == video]
    return max(records, key=lambda record: record.committed_at).known_digest


def test_a_folder_of_videos_takes_folders_of_files(tmp_path: Path) -> None:
    videos, poses = tmp_path / "videos", tmp_path / "poses"
    poses.mkdir()
    paths = write_scenes(videos, count=2)
    for video in paths[:1]:
        path = read_truth(video).camera_to_world
        writers.write_kitti(poses / f"{video.stem}.txt", path)
    settings = null_settings(sampling={"clip_frames": 6})
    out = str(tmp_path / "out.zarr")
    run = Run.of(str(videos), out, settings, NullEngine, KnownInputs(poses=str(poses)))
    record = annotate_collection(run)
    assert record.reasons == {"known_input": 1}
    (trouble,) = record.troubles
    assert f"{poses}/{paths[1].stem}" in trouble.message
    assert digest_of(out, str(paths[0])) is not None


class HalvingEngine(NullEngine):
    """Truly decodes, and has no memory for frames wider than 128 pixels."""

    seen: ClassVar[list[Frames]] = []

    def decode(self, spec: ClipSpec, settings: Settings) -> Frames:
        known = known_of(spec)
        side = settings.video.long_side_px or 256
        return with_known(decode(spec, side, 16, undistort=undistortion(known)), known)

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        self.seen.append(frames)
        if frames.images.shape[2] > 128:
            raise OutOfMemoryError(spec.clip_id, "no memory for one pair", "Take a larger device")
        return super().annotate(spec, super().decode(spec, settings), settings)


def test_smaller_frames_keep_what_is_known(known: Known, tmp_path: Path) -> None:
    inputs = KnownInputs(
        str(known.intrinsics), str(known.poses), metric=True, motion_masks=str(known.masks)
    )
    settings = null_settings(sampling={"clip_frames": 6}, graph={"window": 1})
    out = str(tmp_path / "out.zarr")
    record = annotate_collection(Run.of(str(known.video), out, settings, HalvingEngine, inputs))
    assert record.succeeded
    large, small = HalvingEngine.seen[0], HalvingEngine.seen[-1]
    assert large.images.shape[2] == 2 * small.images.shape[2]
    focal = small.known.intrinsics[:, 0, 0] / large.known.intrinsics[:, 0, 0]
    np.testing.assert_allclose(focal, 0.5)
    poses = known.truth.camera_to_world
    np.testing.assert_allclose(small.known.camera_to_world, poses, atol=1e-12)
    assert small.moving.shape == small.images.shape[:3]
    assert small.known.scale == "metric"


def test_a_known_lens_is_taken_out_and_named(
    tmp_path: Path,
    known: Known,
    call: Call,  # noqa: F811
) -> None:
    file = writers.write_json(tmp_path / "lens.json", **lens(known.truth, k1=-0.1, k2=0.01))
    assert (
        call("annotate", known.video, tmp_path / "out.zarr", *SMALL, "--intrinsics", file)[0] == 0
    )
    undistorted = stored(tmp_path / "out.zarr").attrs["undistorted"]
    assert undistorted["coefficients"] == [-0.1, 0.01, 0.0, 0.0]


def test_known_poses_give_metres_on_a_real_walk(
    tmp_path: Path,
    shared: Path,
    call: Call,  # noqa: F811
) -> None:
    """HoloLens, indoors: 8 cm and 4 degrees a frame."""
    folder = shared / "videos/hololens/holo-row150-step1"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    video = write_lossless(tmp_path / "walk.mkv", sorted(folder.glob("seq/*.color.png")))
    steps = tmp_path / "quick.json"
    steps.write_text('{"alignment": {"max_steps": 30}}')
    status, shown, _ = call(
        *("annotate", video, tmp_path / "out.zarr", "--poses", folder / "seq", "--metric"),
        *("--intrinsics", folder / "camera-intrinsics.txt", "--settings", steps),
    )
    assert status == 0, shown
    clip = stored(tmp_path / "out.zarr")
    assert clip.attrs["scale"] == "metric"
    assert clip.attrs["warnings"] == []
    depths = [
        np.asarray(Image.open(path)) / 1000 for path in sorted(folder.glob("seq/*.depth.png"))
    ]
    assert 0.8 < median_ratio(clip, np.stack(depths)) < 1.25


def median_ratio(clip: xr.Dataset, depth: np.ndarray) -> float:
    """Median of stored over true depth, at the pixels whose true depth is known (not 0)."""
    height, width = clip.depth.shape[1:]
    rows, columns = source_pixels(
        np.array(clip.attrs["source_to_stored"]), height, width, depth.shape[1:]
    )
    true = depth[:, rows, columns]
    return float(np.median(clip.depth.values[true > 0] / true[true > 0]))


def write_lossless(path: Path, images: list[Path]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        pixels = [np.asarray(Image.open(image)) for image in images]
        stream.height, stream.width = pixels[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for image in pixels:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="bgr0")))
        container.mux(stream.encode(None))
    return path
