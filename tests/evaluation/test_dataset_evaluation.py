"""Every data set of the paper, from a replica in its layout to scores: truth is perfect."""

import json
from pathlib import Path

import pytest

from easi3r.config import Settings
from easi3r.evaluation.dataset_evaluation import Selection, evaluate_dataset
from easi3r.evaluation.datasets import DATASETS, DatasetName, sequences
from easi3r.evaluation.examination import OURS
from easi3r.evaluation.sequence_runs import Evaluation
from easi3r.evaluation.sequence_tables import sequence_tables
from tests.engines import INFERENCE_LOG, inferences
from tests.evaluation.true_sequences import SETTINGS, TruthEngine, give_truth
from tests.replicas import write_replica

MASKS = {"jf", "j_mean", "f_mean"}
CAMERAS = {"ate", "rpe_translation"}
DEPTH = {"abs_rel", "abs_rel_per_frame"}
POINTS = {"accuracy", "completeness", "distance"}
FIGURES = {
    "davis": MASKS,
    "tum": CAMERAS | DEPTH,
    "adt": CAMERAS,
    "dycheck": CAMERAS | DEPTH | POINTS,
    "sintel": CAMERAS | DEPTH,
    "bonn": CAMERAS | DEPTH,
}


def test_every_data_set_is_tried() -> None:
    assert FIGURES.keys() == DATASETS.keys()


@pytest.mark.parametrize("dataset", FIGURES)
def test_truth_as_the_answer_is_perfect(
    dataset: DatasetName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the second call computes nothing."""
    log = tmp_path / "inferences"
    monkeypatch.setenv(INFERENCE_LOG, str(log))
    root, out = tmp_path / dataset, tmp_path / "out"
    write_replica(dataset, root)
    found, _ = sequences(dataset, root)
    for one in found:
        give_truth(one, out / "videos" / f"{one.name}.mkv")
    values = SETTINGS.model_dump()
    values["video"]["long_side_px"] = max(found[0].width, found[0].height)
    evaluation = Evaluation(out, Settings.parse(values), "paper", TruthEngine)
    done = evaluate_dataset(Selection(dataset, root), evaluation)
    assert done.complete, [one.problem for one in done.results]
    assert [one.name for one in done.results] == [one.name for one in found]
    for one in done.results:
        assert FIGURES[dataset] <= one.values[OURS].keys()
        for key in FIGURES[dataset]:
            expected = 1 if key in MASKS else 0
            assert one.values[OURS][key] == pytest.approx(expected, abs=1e-6), key
        assert one.clips == 1
    assert len(sequence_tables(done.results)) >= 1
    computed = inferences(log)
    assert set(computed.values()) == {1}

    again = evaluate_dataset(Selection(dataset, root, limit=1), evaluation)
    assert [one.name for one in again.results] == [found[0].name]
    assert again.results[0].values == done.results[0].values
    assert inferences(log) == computed
    scores = json.loads((out / "scores.json").read_text())
    assert {"annotation", "video", "scores", "baselines", "pictures"} == set(
        scores["run"]["seconds"]
    )
    assert scores["run"]["weights"] == "truth"


def test_what_the_folder_lacks_is_said_and_what_is_broken_is_a_row(tmp_path: Path) -> None:
    root, out = tmp_path / "tum", tmp_path / "out"
    write_replica("tum", root)
    broken = next(root.rglob("*freiburg3_walking_static"))
    (broken / "rgb.txt").write_text("no list")
    evaluation = Evaluation(out, SETTINGS, "paper", TruthEngine)
    for one in sequences("tum", root)[0]:
        give_truth(one, out / "videos" / f"{one.name}.mkv")
    done = evaluate_dataset(Selection("tum", root), evaluation)
    assert "freiburg3_sitting_rpy" in [one.subject for one in done.absent]
    problems = {one.name: one.problem for one in done.results}
    assert problems["freiburg3_sitting_xyz"] == ""
    assert problems["freiburg3_walking_static"].startswith("truth: ")
