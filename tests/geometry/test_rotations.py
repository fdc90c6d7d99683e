import subprocess
import sys

import torch
from scipy.spatial.transform import Rotation

from easi3r.geometry.rotations import nearest_rotation, rotation_matrices, rotation_vectors
from tests.conftest import REPOSITORY

VECTORS = torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_vectors_and_matrices_are_scipys() -> None:
    matrices = rotation_matrices(VECTORS)
    expected = Rotation.from_rotvec(VECTORS.numpy())
    torch.testing.assert_close(matrices, torch.from_numpy(expected.as_matrix()))
    torch.testing.assert_close(rotation_vectors(matrices), torch.from_numpy(expected.as_rotvec()))


def test_the_nearest_rotation_maximises_the_trace() -> None:
    random = torch.Generator().manual_seed(1)
    matrix = torch.randn(3, 3, dtype=torch.float64, generator=random)
    nearest = nearest_rotation(matrix)
    assert float(torch.linalg.det(nearest)) > 0
    best = torch.trace(nearest.mT @ matrix)
    assert all(best >= torch.trace(other.mT @ matrix) for other in rotation_matrices(VECTORS))


def test_the_pipeline_does_not_import_torchs_compiler() -> None:
    code = "import sys, easi3r.pipeline; print('torch._dynamo' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.strip() == "False"
