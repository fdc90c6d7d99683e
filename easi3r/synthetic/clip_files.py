"""Writing and reading a clip: a playable mp4 with its ground truth beside it."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from easi3r.errors import SourceError
from easi3r.synthetic.render import RenderedClip, back_project


def write_clip(clip: RenderedClip, folder: Path, name: str, crf: int = 8) -> Path:
    """Writes `name.mp4` (H.264, 4:2:0) and `name.npz`; returns the mp4's path.

    `crf` is x264's constant rate factor: 8 is near lossless, 23 what people's videos have, 35 and
    more what bad ones have. Truth does not depend on it. The point map is not stored: it is
    exactly depth, intrinsics and pose, and `read_truth` gives it back. Frame times must be a
    constant rate apart. The same clip gives the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.mp4"
    step = float(clip.times[1] - clip.times[0]) if len(clip) > 1 else 1.0
    rate = Fraction(1 / step).limit_denominator(1001)
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        # With several threads, x264's macroblock tree or its own conversion of colours, the bits
        # would change from run to run, and with them the annotation of the clip.
        options = {"crf": str(crf), "threads": "1", "mbtree": "0"}
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.height, stream.width = clip.images.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for image in clip.images:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode(None))
    arrays = {key: value for key, value in vars(clip).items() if key not in ("images", "point_map")}
    np.savez_compressed(path.with_suffix(".npz"), **arrays)
    return path


def read_truth(path: Path) -> RenderedClip:
    """The clip whose mp4 or npz is at `path`; images are those the mp4 decodes to.

    Raises:
        SourceError: one of the two files is missing.
    """
    movie, truth = path.with_suffix(".mp4"), path.with_suffix(".npz")
    for file in (movie, truth):
        if not file.is_file():
            raise SourceError(str(file), "no such file", "Write the clip again with write_clip")
    with av.open(str(movie)) as container:
        images = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    with np.load(truth) as arrays:
        fields = dict(arrays)
    point_map = back_project(fields["depth"], fields["intrinsics"][0], fields["camera_to_world"])
    return RenderedClip(images=images, point_map=point_map, **fields)
