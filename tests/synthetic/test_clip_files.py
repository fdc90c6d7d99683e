"""Written clips play, and their truth reads back."""

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from easi3r.errors import SourceError
from easi3r.synthetic import (
    RenderedClip,
    SceneSettings,
    read_truth,
    render,
    sample_scene,
    write_clip,
)


@pytest.fixture(scope="module")
def clip() -> RenderedClip:
    return render(sample_scene(1, SceneSettings(frames=5, height=48, width=64)))


def test_the_movie_decodes_to_the_frames_at_their_times(clip: RenderedClip, tmp_path: Path) -> None:
    path = write_clip(clip, tmp_path / "new", "one")
    assert path == tmp_path / "new" / "one.mp4"
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        assert stream.codec_context.name == "h264"
    assert len(frames) == len(clip)
    np.testing.assert_allclose([frame.time for frame in frames], clip.times, atol=1e-3)
    decoded = np.stack([frame.to_ndarray(format="rgb24") for frame in frames])
    assert np.abs(decoded.astype(float) - clip.images).mean() < 6


def test_stronger_compression_takes_fewer_bytes_and_leaves_the_truth(
    clip: RenderedClip, tmp_path: Path
) -> None:
    fine, coarse = (write_clip(clip, tmp_path, f"crf-{crf}", crf=crf) for crf in (8, 38))
    assert coarse.stat().st_size < 0.7 * fine.stat().st_size
    truths = [read_truth(path) for path in (fine, coarse)]
    np.testing.assert_array_equal(truths[0].depth, truths[1].depth)
    losses = [np.abs(truth.images.astype(float) - clip.images).mean() for truth in truths]
    assert losses[0] < losses[1]


def test_players_can_start_before_the_end_of_the_file(clip: RenderedClip, tmp_path: Path) -> None:
    content = write_clip(clip, tmp_path, "one").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


WRITING = """
import sys
from pathlib import Path
from easi3r.synthetic import MoverSettings, SceneSettings, render, sample_scene, write_clip
settings = SceneSettings(frames=16, movers=MoverSettings(visible=(1, 4)))
write_clip(render(sample_scene(100, settings)), Path(sys.argv[1]), "clip")
"""


def test_the_same_scene_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    """What x264 makes must not depend on what lies about in memory that a renderer has used."""
    movies = set()
    for _ in range(2):
        subprocess.run([sys.executable, "-c", WRITING, tmp_path], check=True, timeout=120)
        movies.add((tmp_path / "clip.mp4").read_bytes())
    assert len(movies) == 1


def test_truth_reads_back(clip: RenderedClip, tmp_path: Path) -> None:
    truth = read_truth(write_clip(clip, tmp_path, "one"))
    for name, value in vars(clip).items():
        if name != "images":
            np.testing.assert_array_equal(value, getattr(truth, name), err_msg=name)
    assert truth.images.shape == clip.images.shape


def test_a_missing_truth_is_named(clip: RenderedClip, tmp_path: Path) -> None:
    path = write_clip(clip, tmp_path, "one")
    path.with_suffix(".npz").unlink()
    with pytest.raises(SourceError, match=r"one\.npz: no such file"):
        read_truth(path)
