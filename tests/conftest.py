"""Fixtures every test may use. Array shapes of `easi3r` are checked by jaxtyping (pyproject)."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference numbers and real videos beside the repository; skips without it."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs {folder} (reference numbers and real videos, not part of the project)")
    return folder
