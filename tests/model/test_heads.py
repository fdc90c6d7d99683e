import torch

from easi3r.model.heads import to_points


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
