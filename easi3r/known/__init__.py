"""What a user knows of a video: cameras and motion masks, read from files of usual formats.

docs/known-inputs.md lists the formats. Nothing is guessed: a file that can be read in two ways, or
that is not of this video, is refused with one line.
"""

from easi3r.known.array_inputs import PathOrArray, known_of_video
from easi3r.known.clip_inputs import known_of, specs_with, undistortion, with_known
from easi3r.known.distortion import Distortion
from easi3r.known.known_video import KnownVideo
from easi3r.known.reading import read_known

__all__ = [
    "Distortion",
    "KnownVideo",
    "PathOrArray",
    "known_of",
    "known_of_video",
    "read_known",
    "specs_with",
    "undistortion",
    "with_known",
]
