"""The house: imports go one way, rooms have names of their own, the root stays small."""

import ast
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

LAYERS: tuple[frozenset[str], ...] = tuple(
    frozenset(layer.split())
    for layer in (
        "errors",
        "settings_digest types knowledge tensors config executor retries",
        "geometry",
        "video model attention motion masks alignment quality store synthetic",
        "known",
        "method cost plan",
        "pipeline",
        "stitch",
        "run",
        "single_video",
        "export viz",
        "evaluation",
        "training",
        "cli",
    )
)
"""Rooms and root modules, the lowest first. A room imports what lies below it, never beside it or
above it; only the words that everybody shares, in the second layer, may import each other."""

SHARED_WORDS = LAYERS[1]
MOST_ROOT_MODULES = 12
LONGEST_FILE_LINES = 350
TORCH_FREE = ["errors", "types", "config", "video", "store", "run.engine", "run.worker"]
ONE_NAME_MANY_ROOMS = {"__init__", "__main__"}
FRAMEWORKS = {"prefect", "prefect_dask", "dask", "distributed", "flows", "tasks"}


def imported_modules(path: Path) -> set[str]:
    """Full dotted names that a file imports anywhere, function bodies included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            # `from easi3r import x` is an import of easi3r.x
            names |= {f"easi3r.{a.name}" for a in node.names} if module == "easi3r" else {module}
    return names


def sources(package: str) -> list[Path]:
    return sorted((REPOSITORY / package).rglob("*.py"))


def room(path: Path) -> str:
    """The room of a file of `easi3r`, or the module's name where it stands at the root."""
    return path.relative_to(REPOSITORY / "easi3r").parts[0].removesuffix(".py")


def layer(name: str) -> int:
    """The number of a room's layer; a room without one is not in the plan of the house."""
    numbers = [number for number, rooms in enumerate(LAYERS) if name in rooms]
    assert numbers, f"{name} stands in no layer of tests/test_architecture.py"
    return numbers[0]


@pytest.mark.parametrize("path", sources("easi3r"), ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_easi3r_imports_only_what_lies_below(path: Path) -> None:
    here = room(path)
    for name in imported_modules(path):
        package, _, rest = name.partition(".")
        assert package not in FRAMEWORKS
        there = rest.split(".")[0]
        if package != "easi3r" or not rest or there == here or here == "__init__":
            continue
        shared = {here, there} <= SHARED_WORDS
        assert shared or layer(there) < layer(here), f"{here} imports {name}"


@pytest.mark.parametrize("path", sources("tasks"), ids=lambda p: p.name)
def test_tasks_do_not_import_flows(path: Path) -> None:
    assert not any(name.split(".")[0] == "flows" for name in imported_modules(path))


def test_imports_of_modules_form_no_circle() -> None:
    """Inside a room too: whatever is imported at a module's top can be imported by itself."""
    graph = {name: _top_imports(path) for name, path in _modules().items()}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way[way.index(name) :], name))
        if name not in done:
            for below in graph[name]:
                visit(below, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_the_root_holds_few_modules() -> None:
    modules = [path.name for path in (REPOSITORY / "easi3r").glob("*.py")]
    assert len(modules) <= MOST_ROOT_MODULES, sorted(modules)


def test_no_two_rooms_have_a_module_of_one_name() -> None:
    """A name leads to one place; a room's own name, inside it, is that place."""
    places = defaultdict(set)
    for path in sources("easi3r"):
        places[path.stem].add(room(path))
        if path.name == "__init__.py" and path.parent.name != "easi3r":
            places[path.parent.name].add(room(path))
    assert not {
        name: rooms
        for name, rooms in places.items()
        if len(rooms) > 1 and name not in ONE_NAME_MANY_ROOMS
    }


def test_tests_stand_where_their_sources_do() -> None:
    """A folder of tests for every room, none for a room that is gone."""
    rooms = {path.parent.name for path in (REPOSITORY / "easi3r").glob("*/__init__.py")}
    of_tests = {path.parent.name for path in (REPOSITORY / "tests").glob("*/__init__.py")}
    others = {"benchmarks", "e2e", "faults", "flows", "golden", "replicas", "scale", "tasks"}
    assert rooms == of_tests - others


@pytest.mark.parametrize("module", TORCH_FREE)
def test_reading_and_probing_do_not_load_torch(module: str) -> None:
    code = f"import sys, easi3r.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("module", ["attention", "motion", "method.passes"])
def test_start_up_does_not_load_scikit_learn_or_scikit_image(module: str) -> None:
    """They take a second each; whoever needs them imports them where they are used."""
    code = (
        f"import sys, easi3r.{module}; sys.exit(bool({{'sklearn', 'skimage'}} & {{*sys.modules}}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_files_stay_readable() -> None:
    long = {
        str(path.relative_to(REPOSITORY)): lines
        for package in ("easi3r", "tasks", "flows")
        for path in sources(package)
        if (lines := len(path.read_text().splitlines())) > LONGEST_FILE_LINES
    }
    assert not long


@cache
def _modules() -> dict[str, Path]:
    """Dotted name and file of every module of the three packages, packages left out.

    A package's `__init__` only gathers names, so a circle through it is one through its modules.
    """
    return {
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts): path
        for package in ("easi3r", "tasks", "flows")
        for path in sources(package)
        if path.name != "__init__.py"
    }


def _top_imports(path: Path) -> set[str]:
    """Modules of ours that a file imports when it is imported itself."""
    known, names = _modules(), set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names & known.keys()


def test_a_run_with_nothing_pending_does_not_load_torch() -> None:
    """Nor the network, nor what only reads or draws: a nightly run that is done costs a second."""
    modules = ("easi3r.run.collection", "easi3r.cli.progress_bar", "easi3r.model.locations")
    heavy = ("torch", "xarray", "sklearn", "scipy.stats", "roma", "huggingface_hub", "s3fs")
    code = f"import sys, {', '.join(modules)}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_records_do_not_import_the_worker() -> None:
    code = (
        "import sys, easi3r.run.run_record, easi3r.run.forecast, easi3r.run.ledger; "
        "sys.exit('easi3r.run.worker' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
