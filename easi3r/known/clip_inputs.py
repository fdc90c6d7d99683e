"""What a user knows of the frames of one clip, as workers read it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial

from easi3r.knowledge import KnownInputs, LensDistortion
from easi3r.known.known_video import KnownVideo
from easi3r.known.reading import read_known
from easi3r.types import ClipSpec, Frames
from easi3r.video import Undistort, probe

_VIDEOS = 4  # of which a worker, whose clips come in the order of the plan, keeps what is known


def specs_with(known: KnownVideo, specs: Sequence[ClipSpec]) -> tuple[ClipSpec, ...]:
    """The clips of a video with where what is known of it lies, and its digest.

    Raises:
        KnownInputError: a frame that they read is not covered (`KnownVideo.require`).
    """
    known.require(specs)
    inputs = replace(known.inputs, digest=known.digest)
    return tuple(replace(spec, known=inputs) for spec in specs)


def known_of(spec: ClipSpec) -> KnownVideo | None:
    """What the user knows of a clip's video, as it was planned; read once per process and video.

    Raises:
        KnownInputError: it cannot be read, or says something else than when it was planned.
        VideoError, UnreadableURLError, StorageUnavailableError: as `easi3r.video.probe`.
    """
    if spec.known is None:
        return None
    return _read(spec.video_url, spec.video_fingerprint, spec.known)


@lru_cache(_VIDEOS)
def _read(url: str, _fingerprint: str, inputs: KnownInputs) -> KnownVideo:
    """What is known of a video; one of another fingerprint is another video."""
    return read_known(inputs, probe(url))


def undistortion(known: KnownVideo | None) -> Undistort | None:
    """What takes the lens distortion out of a video's frames; None where none is known."""
    if known is None or known.distortion is None:
        return None
    return partial(known.distortion.undistort, interpolation="cubic")


def with_known(frames: Frames, known: KnownVideo | None) -> Frames:
    """Undistorted frames with the cameras and masks that are known, at stored pixels.

    Raises:
        KnownInputError, StorageUnavailableError: a mask cannot be read.
    """
    if known is None:
        return frames
    height, width = frames.images.shape[1:3]
    lens = known.distortion
    return replace(
        frames,
        known=known.cameras(frames.frame_index, frames.source_to_stored),
        moving=known.moving(frames.frame_index, frames.source_to_stored, height, width),
        undistorted=None if lens is None else LensDistortion(lens.model, lens.coefficients),
    )
