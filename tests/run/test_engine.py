"""The engine of this project: warm, and honest about running out of memory."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from easi3r.config import Settings
from easi3r.errors import CheckpointError
from easi3r.run.engine import Engine, ModelEngine, load_engine
from tests.scenes import write_scenes

# In a process of its own, whose address space ends a little above what it has.
STARVED = """
import resource, sys
from pathlib import Path
from easi3r.config import Settings
from easi3r.run.engine import load_engine
from easi3r.errors import OutOfMemoryError
from easi3r.video import plan_clips, probe

def settings(side, pairs):
    execution = {"pairs_per_batch": pairs, "device": "cpu"}
    return Settings.parse({
        "video": {"long_side_px": side}, "execution": execution, "alignment": {"max_steps": 1}
    })

small, large = settings(64, 8), settings(256, 64)
(spec,) = plan_clips(probe(sys.argv[1]), small.sampling, small.video, small.shots)
engine = load_engine(small)
few, many = engine.decode(spec, small), engine.decode(spec, large)
engine.annotate(spec, few, small)  # what is loaded lazily is there now
have = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (have + 2**27, have + 2**27))
try:
    engine.annotate(spec, many, large)
except OutOfMemoryError as error:
    print(error)
print(len(engine.annotate(spec, few, small)), "frames after it")
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_running_out_of_memory_for_real_is_told_and_survived(tmp_path: Path) -> None:
    (video,) = write_scenes(tmp_path, count=1)
    command = [sys.executable, "-c", STARVED, str(video)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told, after = done.stdout.splitlines() or [done.stderr, ""]
    assert told.startswith("cpu: out of memory with 64 pairs in flight.")
    assert after == "6 frames after it"


def test_weights_are_loaded_once_per_process() -> None:
    settings = Settings.parse({"execution": {"device": "cpu"}})
    engine = load_engine(settings)
    assert isinstance(engine, Engine)
    assert load_engine(settings) is engine
    assert engine.device == "cpu"
    wrong = Settings.parse({"model": {"sha256": "0" * 64}})
    with pytest.raises(CheckpointError, match="SHA-256"):
        load_engine(wrong)


@pytest.mark.parametrize(
    ("asked", "held"),
    [(None, torch.float32), ("bfloat16", torch.bfloat16)],
    ids=["nano's", "asked"],
)
def test_the_network_is_kept_in_its_precision(asked: str | None, held: torch.dtype) -> None:
    settings = Settings.parse({"execution": {"device": "cpu"}, "model": {"precision": asked}})
    engine = load_engine(settings)
    assert isinstance(engine, ModelEngine)
    assert engine.model.network.decoder_embed.weight.dtype == held
