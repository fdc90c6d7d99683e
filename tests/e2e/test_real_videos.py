"""Real videos, some broken on purpose: what `easi3r annotate` makes of them, row by row."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import easi3r as library
from easi3r.store import Dataset
from tests.e2e.commands import easi3r
from tests.e2e.test_command_line import check_with_plain_libraries

# What is tested here depends neither on the size and length of clips nor on how they are annotated.
SMALL = ("--long-side", "48", "--clip-frames", "10")
QUICK = {"motion": {"cue": "attention"}, "alignment": {"flow_weight": 0.0, "max_steps": 4}}


@dataclass(frozen=True)
class Row:
    """A line of shared/videos/README.md: frames, stored (width, height), first time; or why not."""

    name: str
    frames: int = 0
    size: tuple[int, int] = (0, 0)
    first_seconds: float = 0.0
    reason: str | None = None


TABLE = (
    Row("corrupted.mp4", reason="broken_stream"),
    Row("result.webm", reason="empty_file"),
    Row("invalid-bitstream.webm", reason="no_frames"),
    Row("nasa_13013.mp4.audio.mp3", reason="no_video_stream"),
    Row("nasa_13013.mp4", 325, (48, 24)),
    Row("video_90.mov", 3, (24, 48)),
    Row("unordered.mov", 4, (48, 32)),
    Row("discard_first_keyframe.mp4", 25, (48, 32)),
    Row("sample_partially_fragmented.mp4", 30, (48, 32), first_seconds=0.0667),
    Row("test_non_zero_start.mp4", 12, (48, 24), first_seconds=8.333),
    Row("h265_10bits.mp4", 30, (48, 32)),
    Row("testsrc2_hdr.mp4", 60, (48, 24)),
    Row("testsrc2_odd_height_and_width_vp9.mp4", 25, (48, 32)),
)


@pytest.fixture(scope="module")
def edge(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("edge")
    dataset, settings = folder / "out.zarr", folder / "quick.json"
    settings.write_text(json.dumps(QUICK))
    done = easi3r("annotate", shared / "videos/edge", dataset, *SMALL, "--settings", settings)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "4 quarantined, 0 failed" in done.stdout
    return library.open_dataset(str(dataset))


def test_the_table_leaves_no_file_out(shared: Path) -> None:
    assert {row.name for row in TABLE} == {path.name for path in (shared / "videos/edge").iterdir()}


@pytest.mark.parametrize("row", [row for row in TABLE if row.reason], ids=lambda row: row.name)
def test_what_cannot_be_used_is_quarantined(edge: Dataset, row: Row) -> None:
    (record,) = [r for r in edge.quarantined if Path(r.video_url).name == row.name]
    assert record.reason == row.reason
    assert row.name in record.message
    assert record.remedy
    assert not [r for r in edge.clips if Path(r.video_url).name == row.name]


@pytest.mark.parametrize("row", [row for row in TABLE if not row.reason], ids=lambda row: row.name)
def test_what_can_be_used_is_committed_whole(edge: Dataset, row: Row) -> None:
    records = [r for r in edge.clips if Path(r.video_url).name == row.name]
    owned = [frame for r in records for frame in range(r.owned_start, r.owned_stop)]
    assert sorted(owned) == list(range(row.frames))
    assert {(r.width, r.height) for r in records} == {row.size}
    assert min(r.start_seconds for r in records) == pytest.approx(row.first_seconds, abs=1e-3)
    for record in records:
        time = edge[record.clip_id]["time"].to_numpy()
        assert (np.diff(time) > 0).all()


def test_pixel_aspect_is_in_the_affine_map(edge: Dataset) -> None:
    record = next(r for r in edge.clips if r.video_url.endswith("test_non_zero_start.mp4"))
    affine = np.array(edge[record.clip_id].attrs["source_to_stored"])
    # 200x112 pixels, each 224:225 wide: 48 columns, and rows scaled to what that leaves.
    displayed_height = 112 / (200 * 224 / 225) * 48
    assert affine[0, 0] == pytest.approx(48 / 200)
    assert affine[1, 1] == pytest.approx(round(displayed_height) / 112)


def test_frames_before_a_break_are_kept_only_if_asked(shared: Path, tmp_path: Path) -> None:
    video, dataset = shared / "videos/edge/corrupted.mp4", tmp_path / "out.zarr"
    done = easi3r("annotate", video, dataset, *SMALL, "--keep-broken")
    assert done.returncode == 0, done.stdout + done.stderr
    opened = library.open_dataset(str(dataset))
    assert sum(r.owned_stop - r.owned_start for r in opened.clips) == 28
    for record in opened.clips:
        assert "Invalid data" in record.stream_break
        assert opened[record.clip_id].attrs["stream_break"] == record.stream_break


@pytest.mark.parametrize("name", ["unordered.mov", "video_90.mov"])
def test_clips_of_few_frames_are_annotated_with_default_settings(
    name: str, shared: Path, tmp_path: Path
) -> None:
    """Two of the four frames of `unordered.mov` are the same: its focal once fled to infinity."""
    done = easi3r("annotate", shared / "videos/edge" / name, tmp_path / "out.zarr", *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 committed, 0 skipped, 0 quarantined, 0 failed" in done.stdout


def test_a_real_video_is_read_back_with_plain_libraries(shared: Path, tmp_path: Path) -> None:
    dataset = tmp_path / "out.zarr"
    done = easi3r("annotate", shared / "videos/real/dog-gooses.mp4", dataset, "--stride", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    paths = [json.loads(p.read_text())["path"] for p in dataset.glob("commits/*/*.json")]
    assert len(paths) == 2
    for path in paths:
        check_with_plain_libraries(str(dataset), path, frames=24)
