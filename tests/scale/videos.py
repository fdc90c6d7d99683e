"""Videos of many clips that cost nothing to decode."""

from pathlib import Path

import av
import numpy as np

FRAMES_PER_CLIP = 3
CLIPS_PER_VIDEO = 500
SIDE = 64  # pixels


def write_videos(folder: Path, clips: int) -> str:
    """Videos of 500 clips of three frames each, every one of other contents; returns the source."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, clips, CLIPS_PER_VIDEO)):
        count = min(CLIPS_PER_VIDEO, clips - start)
        _write_video(folder / f"{number:06d}.mp4", count * FRAMES_PER_CLIP, number)
    return str(folder)


def _write_video(path: Path, frames: int, seed: int) -> None:
    still = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(still, format="rgb24")
        for number in range(frames):
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
