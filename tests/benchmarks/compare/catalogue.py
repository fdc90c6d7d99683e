"""The benchmarks that `make compare WHAT=<name>` knows.

They use what the other commit has too: the command line and `easi3r.__all__`. Scripts are always
this commit's.
"""

from pathlib import Path

from easi3r.synthetic import SceneSettings, render, sample_scene, write_clip
from tests.benchmarks.compare.races import Benchmark
from tests.benchmarks.compare.statistics import CPU, WALL

SCRIPTS = Path(__file__).parent / "scripts"
FRAMES, HEIGHT, WIDTH = 24, 72, 96

_ANNOTATE = ("easi3r", "annotate", "{clip}")
_IMPORT, _IMPORT_TORCH = ("python", "-c", "import easi3r"), ("python", "-c", "import torch")
_HELP = ("easi3r", "--help")
_PYTEST = ("python", "-m", "pytest", "-q")
_STORE = "{folder}/clips.zarr"
_ANNOTATE_SHORT = (*_ANNOTATE, _STORE, "--clip-frames", "6")  # few pairs: quickly prepared

# What takes no time to speak of runs once beforehand: byte code is compiled, files are in memory.
BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark("torch", _IMPORT_TORCH, prepare=_IMPORT_TORCH),
        Benchmark("import", _IMPORT, prepare=_IMPORT),
        Benchmark("help", _HELP, prepare=_HELP),
        # Every clip is committed: how long it takes to see that nothing is left to do.
        Benchmark("pending", _ANNOTATE_SHORT, prepare=_ANNOTATE_SHORT),
        Benchmark("annotate", (*_ANNOTATE, "{fresh}/clips.zarr")),
        Benchmark(
            "windows",
            ("python", "-P", str(SCRIPTS / "windows.py"), _STORE),
            prepare=(*_ANNOTATE, _STORE, "--clip-frames", "12"),
        ),
        # Each side's own tests, as its `make test` runs them.
        Benchmark(
            "test",
            (*_PYTEST, "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"),
            environment={"OMP_NUM_THREADS": "1"},
            runs=1,
        ),
    )
}

GROUPS = {"startup": ("torch", "import", "help", "pending")}

UNIT = "torch"
IN_UNITS = {"import": WALL, "help": WALL, "pending": CPU}
"""Figures of startup that are also given in units of `import torch`."""


def benchmarks_of(what: str) -> list[Benchmark]:
    """The benchmarks of a name.

    Raises:
        SystemExit: there are none.
    """
    names = GROUPS.get(what, (what,))
    if not BENCHMARKS.keys() >= set(names):
        raise SystemExit(f"WHAT={what}: there are {', '.join((*GROUPS, *BENCHMARKS))}")
    return [BENCHMARKS[name] for name in names]


def render_clip(folder: Path) -> Path:
    """The video that both sides are given, rendered by this commit."""
    settings = SceneSettings(frames=FRAMES, height=HEIGHT, width=WIDTH)
    return write_clip(render(sample_scene(0, settings)), folder, "clip")
