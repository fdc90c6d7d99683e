"""Running the project's programs as a user would."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY

BIN = Path(sys.executable).parent


def environment(**more: str) -> dict[str, str]:
    """This environment, with the programs of this virtual environment first and one BLAS thread."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **more}


def easi3r(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `easi3r` to its end."""
    command = [str(BIN / "easi3r"), *map(str, arguments)]
    return subprocess.run(
        command,
        env=environment(**more),
        cwd=REPOSITORY,
        text=True,
        capture_output=True,
        check=False,
    )
