"""Peak memory of an alignment, measured in a process of its own, against what is projected."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from easi3r.alignment import alignment_working_bytes
from tests.conftest import REPOSITORY

GIVEN_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""Memory that is freed leaves the process at once, so that it is not used again uncounted."""

MEASURE = """
import sys, torch
from pathlib import Path
from easi3r.alignment import align
from easi3r.config import AlignmentSettings
from tests.alignment.scenes import known_scene
from tests.alignment.test_align import true_flow

def resident(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

torch.set_num_threads(1)
frames, height, width = map(int, sys.argv[1:])
settings = AlignmentSettings(max_steps=6, flow_weight=0.01)
small = known_scene(3, 0.02, (300.0,))
align(small.graph, small.prediction, settings, flow=true_flow(small))  # loads the libraries
scene = known_scene(frames, 0.02, (float(width),), size=(height, width))
flow = true_flow(scene)
Path("/proc/self/clear_refs").write_text("5")  # the peak is that from here on
before = resident("VmRSS")
align(scene.graph, scene.prediction, settings, flow=flow)
print(len(scene.graph), resident("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(("frames", "height", "width"), [(4, 192, 256), (8, 96, 160)])
def test_the_peak_stays_below_the_projection(frames: int, height: int, width: int) -> None:
    arguments = [sys.executable, "-c", MEASURE, *map(str, (frames, height, width))]
    done = subprocess.run(
        arguments,
        env=os.environ | GIVEN_BACK,
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    pairs, measured = map(int, done.stdout.split())
    projected = alignment_working_bytes(frames, pairs, height, width)
    assert measured <= projected < 4 * measured


def test_the_projection_grows_with_frames_not_with_pairs_of_float_maps() -> None:
    small, large = (alignment_working_bytes(32, pairs, 288, 512) for pairs in (62, 270))
    assert large - small < 5 * (270 - 62) * 288 * 512 * 2
