"""The command line in this process: settings, errors, exit codes. Whole programs are in e2e/."""

import json
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from easi3r.cli import app as cli
from easi3r.cli.progress_bar import RunProgress
from tests.scenes import write_scenes
from tests.servers import free_port

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs `easi3r ARGUMENTS`; gives exit code, output and error output."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["easi3r", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run


@pytest.mark.parametrize(
    ("arguments", "reason", "named"),
    [
        (["annotate", "nowhere.mp4", "OUT"], "unreadable_url", "nowhere.mp4"),
        (["annotate", "VIDEO", "/proc/out.zarr"], "unwritable_destination", "/proc/out.zarr"),
        (["annotate", "VIDEO", "OUT", "--weights", "VIDEO"], "checkpoint", "scene-0.mp4"),
        (["annotate", "VIDEO", "OUT", "--clip-frames", "1"], "settings", "sampling.clip_frames"),
        (["annotate", "VIDEO", "OUT", "--device", "gpu"], "settings", "execution.device"),
        (["annotate", "VIDEO", "OUT", "--fit", "squeeze"], "settings", "video.fit"),
        (["annotate", "VIDEO", "OUT", "--settings", "VIDEO"], "settings", "scene-0.mp4"),
        (["inspect", "OUT"], "not_a_dataset", "out.zarr"),
        (["models", "micro"], "checkpoint", "micro"),
        (["picture", "OUT", "abc", "-o", "x.png"], "not_a_dataset", "out.zarr"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_one_line_with_a_remedy(
    tmp_path: Path, call: Call, arguments: list[str], reason: str, named: str
) -> None:
    (video,) = write_scenes(tmp_path, count=1, frames=3)
    places = {"VIDEO": str(video), "OUT": str(tmp_path / "out.zarr")}
    status, _, message = call(*(places.get(word, word) for word in arguments))
    assert status == 2
    assert message.startswith(f"error ({reason}) ")
    assert named in message
    assert "Traceback" not in message


def test_settings_from_a_file(tmp_path: Path, call: Call) -> None:
    _, printed, _ = call("settings")
    values = json.loads(printed)
    assert values["sampling"]["clip_frames"] == 24
    assert "clip_frames" in call("settings", "--schema")[1]
    values["sampling"]["clip_frames"] = 4
    (tmp_path / "settings.json").write_text(json.dumps(values))
    (video,) = write_scenes(tmp_path, count=1)
    status, shown, _ = call(
        *("annotate", video, tmp_path / "out.zarr", "--settings", tmp_path / "settings.json")
    )
    assert status == 0
    assert "2 committed" in shown


def test_models_are_listed_for_people_and_for_machines(call: Call) -> None:
    status, shown, _ = call("models")
    assert status == 0
    status, printed, _ = call("models", "--json")
    assert status == 0
    listed = json.loads(printed)
    assert len(listed) >= 3
    for weights in listed:
        assert f"{weights['name']}\n" in shown
        assert weights["licence"] in shown
        if weights["file"]:
            assert weights["file"]["sha256"] in shown


def test_one_model_is_shown_with_its_card(call: Call) -> None:
    (nano,) = json.loads(call("models", "nano", "--json")[1])
    _, shown, _ = call("models", "nano")
    assert nano["file"]["sha256"] in shown.split("# nano")[0]
    assert "What it cannot do" in shown
    _, shown, _ = call("models", "naver/DUSt3R_ViTLarge_BaseDecoder_512_dpt")
    assert "commercial use not allowed" in shown


def test_a_run_is_watched_by_prometheus_and_by_a_log_of_clips(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    (video,) = write_scenes(tmp_path, count=1)
    port, scraped = free_port(), []

    def scrape(self: RunProgress, *_: object) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            scraped.append(answer.read().decode())

    monkeypatch.setattr(RunProgress, "clip_done", scrape)
    watched = ("--metrics-port", port, "--clip-log", tmp_path / "clips.jsonl")
    out = tmp_path / "out.zarr"
    assert call("annotate", video, out, "--long-side", 64, *watched)[0] == 0
    (line,) = map(json.loads, (tmp_path / "clips.jsonl").read_text().splitlines())
    assert (line["outcome"], line["frames"], line["url"]) == ("committed", 6, str(video))
    assert {"decode", "encoder", "alignment", "write"} <= set(line["seconds_by_stage"])
    assert len(scraped) == 1
    assert 'easi3r_clips_total{outcome="committed",reason=""}' in scraped[0]
    assert 'easi3r_stage_seconds_total{stage="write"}' in scraped[0]
    assert "easi3r_paused 0.0" in scraped[0]


def test_a_port_that_is_taken_is_said_before_anything_runs(tmp_path: Path, call: Call) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, _, message = call("annotate", "nowhere.mp4", tmp_path / "o", "--metrics-port", port)
    assert status == 2
    assert f"port {port}" in message
    assert "--metrics-port" in message
