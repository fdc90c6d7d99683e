"""The public names: seen by `dir`, by type checkers, and imported when they are first used."""

import ast
import subprocess
import sys

import easi3r
from tests.conftest import REPOSITORY

STUB = REPOSITORY / "easi3r" / "__init__.pyi"


def test_dir_all_and_the_stub_agree() -> None:
    names = {
        alias.asname or alias.name
        for node in ast.parse(STUB.read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(easi3r.__all__) == names
    assert names <= set(dir(easi3r))
    for name in names:
        assert getattr(easi3r, name).__doc__, name


def test_todays_names_are_there() -> None:
    """Public names are promised: one that goes needs a changelog entry and a major version."""
    assert set(easi3r.__all__) >= {
        *("ClipWindows", "Dataset", "Easi3RError", "Settings", "VideoAnnotation", "Window"),
        *("annotate", "load_model", "open_dataset", "query", "torch_windows"),
    }


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = ("torch", "numpy", "zarr", "xarray", "pydantic", "av", "pyarrow")
    code = f"import sys, easi3r; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_help_imports_nothing_heavy() -> None:
    heavy = ("torch", "numpy", "zarr", "xarray", "pydantic", "av", "pyarrow")
    code = f"import sys, easi3r.cli.app; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
