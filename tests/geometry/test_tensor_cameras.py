"""Vectors on tensors: lengths and cross products against torch's own."""

import torch

from easi3r.geometry.tensor_cameras import cross_matrix, lengths, pixel_rays

VECTORS = torch.randn(4, 3, 50, generator=torch.Generator().manual_seed(0))


def test_lengths_are_norms_over_the_coordinates() -> None:
    torch.testing.assert_close(lengths(VECTORS), torch.linalg.vector_norm(VECTORS, dim=1))
    assert not lengths(torch.zeros(3, 7)).any()


def test_the_cross_matrix_is_the_cross_product() -> None:
    left, right = VECTORS[0].T, VECTORS[1].T
    product = (cross_matrix(left) @ right[..., None])[..., 0]
    torch.testing.assert_close(product, torch.linalg.cross(left, right))


def test_the_principal_pixel_looks_straight_ahead() -> None:
    pixels = torch.tensor([[[24.0, 67.0], [18.0, 18.0]]])
    rays = pixel_rays(pixels, torch.full((1, 2), 43.0), torch.tensor([[24.0, 18.0]]))
    torch.testing.assert_close(rays[0, :, 0], torch.tensor([0.0, 0.0, 1.0]))
    torch.testing.assert_close(rays[0, :, 1], torch.tensor([1.0, 0.0, 1.0]))
