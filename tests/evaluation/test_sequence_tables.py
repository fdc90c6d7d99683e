"""Tables of 80 columns, CSV and JSON; published values beside ours."""

import csv
import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from easi3r.errors import TruthError
from easi3r.evaluation.examination import OURS
from easi3r.evaluation.published import published_values
from easi3r.evaluation.sequence import LeftOut
from easi3r.evaluation.sequence_figures import GROUPS, mean_of
from easi3r.evaluation.sequence_files import write_results
from easi3r.evaluation.sequence_scores import SequenceResult
from easi3r.evaluation.sequence_tables import as_markdown, remarks, sequence_tables

KEYS = [figure.key for group in GROUPS for figure in group.figures]
HOMOGRAPHY = "flow vs homography, wide"


def scored(name: str, value: float, dataset: str = "davis") -> SequenceResult:
    ours = dict.fromkeys(KEYS, value)
    return SequenceResult(
        name, dataset, 104, 1, {OURS: ours, HOMOGRAPHY: dict.fromkeys(KEYS, -0.25)}
    )


RESULTS = (
    scored("rgbd_bonn_person_tracking2", 0.5),
    scored("freiburg3_walking_halfsphere", math.nan),
    scored("bear", 0.75),
    SequenceResult("train", "davis", 80, problem="too_few_frames: train: 1 of 80. Sample more."),
)


def shown(results: tuple[SequenceResult, ...], width: int = 80) -> str:
    text = io.StringIO()
    console = Console(width=width, file=text)
    for table in sequence_tables(results):
        console.print(table)
    return text.getvalue()


def test_tables_are_whole_at_80_columns() -> None:
    text = shown(RESULTS)
    assert "…" not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    for group in GROUPS:
        assert f"{group.title}, 3 of 4 sequences" in text
        for figure in group.figures:
            assert figure.heading.split("\n")[-1].split()[-1] in text
    assert text.count("bear") == len(GROUPS)
    assert "First and last frame left out" in text
    assert "0.625" in text  # the mean of .5 and .75
    assert "too_few_frames" in text


def test_a_sequence_without_scores_is_a_row_and_a_line() -> None:
    assert "train" in shown(RESULTS[3:])
    assert list(remarks(RESULTS)) == [
        "not scored: train: too_few_frames: train: 1 of 80. Sample more."
    ]


def test_what_is_left_out_is_named_and_counted() -> None:
    left_out = tuple(LeftOut(f"frame {n}", "no pose within 0.02 s") for n in range(5))
    result = SequenceResult("xyz", "tum", 9, notes=("cameras: none",), left_out=left_out)
    assert list(remarks([result])) == [
        "xyz: cameras: none",
        "left out, 5: no pose within 0.02 s (xyz: frame 0; xyz: frame 1; xyz: frame 2 and 2 more)",
    ]


def test_undefined_figures_take_no_part_in_means() -> None:
    assert mean_of(RESULTS, OURS, "ate") == pytest.approx(0.625)
    assert math.isnan(mean_of(RESULTS[3:], OURS, "ate"))


def test_files_for_programs(tmp_path: Path) -> None:
    files = write_results(RESULTS, {"weights": "nano"}, (), tmp_path)
    names = [path.name for path in files]
    assert names == [
        "scores.json", "scores.csv", "global_results-val.csv", "per-sequence_results-val.csv"
    ]  # fmt: skip
    scores = json.loads(files[0].read_text())
    assert scores["run"] == {"weights": "nano"}
    assert scores["means"][OURS]["jf"] == pytest.approx(0.625)
    assert scores["sequences"][1]["values"][OURS]["jf"] is None
    with files[1].open() as file:
        rows = list(csv.DictReader(file))
    assert [row["sequence"] for row in rows[::2]] == [one.name for one in RESULTS]
    assert rows[4]["jf"] == "0.75"
    assert rows[-1]["problem"].startswith("too_few_frames")
    assert files[2].read_text() == (
        "J&F-Mean,J-Mean,J-Recall,J-Decay,F-Mean,F-Recall,F-Decay\n"
        "0.625,0.625,0.625,0.625,0.625,0.625,0.625\n"
    )
    assert files[3].read_text().splitlines()[::3] == [
        "Sequence,J-Mean,F-Mean",
        "bear_1,0.750,0.750",
    ]
    assert len(write_results([scored("a", 1.0, "tum")], {}, (), tmp_path)) == 2


def test_published_values_stand_under_ours_with_their_source(tmp_path: Path) -> None:
    assert published_values("davis", "paper") == ()
    file = tmp_path / "published.json"
    value = {"dataset": "davis", "method": "Other", "figure": "jf", "value": 0.123}
    file.write_text(json.dumps({"schema_version": 1, "values": [value | {"source": "Table 9"}]}))
    values = published_values("davis", "paper", file)
    text = as_markdown(RESULTS, values)
    assert "| published, Other |  | 0.123 | - |" in text
    assert "Published: Table 9." in text
    assert published_values("tum", "paper", file) == ()
    assert published_values("davis", "annotate", file) == ()
    file.write_text(json.dumps({"schema_version": 1, "values": [value]}))
    with pytest.raises(TruthError, match="source"):
        published_values("davis", "paper", file)
