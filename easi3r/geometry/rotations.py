"""Rotations on torch tensors: vectors (axis times angle, radians), matrices, the nearest one.

Each function imports roma when it is called: roma imports torch's compiler, which takes seconds.
"""

from jaxtyping import Float
from torch import Tensor


def rotation_matrices(vectors: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Matrices of rotation vectors."""
    import roma

    matrices: Tensor = roma.rotvec_to_rotmat(vectors)
    return matrices


def rotation_vectors(matrices: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Rotation vectors of matrices; no angle exceeds pi."""
    import roma

    vectors: Tensor = roma.rotmat_to_rotvec(matrices)
    return vectors


def nearest_rotation(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The rotation R that maximises `trace(R^T matrix)` (special orthogonal Procrustes)."""
    import roma

    rotation: Tensor = roma.special_procrustes(matrix)
    return rotation
