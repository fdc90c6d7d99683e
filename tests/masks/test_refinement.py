"""The protocol of refinement, with trackers that compute nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from jaxtyping import Bool, UInt8

from easi3r.errors import MissingPackageError
from easi3r.masks import RefinerMemory, packages, refine_masks
from easi3r.run.collection import annotate_collection
from easi3r.run.run import Run
from tests.engines import NullEngine, null_settings
from tests.scenes import write_scenes


@dataclass
class Spy:
    """Tracks one given mask everywhere, and remembers its prompts."""

    answer: Bool[np.ndarray, "height width"]
    prompted: list[dict[int, np.ndarray]] = field(default_factory=list)

    def track(
        self,
        images: UInt8[np.ndarray, "frames height width 3"],
        prompts: Mapping[int, Bool[np.ndarray, "height width"]],
    ) -> dict[int, Bool[np.ndarray, "height width"]]:
        self.prompted.append(dict(prompts))
        return {n: self.answer for n in range(len(images)) if n not in prompts}

    def memory(self, frames: int) -> RefinerMemory:
        return RefinerMemory(0, 0)


def images_like(mask: np.ndarray) -> np.ndarray:
    return np.zeros((*mask.shape, 3), np.uint8)


@given(
    mask=arrays.arrays(bool, st.tuples(st.integers(2, 7), st.just(3), st.just(4))),
    answer=arrays.arrays(bool, (3, 4)),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_no_pixel_is_removed_and_the_tracker_adds_its_own(
    mask: np.ndarray, answer: np.ndarray
) -> None:
    refined = refine_masks(images_like(mask), mask, Spy(answer))
    assert refined[mask].all()
    for parity in (0, 1):
        prompted = mask[1 - parity :: 2].any()
        expected = mask[parity::2] | answer if prompted else mask[parity::2]
        np.testing.assert_array_equal(refined[parity::2], expected)


@pytest.mark.parametrize("frames", [2, 5, 6])
def test_masks_of_odd_frames_give_the_even_ones_and_the_other_way_round(frames: int) -> None:
    mask = np.random.default_rng(frames).random((frames, 3, 4)) > 0.5
    spy = Spy(np.zeros((3, 4), bool))
    refine_masks(images_like(mask), mask, spy)
    odd, even = spy.prompted
    assert list(odd) == list(range(1, frames, 2))
    assert list(even) == list(range(0, frames, 2))
    for number, prompt in {**odd, **even}.items():
        np.testing.assert_array_equal(prompt, mask[number])  # the method's, not a refined one


def test_where_nothing_moves_there_is_nothing_to_track() -> None:
    mask = np.zeros((4, 3, 4), bool)
    spy = Spy(np.ones((3, 4), bool))
    assert not refine_masks(images_like(mask), mask, spy).any()
    assert not spy.prompted


def test_the_given_masks_stay_as_they_are() -> None:
    mask = np.zeros((3, 3, 4), bool)
    mask[1, 0, 0] = True
    before = mask.copy()
    refine_masks(images_like(mask), mask, Spy(np.ones((3, 4), bool)))
    np.testing.assert_array_equal(mask, before)


def test_a_missing_extra_stops_a_run_before_it_begins_and_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    write_scenes(tmp_path / "videos", count=1, frames=3)
    settings = null_settings(masks={"refine": "sam2"})
    run = Run.of(str(tmp_path / "videos"), str(tmp_path / "out.zarr"), settings, NullEngine)
    with pytest.raises(MissingPackageError, match=r"pip install 'easi3r\[sam2\]'\.$") as caught:
        annotate_collection(run)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.zarr").exists()
