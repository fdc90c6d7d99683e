"""Matches read from attention, against the whole matrix of a tiny network."""

import numpy as np
import torch

from easi3r.model import MatchRecorder, normalise
from tests.model.sizes import EDGES, TINY, build, images

LAYERS, HEADS = (1, 2), (0, 2)


def test_matches_are_the_centre_of_attention_about_its_peak() -> None:
    network = build(TINY)
    with torch.no_grad():
        features = network.encode(normalise(images(64, 80)))
        layers = list(network.decode(features, EDGES))
        recorder = MatchRecorder(features, LAYERS, HEADS)
        assert list(recorder.watch(iter(layers))) == layers
    matches = recorder.result()
    rows, columns = features.rows, features.columns
    assert matches.place.shape == (len(EDGES), rows, columns, 2)

    attention = np.mean(
        [
            layers[number].decoder_1.scores.logits().softmax(-1)[:, head].numpy()
            for number in LAYERS
            for head in HEADS
        ],
        axis=0,
    ).reshape(len(EDGES), rows, columns, rows, columns)
    for pair, row, column in ((0, 0, 0), (1, 2, 3), (2, rows - 1, columns - 1)):
        one = attention[pair, row, column]
        peak = np.unravel_index(one.argmax(), one.shape)
        window = np.zeros_like(one)
        window[max(0, peak[0] - 1) : peak[0] + 2, max(0, peak[1] - 1) : peak[1] + 2] = 1
        near = one * window
        y, x = np.mgrid[:rows, :columns]
        expected = np.array([(near * x).sum(), (near * y).sum()]) / near.sum()
        np.testing.assert_allclose(matches.place[pair, row, column], expected, atol=1e-4)
        np.testing.assert_allclose(matches.certainty[pair, row, column], near.sum(), atol=1e-5)
