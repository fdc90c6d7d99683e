"""Whether the package that refines masks is installed, without importing it."""

from importlib.util import find_spec

from easi3r.errors import MissingPackageError

PACKAGE = "transformers"


def require_refiner() -> None:
    """Check that SAM 2 can be run here.

    Raises:
        MissingPackageError: says what to install.
    """
    if find_spec(PACKAGE) is None:
        problem = f"needs the package {PACKAGE}, which is not installed"
        raise MissingPackageError("masks.refine sam2", problem, "pip install 'easi3r[sam2]'")
