"""`easi3r plan` in this process: what it prints, its JSON, its exit codes, its forecast."""

import json
from pathlib import Path

import pytest

from easi3r.store import read_quarantine
from tests.cli.test_app import Call, call  # noqa: F401  a fixture
from tests.plan.videos import write_videos
from tests.scenes import write_scenes

SMALL = ("--clip-frames", 5, "--long-side", 96)


def planned(call: Call, *arguments: object) -> tuple[int, dict]:  # noqa: F811
    status, printed, _ = call("plan", *arguments, "--json")
    return status, json.loads(printed)


def test_a_plan_is_told_and_kept(tmp_path: Path, call: Call) -> None:  # noqa: F811
    videos, out = tmp_path / "videos", tmp_path / "out.zarr"
    write_videos(videos, 3)
    (videos / "twin.mp4").write_bytes((videos / "000000.mp4").read_bytes())
    (videos / "notes.txt").touch()
    status, found = planned(call, videos, out, *SMALL)
    assert status == 0
    assert found["counts"]["videos"] == 4
    assert (found["counts"]["clips"], found["counts"]["duplicates"]) == (9, 3)
    assert found["counts"]["ignored"] == {".txt": 1}
    assert found["state"] == {
        "clips": 9,
        "committed": 0,
        "quarantined": 0,
        "pending": 9,
        "pending_frames": 45,
        "pending_seconds": pytest.approx(9 * 4 / 25),
    }
    assert found["forecast"] is None
    assert (out / "plans" / f"{found['plan_id']}.json").exists()

    status, printed, progress = call("plan", videos, out, *SMALL)
    assert status == 0
    assert "would run: clips" in printed
    assert "planning: 4/4 videos" in progress
    assert "; 12 clips" in progress
    assert "ETA 0:00:00" in progress


def test_videos_that_give_no_clip_are_told_with_their_reason(
    tmp_path: Path,
    call: Call,  # noqa: F811
) -> None:
    write_videos(tmp_path / "videos", 1)
    (tmp_path / "videos" / "empty.mp4").touch()
    status, found = planned(call, tmp_path / "videos", tmp_path / "out.zarr", *SMALL)
    assert status == 1
    assert found["counts"]["quarantined_videos"] == 1
    assert found["reasons"] == {"empty_file": 1}
    assert len(read_quarantine(str(tmp_path / "out.zarr"))) == 1


def test_a_source_that_is_not_there_leaves_no_dataset(
    tmp_path: Path,
    call: Call,  # noqa: F811
) -> None:
    status, _, message = call("plan", tmp_path / "typo", tmp_path / "out.zarr")
    assert status == 2
    assert message.startswith("error (unreadable_url)")
    assert not (tmp_path / "out.zarr").exists()


def test_a_forecast_from_given_figures(tmp_path: Path, call: Call) -> None:  # noqa: F811
    write_videos(tmp_path / "videos", 2)
    status, found = planned(
        call, tmp_path / "videos", tmp_path / "out.zarr", *SMALL,
        "--given", 1800, 1e6, 15, "--workers", 3, "--price-per-hour", 2.5,
    )  # fmt: skip
    assert status == 0
    forecast = found["forecast"]
    assert forecast["clips"] == 6
    assert forecast["device_hours"] == {"low": 3.0, "expected": 3.0, "high": 3.0}
    assert forecast["cost"]["expected"] == 7.5
    assert forecast["wall_seconds"]["expected"] == 3600


def test_a_forecast_measures_clips_and_then_the_run_does_them(
    tmp_path: Path,
    call: Call,  # noqa: F811
) -> None:
    write_scenes(tmp_path / "videos", count=2, frames=3)
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"alignment": {"max_steps": 3}}))
    chosen = (tmp_path / "videos", tmp_path / "out.zarr", "--settings", settings, "--long-side", 96)
    status, printed, told = call("plan", *chosen, "--forecast", "--sample-clips", 1, "--json")
    assert status == 0
    assert "measured 2 of 2 clips, committed" in told
    found = json.loads(printed)
    assert found["forecast"]["measured_clips"] == 1  # the other one warmed up
    assert found["forecast"]["device"] == "cpu"
    assert found["forecast"]["device_hours"]["expected"] > 0
    assert found["forecast"]["bytes"]["expected"] > 2 * 1000
    assert found["forecast"]["objects"]["expected"] > 2 * 10
    assert found["state"]["pending"] == 2  # the sample went elsewhere

    status, _, _ = call("annotate", *chosen)
    assert status == 0
    _, found = planned(call, *chosen, "--forecast")
    assert (found["state"]["committed"], found["state"]["pending"]) == (2, 0)
    assert found["outdated"] == {"clips": 0, "examined": 0, "reasons": {}}
    assert found["forecast"] is None

    settings.write_text(json.dumps({"alignment": {"max_steps": 4}}))
    _, found = planned(call, *chosen)
    ((reason, clips),) = found["outdated"].pop("reasons").items()
    assert reason.startswith("made with settings ")
    assert found["outdated"] == {"clips": clips, "examined": clips} == {"clips": 2, "examined": 2}
    _, printed, _ = call("plan", *chosen)
    assert "outdated results" in printed
    assert "2: 2 made with settings" in printed
