"""The pair graph: pairs of frames that the network processes (docs/method.md §2)."""

import numpy as np

from easi3r.config import GraphSettings
from easi3r.errors import SettingsError
from easi3r.tensors import PairGraph


def pair_graph(frames: int, settings: GraphSettings) -> PairGraph:
    """The directed pairs of a clip, both directions of each, sorted by (first, second).

    A window reaches at most ceil((frames - 1) / 2), so that offsets stay inside the clip.

    Args:
        frames: number of frames of the clip, at least 2.
        settings: kind of graph, and its window where the kind has one.

    Raises:
        SettingsError: fewer than 2 frames.
    """
    if frames < 2:
        raise SettingsError("frames", f"{frames} frames make no pair", "Give at least 2 frames")
    first, second = np.indices((frames, frames))
    offset = np.abs(first - second)
    # ceil((frames - 1) / 2), in integers
    window = min(settings.window, frames // 2)
    match settings.kind:
        case "window":
            farthest = 1 + (window - 1) * settings.stride
            on_stride = (offset - 1) % settings.stride == 0
            connected = (offset >= 1) & on_stride & (offset <= farthest)
        case "complete":
            connected = offset >= 1
        case "star":
            connected = (offset >= 1) & ((first == 0) | (second == 0))
    return PairGraph(edges=np.argwhere(connected), frames=frames)
