"""The README's Python runs as it stands there, block after block, in a process of its own."""

import re
import subprocess
import sys
from pathlib import Path

import easi3r
from tests.conftest import REPOSITORY
from tests.scenes import write_scenes

FRAMES = 16  # as far as the README reads into a clip


def python_blocks(heading: str) -> list[str]:
    section = (REPOSITORY / "README.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def test_the_python_of_annotating_and_reading_runs(tmp_path: Path) -> None:
    (video,) = write_scenes(tmp_path / "rendered", count=1, frames=FRAMES)
    video.rename(tmp_path / "video.mp4")
    cheap = easi3r.Settings.parse(
        {"motion": {"cue": "attention"}, "alignment": {"max_steps": 2, "flow_weight": 0}}
    )
    easi3r.annotate(tmp_path / "video.mp4", settings=cheap, destination=str(tmp_path / "out.zarr"))
    blocks = python_blocks("Annotate from Python") + python_blocks("Read a dataset")
    assert len(blocks) == 6
    script = tmp_path / "readme.py"
    guarded = "\n".join(f"    {line}" for line in "\n".join(blocks).splitlines())
    script.write_text(f"if __name__ == '__main__':\n{guarded}\n    print('read to the end')\n")
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == f"({FRAMES}, 64, 96) ({FRAMES}, 64, 96) ({FRAMES}, 4, 4)"
    assert done.stdout.endswith("read to the end\n")
