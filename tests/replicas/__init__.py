"""Rendered scenes in the published layouts of the paper's data sets, with exact truth.

A few small sequences of each, so few frames that an annotation takes seconds. Depths that a format
cannot hold (the sky in 16 bits) are written as not known.
"""

from collections.abc import Callable
from pathlib import Path

from easi3r.synthetic import RenderedClip
from tests.replicas.adt import write_adt
from tests.replicas.clips import replica_clip
from tests.replicas.davis import write_davis
from tests.replicas.dycheck import write_dycheck
from tests.replicas.rgbd import write_bonn, write_tum
from tests.replicas.sintel import write_sintel

Clips = dict[str, RenderedClip]

WRITERS: dict[str, Callable[[Path, Clips], None]] = {
    "davis": write_davis,
    "tum": write_tum,
    "adt": write_adt,
    "dycheck": write_dycheck,
    "sintel": write_sintel,
    "bonn": write_bonn,
}


def replica_clips(dataset: str) -> Clips:
    """The scenes of a data set's replica, by the names of their sequences.

    A clip holds every frame that is written: the paper reads 6 to 10 of each.
    """
    match dataset:
        case "davis":
            return {name: replica_clip(at, 8, 64, 96) for at, name in enumerate(("bear", "cows"))}
        case "tum":
            names = ("freiburg3_sitting_xyz", "freiburg3_walking_static")
            return {name: replica_clip(at, 151, 48, 64) for at, name in enumerate(names)}
        case "adt":
            names = ("Apartment_release_seq131_0", "Apartment_release_seq148_1")
            return {name: replica_clip(at, 26, 64, 64) for at, name in enumerate(names)}
        case "dycheck":
            return {name: replica_clip(at, 51, 96, 72) for at, name in enumerate(("apple", "spin"))}
        case "sintel":
            names = ("alley_2", "market_5", "temple_3")
            return {name: replica_clip(at, 7, 48, 112) for at, name in enumerate(names)}
        case "bonn":
            names = ("balloon2", "synchronous")
            return {name: replica_clip(at, 38, 48, 64) for at, name in enumerate(names)}
    raise ValueError(dataset)


def write_replica(dataset: str, folder: Path) -> Clips:
    """Writes a data set's replica into a folder; returns its scenes."""
    clips = replica_clips(dataset)
    WRITERS[dataset](folder, clips)
    return clips
