"""What is halved when a device runs out of memory, in which order, down to what."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from easi3r.config import Settings
from easi3r.run.out_of_memory import SMALLEST_SHORT_SIDE_PX, ClipSize, sizes_to_try
from easi3r.types import Frames


def frames(height: int, width: int) -> Frames:
    images = np.zeros((2, height, width, 3), np.uint8)
    return Frames(images, np.array([0.0, 0.1]), np.array([0, 1]), np.eye(3))


@given(
    pairs=st.integers(1, 64),
    window=st.integers(1, 12),
    kind=st.sampled_from(["window", "complete", "star"]),
    height=st.integers(16, 600),
    width=st.integers(16, 600),
)
def test_every_step_is_smaller_and_the_last_is_the_floor(
    pairs: int, window: int, kind: str, height: int, width: int
) -> None:
    given = Settings.parse(
        {"execution": {"pairs_per_batch": pairs}, "graph": {"kind": kind, "window": window}}
    )
    asked = ClipSize.of(given, frames(height, width))
    sizes = list(sizes_to_try(asked))
    last = sizes[-1]
    assert last.pairs_per_batch == 1
    assert last.window == (1 if kind == "window" else None)
    assert last.short_side_px < 2 * SMALLEST_SHORT_SIDE_PX
    assert last.short_side_px >= min(SMALLEST_SHORT_SIDE_PX, height, width)
    for larger, smaller in pairwise(sizes):
        assert len(smaller.degraded_from(larger)) == 1  # one thing at a time
        chosen = smaller.settings(given, asked)
        assert chosen.execution.pairs_per_batch == smaller.pairs_per_batch
        assert chosen.graph.window == (smaller.window or window)


def test_settings_change_only_in_what_was_halved() -> None:
    given = Settings()
    asked = ClipSize.of(given, frames(256, 512))
    assert asked.settings(given, asked) == given
    sizes = list(sizes_to_try(asked))
    assert sizes[1].degraded_from(asked) == ("execution.pairs_per_batch 8 -> 4",)
    assert sizes[1].settings(given, asked).digest == given.digest
    assert sizes[-1].degraded_from(asked) == (
        "execution.pairs_per_batch 8 -> 1",
        "graph.window 5 -> 1",
        "video.long_side_px 512 -> 128",
    )
