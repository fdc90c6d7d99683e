import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from easi3r.tensors import FrameFeatures

FEATURES = FrameFeatures(torch.arange(7 * 6 * 2.0).reshape(7, 6, 2), rows=2, columns=3)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(arrays(np.int64, array_shapes(max_dims=2), elements=st.integers(0, 6)))
def test_features_of_frames_that_occur(frames: np.ndarray) -> None:
    shown, where = FEATURES.shown_in(frames)
    assert where.shape == frames.shape
    assert len(shown.tokens) == len(set(frames.flat))  # each once
    torch.testing.assert_close(shown.tokens[where], FEATURES.tokens[torch.from_numpy(frames)])
    assert (shown.rows, shown.columns) == (2, 3)
