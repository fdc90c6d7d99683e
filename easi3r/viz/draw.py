"""Pictures of committed clips, from a dataset to a PNG."""

import json
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from easi3r.errors import (
    ChangedVideoError,
    ClipNotFoundError,
    SourceError,
    UnwritableDestinationError,
    VideoError,
)
from easi3r.store import Dataset, open_dataset
from easi3r.types import ClipSpec, Frames
from easi3r.video import decode, hash_content
from easi3r.viz.sheet import contact_sheet

_DOTS_PER_INCH = 130


def draw_clip(dataset_url: str, clip_id: str, path: Path, count: int = 5) -> None:
    """Write the contact sheet of a committed clip as PNG.

    The frames are decoded again from the recorded source. Where that is gone or has changed, the
    sheet is drawn without them, with the reason as a remark.

    Args:
        clip_id: of the clip, or its first digits where only one clip has them.
        path: of the PNG; its folder is made.
        count: number of times to show.

    Raises:
        ClipNotFoundError: no clip, or more than one, of these digits.
        NotADatasetError, CorruptClipError: see `easi3r.open_dataset`.
        UnwritableDestinationError: the PNG cannot be written.
    """
    dataset = open_dataset(dataset_url)
    clip = dataset.open_clip(_completed(dataset, clip_id))
    frames, remark = None, ""
    try:
        frames = recorded_frames(clip)
    except (SourceError, VideoError) as error:
        remark = f"Drawn without frames. {error}"
    save_sheet(contact_sheet(clip, frames, count, remark), path)


def save_sheet(figure: Figure, path: Path) -> None:
    """Write a figure as PNG.

    Raises:
        UnwritableDestinationError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="png", dpi=_DOTS_PER_INCH)
    except OSError as error:
        remedy = "Give a path that can be written"
        raise UnwritableDestinationError(str(path), str(error), remedy) from error


def recorded_frames(clip: xr.Dataset) -> Frames:
    """The frames that a stored clip annotates, decoded again from its recorded source.

    Raises:
        ChangedVideoError: the source is not the file that was annotated.
        VideoError, SourceError: the source cannot be read; see `easi3r.video.decode`.
    """
    attributes = clip.attrs
    spec = ClipSpec(
        video_url=attributes["source_url"],
        video_fingerprint=attributes["source_fingerprint"],
        frame_index=tuple(clip["frame_index"].to_numpy().tolist()),
        pts_seconds=tuple(clip["time"].to_numpy().tolist()),
        owned_start=attributes["owned_start"],
        owned_stop=attributes["owned_stop"],
        stream_break=attributes["stream_break"],
        timestamps_derived=attributes.get("timestamps_derived", False),
    )
    if hash_content(spec.video_url)[0] != spec.video_fingerprint:
        problem = "its bytes are no longer those that were annotated"
        raise ChangedVideoError(spec.video_url, problem, "Restore it, or annotate it again")
    height, width = clip.sizes["y"], clip.sizes["x"]
    # Without the setting it was the weights' own side, whole patches, of which nothing is cropped.
    settings = json.loads(attributes["provenance"]["settings_json"])
    video = settings.get("video", {})
    long_side = video.get("long_side_px") or max(height, width)
    patch_size = height // clip.sizes["token_y"]
    frames = decode(spec, long_side, patch_size, video.get("fit", "crop"))
    if not np.allclose(frames.source_to_stored, attributes["source_to_stored"]):
        problem = "this version decodes it to other pixels than those that were annotated"
        raise ChangedVideoError(spec.video_url, problem, "Annotate it again with this version")
    return frames


def _completed(dataset: Dataset, clip_id: str) -> str:
    matches = [known for known in dataset if known.startswith(clip_id)]
    if len(matches) > 1:
        problem = f"these digits fit {len(matches)} clips: {', '.join(matches[:3])} .."
        raise ClipNotFoundError(f"clip {clip_id} of {dataset.url}", problem, "Give more digits")
    return matches[0] if matches else clip_id
