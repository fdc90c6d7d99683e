"""From a source to frames: list its videos, probe each, plan clips, decode a clip's frames.

Headers are never believed: what a video holds is what decoding it gives. Any fsspec URL will do.
"""

from easi3r.video.arrays import ArrayVideo
from easi3r.video.clip_ranges import left_out_shots, plan_clips
from easi3r.video.decoding import Undistort, decode
from easi3r.video.fitting import Fit, FrameSize, fit_size
from easi3r.video.listing import describe
from easi3r.video.probing import hash_content, probe
from easi3r.video.sources import Listing, SourceVideo, list_videos, scan_source

__all__ = [
    "ArrayVideo",
    "Fit",
    "FrameSize",
    "Listing",
    "SourceVideo",
    "Undistort",
    "decode",
    "describe",
    "fit_size",
    "hash_content",
    "left_out_shots",
    "list_videos",
    "plan_clips",
    "probe",
    "scan_source",
]
