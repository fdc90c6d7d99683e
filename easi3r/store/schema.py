"""Schema 1: which arrays a clip has, what they are called, where everything lies."""

import re
from dataclasses import dataclass

import numpy as np

from easi3r.types import digest

SCHEMA_VERSION = 1
FORMAT = "easi3r"
ROOT = "zarr.json"
CLIPS = "clips"
COMMITS = "commits"
QUARANTINE = "quarantine"
INDEX = "index"
PROBE = ".probe"
LICENCE_NOTE = (
    "Annotations inherit the licence of the weights that made them; each clip names it. "
    "Published DUSt3R and MonST3R weights are CC BY-NC-SA 4.0: non-commercial use, share alike."
)
UNIT_OF_LENGTH = {"metric": "m", "arbitrary": "1"}  # by `scale`; "1": the clip's own unit
CLIP_ID = re.compile(r"[0-9a-f]{32}")
PREFIX = re.compile(r"[0-9a-f]{2}")  # of a clip id: the folder of its records
_RECORD = re.compile(r"([0-9a-f]{32}\.[0-9a-f]{16})\.json")
_SHORT = 16


@dataclass(frozen=True)
class Variable:
    """One array of a clip.

    Attributes:
        dims: dimension names; the first is `time` for everything that has a value per frame.
        units: None for lengths, whose unit depends on the clip's `scale`.
        lossy: mantissa bits are dropped, and the bound is recorded with the array.
        sharded: inner chunks of a few frames in one shard; else one small chunk.
        fill_value: what a lost chunk reads as; NaN where the type has it, so that loss shows.
        optional: only some clips have it.
    """

    name: str
    dims: tuple[str, ...]
    dtype: type[np.generic]
    units: str | None
    long_name: str
    description: str
    lossy: bool = False
    sharded: bool = True
    optional: bool = False

    @property
    def fill_value(self) -> float | int | bool:
        if issubclass(self.dtype, np.floating):
            return float("nan")
        return False if self.dtype is np.bool_ else -1


PIXELS = ("time", "y", "x")
VARIABLES = (
    Variable(
        "time",
        ("time",),
        np.float64,
        "s",
        "presentation time",
        "From the start of the video, as its container gives it; the frame rate may vary.",
        sharded=False,
    ),
    Variable(
        "frame_index",
        ("time",),
        np.int64,
        "1",
        "source frame number",
        "Index of the frame in the source video in presentation order, from 0.",
        sharded=False,
    ),
    Variable(
        "dynamic_mask",
        PIXELS,
        np.bool_,
        "1",
        "mask of moving objects",
        "True where an object moves by itself.",
    ),
    Variable(
        "dynamic_score",
        ("time", "token_y", "token_x"),
        np.float32,
        "1",
        "motion score",
        "0 (static) to 1, one value per token; the tokens tile the image.",
    ),
    Variable(
        "depth",
        PIXELS,
        np.float32,
        None,
        "depth",
        "z in the camera's frame, positive.",
        lossy=True,
    ),
    Variable(
        "confidence",
        PIXELS,
        np.float32,
        "1",
        "confidence",
        "The network's, 1 or more; 0 where another frame contradicts the pixel.",
        lossy=True,
    ),
    Variable(
        "point_map",
        (*PIXELS, "xyz"),
        np.float32,
        None,
        "point map",
        "World coordinates of each pixel at its own time: depth, intrinsics and camera_to_world "
        "through a pinhole, pixel centres at integers.",
        lossy=True,
    ),
    Variable(
        "camera_to_world",
        ("time", "pose_row", "pose_column"),
        np.float64,
        None,
        "camera-to-world pose",
        "4x4 rigid transform, OpenCV axes (x right, y down, z forward); the translation has "
        "the unit of length.",
        sharded=False,
    ),
    Variable(
        "intrinsics",
        ("time", "intrinsics_row", "intrinsics_column"),
        np.float64,
        "pixel",
        "camera intrinsics",
        "3x3, pixels of the stored resolution, pixel centres at integers.",
        sharded=False,
    ),
    Variable(
        "loss_history",
        ("step",),
        np.float64,
        "1",
        "objective of the alignment",
        "After each step of the solver.",
        sharded=False,
    ),
    Variable(
        "dynamic_mask_unrefined",
        PIXELS,
        np.bool_,
        "1",
        "mask of moving objects before refinement",
        "The method's own mask, part of dynamic_mask, where a refiner made that larger.",
        optional=True,
    ),
)


def result_id(clip_id: str, weights_sha256: str, settings_digest: str) -> str:
    """64 hex digits: hash of (clip id, weights, settings, schema version)."""
    return digest([clip_id, weights_sha256, settings_digest, SCHEMA_VERSION])


def result_name(clip_id: str, result_id: str) -> str:
    """The name a result is committed under; `committed_results` is a set of these."""
    return f"{clip_id}.{result_id[:_SHORT]}"


def recorded_result(path: str) -> str | None:
    """The `result_name` of a commit or quarantine record, by the record's path or file name.

    None for a file that is not named as such a record is, whole.
    """
    match = _RECORD.fullmatch(path.rpartition("/")[2])
    return match and match[1]


def commit_folder(clip_id: str) -> str:
    """Where the commit records of a clip lie, beside those of other clips."""
    return f"{COMMITS}/{clip_id[:2]}"


def commit_path(clip_id: str, result_id: str) -> str:
    """Where the commit record of one result of a clip lies."""
    return f"{commit_folder(clip_id)}/{result_name(clip_id, result_id)}.json"


def clip_folder(clip_id: str) -> str:
    """Where all attempts to write a clip lie."""
    return f"{CLIPS}/{clip_id[:2]}/{clip_id}"


def attempt_path(clip_id: str, attempt: str) -> str:
    """The Zarr group of one attempt to write a clip."""
    return f"{clip_folder(clip_id)}/{attempt}"


def quarantine_path(record_id: str) -> str:
    """Where the quarantine record of a clip or video lies."""
    return f"{QUARANTINE}/{record_id}.json"
