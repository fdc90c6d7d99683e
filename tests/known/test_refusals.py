"""Every wrong input is one line that names the file, the row and what to do."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from easi3r.errors import KnownInputError
from easi3r.knowledge import KnownInputs
from easi3r.known import read_known
from tests.known import writers as w

FRAMES = 4
CAMERA = dict(width=w.WIDTH, height=w.HEIGHT, fx=80, fy=80, cx=47.5, cy=31.5)
NERF = dict(fl_x=80, fl_y=80, cx=48, cy=32, w=w.WIDTH, h=w.HEIGHT)


def poses(count: int = FRAMES) -> np.ndarray:
    return w.random_poses(0, count)


def text(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def refusal(**inputs: object) -> str:
    """The one line with which inputs are refused."""
    given = {key: str(value) if isinstance(value, Path) else value for key, value in inputs.items()}
    with pytest.raises(KnownInputError) as caught:
        read_known(KnownInputs(**given), w.video_of(FRAMES))
    line = str(caught.value)
    assert "\n" not in line
    assert caught.value.reason == "known_input"
    return line


def kitti_with(at: Path, row: int, column: int, value: float) -> Path:
    rows = poses()[:, :3].reshape(FRAMES, 12).copy()
    rows[row, column] = value
    return text(at / "p.txt", "\n".join(w.numbers(row) for row in rows))


WRONG_POSES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "another length": (
        lambda at: w.write_kitti(at / "p.txt", poses(3)),
        r"p\.txt: holds 3 poses, clip\.mp4 has 4 frames\. Give one row for each",
    ),
    "JSON of another length": (
        lambda at: w.write_json(at / "p.json", camera_to_world=poses(5).tolist()),
        r"p\.json: holds 5 poses, clip\.mp4 has 4 frames",
    ),
    "NaN": (lambda at: kitti_with(at, 2, 3, np.nan), r"p\.txt: line 3: holds nan\. Give finite"),
    "infinite": (lambda at: kitti_with(at, 1, 3, -np.inf), r"p\.txt: line 2: holds -inf\."),
    "shear": (lambda at: kitti_with(at, 1, 0, 3.0), r"line 2: .* not orthonormal .*Give rigid"),
    "beyond what can be squared": (
        lambda at: text(at / "p.txt", "\n".join(["1e200 " * 12] * FRAMES)),
        r"line 1: its upper left 3x3 is not orthonormal",
    ),
    "mirror": (
        lambda at: w.write_kitti(at / "p.txt", poses() * [-1, 1, 1, 1]),
        r"line 1: it mirrors, the determinant of its rotation is -1\.",
    ),
    "no number": (
        lambda at: text(at / "p.txt", "# poses\n1 2 three 4\n"),
        r"p\.txt: line 2: 'three' is no number",
    ),
    "mixed formats in a file": (
        lambda at: text(at / "p.txt", "1 2 3 4 5 6 7 8\n" + "1 " * 12),
        r"line 2 holds 12 numbers, line 1 holds 8\. Give one format in a file: TUM",
    ),
    "no trajectory": (
        lambda at: text(at / "p.txt", "1 2 3 4\n" * 4),
        r"holds 4 numbers a row, which is no trajectory",
    ),
    "mixed formats in a folder": (
        lambda at: (
            w.write_transforms(
                w.write_seven_scenes(at / "seq", poses()) / "transforms.json",
                poses(),
                w.image_names(FRAMES),
            ).parent
        ),
        r"seq: holds several formats: nerfstudio .*, 7-Scenes .*\. Name the file",
    ),
    "text and binary of COLMAP": (
        lambda at: w.write_colmap_binary(
            w.write_colmap_text(at / "s", poses(), w.image_names(FRAMES)),
            poses(),
            w.image_names(FRAMES),
        ),
        r"s: holds several formats: COLMAP \(cameras\.txt\), COLMAP \(cameras\.bin\)",
    ),
    "several models of COLMAP": (
        lambda at: w.write_colmap_text(
            w.write_colmap_text(at / "sparse" / "0", poses(), w.image_names(FRAMES)).parent / "1",
            poses(),
            w.image_names(FRAMES),
        ).parents[1],
        r"sparse: holds 2 models: 0/, 1/\. Name the folder of one",
    ),
    "an empty folder": (lambda at: at, r"holds none of COLMAP's .*docs/known-inputs\.md"),
    "a missing file": (lambda at: at / "p.txt", r"p\.txt: cannot be read"),
    "an empty file": (lambda at: text(at / "p.txt", "# nothing\n"), r"p\.txt: holds no numbers"),
    "binary": (
        lambda at: Path(str(at / "p.txt")).write_bytes(b"\xff\xfe\x00") and at / "p.txt",
        r"p\.txt: is no text",
    ),
    "no overlap in time": (
        lambda at: w.write_tum(at / "p.txt", poses(), 1305031102.1 + np.arange(4) / 25),
        r"no row is within 0\.02 s of a frame: its times run from 1305031102\.100 to .*"
        r" from 0\.000 to 0\.120 s\. Give times on the video's own clock",
    ),
    "times that descend": (
        lambda at: w.write_tum(at / "p.txt", poses(), [0, 0.08, 0.04, 0.12]),
        r"line 5: its time 0\.04 does not follow 0\.08",
    ),
    "quaternion": (
        lambda at: text(at / "p.txt", "0 1 0 0 0 0 0 1\n0.04 1 2 3 0 0 0 0.5\n"),
        r"line 2: its quaternion has the norm 0\.5, not 1\. Check the order of the columns",
    ),
    "names without a number": (
        lambda at: w.write_transforms(at / "t.json", poses(2), ["a.png", "b.png"]),
        r"'a\.png' has no frame number in its name\. Number images from 0",
    ),
    "names of one number": (
        lambda at: w.write_transforms(at / "t.json", poses(2), ["a1.png", "b1.png"]),
        r"'a1\.png' and 'b1\.png' both have the number 1",
    ),
    "names beyond the video": (
        lambda at: w.write_transforms(at / "t.json", poses(3), w.image_names(3, first=2)),
        r"'cam1/frame_00004\.png' would be frame 4, clip\.mp4 has 4 frames, 0 to 3",
    ),
    "no JSON": (lambda at: text(at / "p.json", "{"), r"p\.json: is no JSON"),
    "a JSON list": (lambda at: text(at / "p.json", "[]"), r"holds a JSON list, not an object"),
    "a JSON without poses": (
        lambda at: w.write_json(at / "p.json", **CAMERA),
        r"p\.json: holds no list of poses 'camera_to_world'",
    ),
    "images without lines of points": (
        lambda at: (
            text(
                w.write_colmap_text(at / "s", poses(), w.image_names(FRAMES)) / "images.txt",
                "\n".join(f"{n} 1 0 0 0 0 0 0 7 {n}.png" for n in range(FRAMES)),
            ).parent
        ),
        r"images\.txt: line 2: is not the line of points",
    ),
    "a damaged images.bin": (
        lambda at: Path(
            (
                w.write_colmap_binary(at / "s", poses(), w.image_names(FRAMES)) / "images.bin"
            ).write_bytes((at / "s" / "images.bin").read_bytes()[:100])
            and at / "s"
        ),
        r"images\.bin: ends too early",
    ),
    "a lens that distorts, without intrinsics": (
        lambda at: w.write_colmap_text(
            at / "s", poses(), w.image_names(FRAMES), "SIMPLE_RADIAL", (80, 48, 32, 0.1)
        ),
        r"cameras\.txt: says that the lens distorts, .* Give the same file as intrinsics too",
    ),
    "a fisheye, without intrinsics": (
        lambda at: w.write_colmap_text(
            at / "s", poses(), w.image_names(FRAMES), "OPENCV_FISHEYE", (80, 80, 48, 32, 0, 0, 0, 0)
        ),
        r"cameras\.txt: line 2: a fisheye of the model OPENCV_FISHEYE",
    ),
    "a mirroring applied_transform": (
        lambda at: text(
            at / "t.json",
            json.dumps(
                json.loads(
                    w.write_transforms(at / "t.json", poses(), w.image_names(FRAMES)).read_text()
                )
                | {"applied_transform": [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]]}
            ),
        ),
        r"applied_transform: it mirrors",
    ),
}

WRONG_INTRINSICS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "another size": (
        lambda at: w.write_json(at / "i.json", **{**CAMERA, "width": 192, "height": 128}),
        r"i\.json: is of images of 192x128 pixels, clip\.mp4 has 96x64 .*scale them",
    ),
    "COLMAP of another size": (
        lambda at: w.write_colmap_binary(
            at / "s", poses(), w.image_names(FRAMES), size=(w.HEIGHT, w.WIDTH)
        ),
        r"cameras\.bin: is of images of 64x96 pixels, clip\.mp4 has 96x64 \(after its rotation",
    ),
    "a matrix of another size": (
        lambda at: text(at / "i.txt", "585 0 320\n0 585 240\n0 0 1\n"),
        r"i\.txt: has the principal point \(320, 240\), far from the centre of clip\.mp4, 96x64",
    ),
    "a skew": (
        lambda at: text(at / "i.txt", "80 1 48\n0 80 32\n0 0 1\n"),
        r"i\.txt: is no pinhole without skew",
    ),
    "not square": (
        lambda at: text(at / "i.txt", "80 80 48 32\n"),
        r"1 rows of 4 numbers, not a 3x3",
    ),
    "a focal of 0": (
        lambda at: w.write_json(at / "i.json", **{**CAMERA, "fy": 0}),
        r"i\.json: the file: its focal length is 0 pixels",
    ),
    "a focal of NaN": (
        lambda at: w.write_json(at / "i.json", **{**CAMERA, "fx": float("nan")}),
        r"i\.json: the file, 'fx': holds nan",
    ),
    "no focal": (
        lambda at: w.write_json(at / "i.json", width=96, height=64, fx=80),
        r"the file: lacks 'fy'",
    ),
    "a truth value": (
        lambda at: w.write_json(at / "i.json", **{**CAMERA, "fx": True}),
        r"'fx': True is no number",
    ),
    "what is not known here": (
        lambda at: w.write_json(at / "i.json", **CAMERA, k4=0.1, skew=0),
        r"i\.json: holds 'k4', 'skew', which is not known here",
    ),
    "a rolling shutter": (
        lambda at: w.write_json(at / "i.json", **CAMERA, rolling_shutter=True),
        r"'rolling_shutter' says a rolling shutter, which is not corrected here",
    ),
    "a fisheye of nerfstudio": (
        lambda at: w.write_transforms(
            at / "t.json", poses(), w.image_names(4), **NERF, camera_model="OPENCV_FISHEYE"
        ),
        r"t\.json: the file: a fisheye of the model OPENCV_FISHEYE.*Undistort the video first",
    ),
    "a fisheye of instant-ngp": (
        lambda at: w.write_transforms(
            at / "t.json", poses(), w.image_names(4), **NERF, is_fisheye=True
        ),
        r"'is_fisheye' says a fisheye",
    ),
    "a 360 degree camera": (
        lambda at: w.write_transforms(
            at / "t.json", poses(), w.image_names(4), **NERF, camera_model="EQUIRECTANGULAR"
        ),
        r"a camera of the model EQUIRECTANGULAR",
    ),
    "k4 of nerfstudio": (
        lambda at: w.write_transforms(at / "t.json", poses(), w.image_names(4), **NERF, k4=0.1),
        r"OPENCV has k4, k5 or k6, whose meaning differs",
    ),
    "THIN_PRISM_FISHEYE": (
        lambda at: w.write_colmap_binary(
            at / "s", poses(), w.image_names(4), "THIN_PRISM_FISHEYE", [80, 80, 48, 32, *[0.0] * 8]
        ),
        r"cameras\.bin: camera 0: a fisheye of the model THIN_PRISM_FISHEYE",
    ),
    "FOV": (
        lambda at: w.write_colmap_text(
            at / "s", poses(), w.image_names(4), "FOV", (80, 80, 48, 32, 0.5)
        ),
        r"cameras\.txt: line 2: a fisheye of the model FOV",
    ),
    "parameters missing": (
        lambda at: w.write_colmap_text(at / "s", poses(), w.image_names(4), "OPENCV", (80, 48, 32)),
        r"line 2: OPENCV has 8 parameters, not 3",
    ),
    "poses in place of intrinsics": (
        lambda at: w.write_seven_scenes(at / "seq", poses()),
        r"seq: holds poses .*, no intrinsics",
    ),
    "transforms.json without a camera": (
        lambda at: w.write_transforms(at / "t.json", poses(), w.image_names(4)),
        r"holds no intrinsics \(fl_x, fl_y, cx, cy, w, h\)",
    ),
}


@pytest.mark.parametrize(("write", "words"), WRONG_POSES.values(), ids=WRONG_POSES.keys())
def test_wrong_poses(tmp_path: Path, write: Callable[[Path], Path], words: str) -> None:
    assert re.search(words, refusal(poses=write(tmp_path)))


@pytest.mark.parametrize(("write", "words"), WRONG_INTRINSICS.values(), ids=WRONG_INTRINSICS.keys())
def test_wrong_intrinsics(tmp_path: Path, write: Callable[[Path], Path], words: str) -> None:
    assert re.search(words, refusal(intrinsics=write(tmp_path)))


@pytest.mark.parametrize("name", ["intrinsics", "poses", "motion_masks"])
def test_an_empty_url_is_not_the_current_folder(name: str) -> None:
    assert refusal(**{name: " "}) == f"{name}: is empty. Name a file or folder, or leave it out."


def test_two_lenses_that_distort(tmp_path: Path) -> None:
    folder = w.write_colmap_text(
        tmp_path / "s", poses(), w.image_names(4), "SIMPLE_RADIAL", (80, 48, 32, 0.1)
    )
    cameras, images = folder / "cameras.txt", folder / "images.txt"
    cameras.write_text(cameras.read_text() + "8 SIMPLE_RADIAL 96 64 80 48 32 0.2\n")
    images.write_text(images.read_text().replace(" 7 cam1/frame_00000", " 8 cam1/frame_00000"))
    line = refusal(intrinsics=folder)
    assert "cameras.txt: holds 2 cameras with lens distortion" in line
    assert "single_camera" in line


def test_metric_without_poses_or_with_rescaled_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only known poses can be metric"):
        KnownInputs(metric=True)
    path = w.write_transforms(tmp_path / "t.json", poses(), w.image_names(4), applied_scale=0.1)
    assert "multiplied by 0.1 (applied_scale)" in refusal(poses=path, metric=True)
    read_known(KnownInputs(poses=str(path)), w.video_of(4))


def test_times_of_a_video_that_has_none(tmp_path: Path) -> None:
    path = w.write_tum(tmp_path / "p.txt", poses(), w.video_of(4).pts_seconds)
    video = w.video_of(4, timestamps_derived=True)
    with pytest.raises(KnownInputError, match="no usable timestamps of its own"):
        read_known(KnownInputs(poses=str(path)), video)


def test_cameras_that_change_after_planning(tmp_path: Path) -> None:
    path = w.write_kitti(tmp_path / "p.txt", poses())
    masks = tmp_path / "masks"
    masks.mkdir()
    for number in range(4):
        Image.new("L", (w.WIDTH, w.HEIGHT)).save(masks / f"{number}.png")
    for inputs in (
        KnownInputs(poses=str(path)),
        KnownInputs(poses=str(path), motion_masks=str(masks)),
    ):
        w.write_kitti(path, poses())
        digest = read_known(inputs, w.video_of(4)).digest
        planned = KnownInputs(inputs.intrinsics, inputs.poses, False, inputs.motion_masks, digest)
        assert read_known(planned, w.video_of(4)).digest == digest
        w.write_kitti(path, w.random_poses(1, 4))
        with pytest.raises(KnownInputError, match="has changed since it was planned"):
            read_known(planned, w.video_of(4))
