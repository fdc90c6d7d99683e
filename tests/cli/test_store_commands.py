"""`easi3r audit`, `prune`, `requeue`, `index` and `query`, in this process."""

import csv
import io
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from easi3r.cli.consoles import print_line
from easi3r.config import Settings, StoreSettings
from easi3r.executor import InProcess
from easi3r.plan import plan_collection
from easi3r.run.progress import paced
from easi3r.store import (
    committed_results,
    open_dataset,
    prepare_dataset,
    quarantine,
    quarantine_record,
    quarantined_ids,
    write_clip,
)
from easi3r.store.files import files_at
from tests.cli.test_app import Call, call
from tests.conftest import REPOSITORY
from tests.plan.videos import write_videos
from tests.store.annotations import make_annotation

__all__ = ["call"]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A dataset of three clips, one of them with an older result too, and one quarantined."""
    place = str(tmp_path / "clips.zarr")
    prepare_dataset(place, "{}")
    for seed, weights in ((0, "a"), (1, "a"), (2, "a"), (0, "c")):
        annotation = make_annotation(2 + seed, 16, 16, seed=seed, weights_sha256=weights * 64)
        write_clip(place, annotation, StoreSettings())
    poison = quarantine_record(f"{'a' * 32}.{'1' * 16}", "x.mp4", RuntimeError("poison"))
    quarantine(place, poison)
    return place


def test_audit_is_clean_or_names_what_it_found(url: str, call: Call) -> None:
    status, shown, _ = call("audit", url)
    assert status == 0
    assert "4 results of 3 clips" in shown
    assert "clean" in shown
    record = open_dataset(url).results[0]
    files_at(url).delete(f"{record.path}/depth/c/0/0/0")
    status, shown, _ = call("audit", url)
    assert status == 1
    assert "missing_object" in shown
    assert record.path in shown
    status, shown, _ = call("audit", url, "--json", "--sample", "0")
    assert status == 0
    assert json.loads(shown)["read_whole"] == 0


def test_audit_tells_what_a_plan_still_lacks(url: str, call: Call, tmp_path: Path) -> None:
    write_videos(tmp_path / "videos", 2)
    settings = Settings.parse({"sampling": {"clip_frames": 5}})
    plan = plan_collection(str(tmp_path / "videos"), url, settings, InProcess())
    status, shown, _ = call("audit", url)
    assert status == 0
    assert f"{plan.counts.clips} clips of plan {plan.plan_id} not done" in shown


def test_audit_collects_garbage_and_repairs_the_index(url: str, call: Call) -> None:
    call("index", url)
    orphan = open_dataset(url).results[0]
    files_at(url).delete(orphan.commit_path)
    status, shown, _ = call("audit", url, "--older-than", "0")
    assert status == 1
    assert "orphan" in shown
    assert "stale_index" in shown
    status, shown, told = call("audit", url, "--gc", "--older-than", "0", "--repair-index")
    assert status == 0
    assert "deleted 1 orphaned attempts" in told
    assert "index of 3 results" in told
    assert not files_at(url).sizes(orphan.path)


def test_prune_says_what_would_go_and_does_it_when_told(url: str, call: Call) -> None:
    call("index", url)
    status, shown, _ = call("prune", url)
    assert status == 0
    assert "1 results, 0.0 MB would be removed" in shown
    assert len(committed_results(url)) == 4
    status, shown, told = call("prune", url, "--yes", "--weights", "cccc")
    assert status == 0
    assert "1 results, 0.0 MB removed" in shown
    assert "index of 3 results" in told
    assert {record.weights_sha256[0] for record in open_dataset(url).results} == {"a", "c"}
    assert call("audit", url)[0] == 0


def test_requeue_by_reason(url: str, call: Call) -> None:
    status, _, told = call("requeue", url)
    assert status == 2
    assert "--reason, --id or --all" in told
    status, _, told = call("requeue", url, "--reason", "oom")
    assert status == 2
    assert "unexpected (1)" in told
    assert "1 would be requeued" in call("requeue", url, "--reason", "unexpected", "--dry-run")[1]
    assert len(quarantined_ids(url)) == 1
    status, shown, _ = call("requeue", url, "--all")
    assert status == 0
    assert "unexpected: 1\n1 requeued" in shown
    assert not quarantined_ids(url)


def test_query_in_every_format(url: str, call: Call, tmp_path: Path) -> None:
    status, _, told = call("query", url)
    assert status == 2
    assert "easi3r index" in told
    call("index", url)
    status, shown, _ = call("query", url, "frames = 3")
    assert status == 0
    assert "1 rows" in shown
    shown = call("query", url, "newest", "--format", "csv", "--columns", "frames, degraded")[1]
    assert sorted(csv.DictReader(io.StringIO(shown)), key=str) == [
        {"frames": str(frames), "degraded": "[]"} for frames in (2, 3, 4)
    ]
    totals = ("--columns", "sum(frames) AS frames, max(committed_at) AS last")
    (row,) = (json.loads(call("query", url, "newest", "--format", "json", *totals)[1]),)
    assert row["frames"] == 9
    assert row["last"].startswith("20")
    file = tmp_path / "rows.parquet"
    assert call("query", url, "--format", "parquet", "-o", file, "--limit", "2")[0] == 0
    assert pq.read_table(file).num_rows == 2
    assert "-o" in call("query", url, "--format", "parquet")[2]
    status, _, told = call("query", url, "--format", "csv", "-o", tmp_path / "no" / "rows.csv")
    assert status == 2
    assert "unwritable_destination" in told


def readme_blocks(heading: str, language: str) -> list[str]:
    section = (REPOSITORY / "README.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def test_the_commands_of_the_readme_run(
    url: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(url).parent
    monkeypatch.chdir(folder)
    Path(url).rename(folder / "out.zarr")
    commands = [
        shlex.split(line, comments=True)
        for heading in ("Query", "Audit, prune, requeue")
        for block in readme_blocks(heading, "sh")
        for line in block.splitlines()
    ]
    assert len(commands) == 9
    for program, *arguments in commands:
        assert program == "easi3r"
        status, _, told = call(*arguments)
        assert status == 0, f"{arguments}: {told}"
    ours, others = readme_blocks("Query", "python")
    names: dict[str, Any] = {}
    exec(ours, names)
    assert sorted(names["table"]["frames"].to_pylist()) == [3, 4]
    exec(others, names)
    assert (len(names["frame"]), len(names["table"])) == (4, 4)
    assert names["total"] == [(9,)]


def test_progress_tells_rate_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    progress = paced(print_line, "auditing", 5.0)
    now = 102.0
    progress(1, 40)
    assert capsys.readouterr().err == ""
    now = 110.0
    progress(0, 40)  # folders that an attempt left empty, and no clip yet
    assert capsys.readouterr().err == ""
    progress(20, 40)
    assert capsys.readouterr().err == "auditing: 20/40 clips, 2.0 clips/s, ETA 0:00:10\n"
