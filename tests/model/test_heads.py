from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from easi3r.model import heads
from easi3r.model.heads import DPTHead, to_points
from easi3r.tensors import FrameFeatures
from tests.model.sizes import TINY, build


def test_output_activation() -> None:
    direction = torch.tensor([2.0, -1.0, 2.0]) / 3
    raw = torch.zeros(1, 4, 1, 2)
    raw[0, :3, 0, 0] = 1.5 * direction
    raw[0, 3] = torch.tensor([[0.7, -30.0]])
    points, confidence = to_points(raw)
    torch.testing.assert_close(points[0, 0, 0], torch.expm1(torch.tensor(1.5)) * direction)
    torch.testing.assert_close(points[0, 0, 1], torch.zeros(3))
    expected = 1 + torch.tensor([0.7, -30.0]).exp()
    torch.testing.assert_close(confidence[0, 0], expected)


def test_a_zero_output_has_a_finite_gradient() -> None:
    raw = torch.zeros(1, 4, 1, 1, requires_grad=True)
    points, confidence = to_points(raw)
    (points.sum() + confidence.sum()).backward()
    assert raw.grad is not None
    assert torch.isfinite(raw.grad).all()


@pytest.mark.parametrize(("rows", "columns"), [(4, 6), (3, 5)], ids=["even", "odd"])
def test_output_does_not_depend_on_the_images_processed_at_once(
    rows: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, features, frames, hooked = dpt_inputs(rows, columns)
    together = head(features, frames, hooked)
    assert together.shape == (5, 4, 16 * rows, 16 * columns)
    one_pair = head(features, frames[3:4], [tokens[3:4] for tokens in hooked])
    torch.testing.assert_close(together[3:4], one_pair)
    monkeypatch.setattr(heads, "PIXELS_AT_ONCE", 2 * 16 * rows * 16 * columns)
    assert heads.images_at_once(16 * rows, 16 * columns) == 2
    torch.testing.assert_close(head(features, frames, hooked), together)
    monkeypatch.setattr(heads, "PIXELS_AT_ONCE", 1)
    assert heads.images_at_once(16 * rows, 16 * columns) == 1
    torch.testing.assert_close(head(features, frames, hooked), together)


def test_a_frame_affects_its_own_pairs_only() -> None:
    head, features, frames, hooked = dpt_inputs(4, 6)
    tokens = features.tokens.clone()
    tokens[1] += 1
    other = replace(features, tokens=tokens)
    changed = head(other, frames, hooked) != head(features, frames, hooked)
    assert changed.flatten(1).any(dim=1).tolist() == (frames == 1).tolist()


def test_a_dpt_head_can_be_trained() -> None:
    """Maps are added in place: none may be one that a gradient needs."""
    head, features, frames, hooked = dpt_inputs(3, 4)
    leaves = [features.tokens.requires_grad_(), *(one.requires_grad_() for one in hooked)]
    head.requires_grad_()(features, frames, hooked).square().mean().backward()
    read = [one for name, one in head.named_parameters() if "refinenet4.resConfUnit1" not in name]
    for tensor in [*leaves, *read]:
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
        assert tensor.grad.any()


def dpt_inputs(rows: int, columns: int) -> tuple[DPTHead, FrameFeatures, np.ndarray, list[Tensor]]:
    """A head, features of three frames, which of them five pairs show, tokens of three layers."""
    generator = torch.Generator().manual_seed(0)
    head = build(TINY).downstream_head1
    assert isinstance(head, DPTHead)
    tokens = torch.randn(3, rows * columns, TINY.encoder_channels, generator=generator)
    shape = (5, rows * columns, TINY.decoder_channels)
    hooked = [torch.randn(shape, generator=generator) for _ in head.hooks]
    features = FrameFeatures(tokens, rows, columns)
    return head, features, np.array([0, 2, 1, 0, 1]), hooked
