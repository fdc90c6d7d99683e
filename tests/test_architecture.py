"""Imports go one way: flows -> tasks -> easi3r, and inside easi3r as DESIGN.md's order of rooms."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

GROUND = {"errors", "types", "tensors", "config"}
MIDDLE = {"video", "model", "attention", "alignment", "motion", "store", "synthetic"}
BELOW: dict[str, set[str]] = {
    "errors": set(),
    "types": set(),
    "tensors": set(),
    "config": {"errors", "types"},
    "geometry": GROUND,
    **{room: GROUND | {"geometry"} for room in MIDDLE},
}
BELOW["layer_cost"] = set()
BELOW["cost"] = GROUND | {"attention", "layer_cost", "model"}
BELOW["memory"] = BELOW["cost"] | {"alignment", "cost"}
BELOW["gathering"] = GROUND
BELOW["passes"] = GROUND | MIDDLE - {"synthetic"} | {"geometry", "gathering"}
BELOW["steps"] = BELOW["passes"] | {"passes"}
BELOW["pipeline"] = BELOW["steps"] | {"steps", "memory"}
BELOW["model_engine"] = BELOW["pipeline"] | {"pipeline"}
BELOW["engine"] = GROUND | {"model_engine"}
BELOW["overlap"] = set()
BELOW["executor"] = {"errors"}
BELOW["retries"] = {"errors"}
BELOW["metrics"] = BELOW["clip_log"] = BELOW["clip_size"] = GROUND
BELOW["patience"] = GROUND | {"metrics", "retries"}
BELOW["batch"] = GROUND | {"engine", "store", "video", "overlap", "patience", "retries"}
BELOW["batch"] |= {"metrics", "clip_log", "clip_size"}
BELOW["plan"] = GROUND | {"executor", "retries", "store", "video"}
BELOW["forecast"] = GROUND | {"batch", "engine", "store"}
BELOW["progress"] = GROUND
BELOW["ledger"] = GROUND | {"forecast", "progress", "retries", "store"}
BELOW["supervisor"] = GROUND | {"batch", "engine", "executor", "ledger", "plan", "store"}
BELOW["collection"] = BELOW["supervisor"] | {"forecast", "supervisor", "video"}
EVERYTHING_BELOW = (
    BELOW["collection"] | BELOW["batch"] | BELOW["model_engine"] | MIDDLE | {"collection"}
)
BELOW["viz"] = EVERYTHING_BELOW
BELOW["evaluation"] = EVERYTHING_BELOW | {"viz"}
BELOW["training"] = EVERYTHING_BELOW | {"evaluation"}
BELOW["bench"] = EVERYTHING_BELOW | {"cost", "memory", "pipeline", "steps"}
BELOW["options"] = GROUND
BELOW["consoles"] = BELOW["interrupts"] = BELOW["pace"] = set()
BELOW["plan_progress"] = GROUND | {"consoles", "forecast", "pace", "plan"}
BELOW["plan_command"] = EVERYTHING_BELOW | {"consoles", "options", "plan_progress"}
BELOW["bench_command"] = EVERYTHING_BELOW | {"bench", "consoles", "options", "pace"}
BELOW["evaluate_command"] = EVERYTHING_BELOW | {"consoles", "evaluation", "viz", "options", "pace"}
BELOW["store_commands"] = GROUND | {"consoles", "pace", "plan", "store", "tables"}
BELOW["cli"] = EVERYTHING_BELOW | {
    "bench_command",
    "consoles",
    "evaluate_command",
    "plan_command",
    "store_commands",
    "options",
    "evaluation",
    "training",
    "viz",
    "progress",
    "terminal",
    "tables",
    "clip_log",
    "interrupts",
    "metrics",
}
BELOW["terminal"] = EVERYTHING_BELOW | {"consoles", "progress", "plan_progress"}
BELOW["tables"] = EVERYTHING_BELOW
BELOW["__init__"] = {"store", "config"}
TORCH_FREE = ["errors", "types", "config", "video", "store", "engine", "batch"]


def imported_modules(path: Path) -> set[str]:
    """Full dotted names that a file imports anywhere, function bodies included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
    return names


def sources(package: str) -> list[Path]:
    return sorted((REPOSITORY / package).rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(REPOSITORY / "easi3r").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sources("easi3r"), ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_easi3r_imports_only_what_lies_below(path: Path) -> None:
    here = room(path)
    for name in imported_modules(path):
        parts = name.split(".")
        assert parts[0] not in {"prefect", "prefect_dask", "dask", "distributed", "flows", "tasks"}
        if parts[0] == "easi3r" and len(parts) > 1 and parts[1] != here:
            assert parts[1] in BELOW[here], f"{here} imports {name}"


@pytest.mark.parametrize("path", sources("tasks"), ids=lambda p: p.name)
def test_tasks_do_not_import_flows(path: Path) -> None:
    assert not any(name.split(".")[0] == "flows" for name in imported_modules(path))


@pytest.mark.parametrize("module", TORCH_FREE)
def test_reading_and_probing_do_not_load_torch(module: str) -> None:
    code = f"import sys, easi3r.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_files_stay_readable() -> None:
    long = {
        str(path.relative_to(REPOSITORY)): lines
        for package in ("easi3r", "tasks", "flows")
        for path in sources(package)
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert not long
