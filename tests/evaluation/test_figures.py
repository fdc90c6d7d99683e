"""Pooling of clips' scores to figures, and verdicts on requirements."""

import io
import json
import math

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from easi3r.evaluation.benchmark_clips import Kind
from easi3r.evaluation.camera_scores import PairErrors, StillCameraScores, TrajectoryScores
from easi3r.evaluation.depth_scores import DepthScores, PointScores
from easi3r.evaluation.figures import FIGURES, best_baseline, figure_named, pooled
from easi3r.evaluation.mask_scores import MaskScores
from easi3r.evaluation.report import as_json, figures_table, masks_table, verdicts_table
from easi3r.evaluation.requirements import POSED_VIDEO, SYNTHETIC, Verdict, judge
from easi3r.evaluation.results import ClipResult, GeometryScores

MASKS = {"empty masks": 0.2, "flow vs homography": 0.4, "all dynamic": 0.1}


def path(ate: float, rotation: float, direction: float, gaps: tuple[int, ...]) -> TrajectoryScores:
    ones = np.ones(len(gaps))
    pairs = PairErrors(np.array(gaps), rotation * ones, direction * ones)
    return TrajectoryScores(ate, ate / 2, rotation / 2, pairs)


def masks(jm: float, false_positive_share: float = 0.03) -> MaskScores:
    return MaskScores(jm, jm, 0.92, 0.85, false_positive_share)


def clip(kind: Kind, jm: float = 0.5, ate: float = 0.4, rotation: float = 1.0) -> ClipResult:
    geometry = {
        "constant depth": GeometryScores(
            depth=DepthScores(0.4, 0.3), points=PointScores(2.0, 2.0, 2.0)
        ),
        "ours": GeometryScores(depth=DepthScores(0.1, 0.9), points=PointScores(1.0, 0.5, 0.7)),
    }
    if kind.camera_moves:
        ours = path(ate, rotation, 20.0, gaps=(1, 4, 9))
        geometry["ours"] = GeometryScores(ours, None, *list(vars(geometry["ours"]).values())[2:])
        geometry["first pass"] = GeometryScores(path(2 * ate, 1.0, 20.0, gaps=(1,)))
        geometry["static camera"] = GeometryScores(path(1.0, 4.0, 90.0, gaps=(1, 4, 9)))
    else:
        geometry["ours"] = GeometryScores(still_camera=StillCameraScores(0.02, 1.5))
    return ClipResult(
        name=f"{kind.name}-0",
        group=kind.value,
        frames=12,
        height=72,
        width=96,
        scene_depth=2.0,
        moving_share=0.1 if kind.has_movers else 0.0,
        masks={"ours": masks(jm), **{name: masks(value) for name, value in MASKS.items()}},
        geometry=geometry,
        seconds=1.0,
        pictures=(),
    )


@pytest.fixture
def results() -> list[ClipResult]:
    return [clip(kind) for kind in Kind]


def ours(results: list[ClipResult], key: str, *groups: str) -> float:
    return pooled(results, figure_named(key), "ours", groups)


def test_masks_are_averaged_over_the_clips_of_chosen_groups() -> None:
    results = [clip(Kind.MOVERS, jm=0.2), clip(Kind.MOVERS, jm=0.6), clip(Kind.FROZEN, jm=1.0)]
    assert ours(results, "jm") == pytest.approx(0.6)
    assert ours(results, "jm", Kind.MOVERS.value) == pytest.approx(0.4)
    assert math.isnan(ours(results, "jm", "no such group"))


def test_rotations_are_the_median_of_all_pairs_of_all_clips() -> None:
    results = [clip(Kind.MOVERS, rotation=r) for r in (1.0, 1.0, 7.0)]
    assert ours(results, "rotation") == 1.0
    assert ours([*results, *results[2:] * 2], "rotation") == 7.0
    assert ours(results[:1], "rotation_gap_1-2") == 1.0
    only_far = [clip(Kind.STILL_CAMERA)]
    assert math.isnan(ours(only_far, "rotation_gap_6+"))


def test_ate_is_compared_clip_by_clip(results: list[ClipResult]) -> None:
    results.append(clip(Kind.MOVERS, ate=2.0))
    assert ours(results, "ate_over_static") == pytest.approx(0.4)  # of .4, .4, .4, 2
    assert ours(results, "ate_over_static_mean") == pytest.approx(0.8)
    assert ours(results, "ate_second_over_first") == pytest.approx(0.5)
    assert ours(results, "ate") == pytest.approx(0.8 / 2)  # over the scene's depth


def test_clips_with_a_still_camera_have_no_trajectory_scores(results: list[ClipResult]) -> None:
    still = Kind.STILL_CAMERA.value
    assert math.isnan(ours(results, "ate_over_static", still))
    assert ours(results, "still_wander", still) == 0.02
    assert math.isnan(ours(results, "still_rotation", Kind.MOVERS.value))


def test_the_best_baseline_is_the_strongest_in_a_figure(results: list[ClipResult]) -> None:
    assert best_baseline(results, figure_named("jm")) == ("flow vs homography", 0.4)
    assert best_baseline(results, figure_named("rotation")) == ("static camera", 4.0)
    name, value = best_baseline(results, figure_named("ate_second_over_first"))
    assert name == ""
    assert math.isnan(value)


def test_requirements_of_the_project() -> None:
    bounds = [
        (one.comparison, one.must if isinstance(one.must, float) else "best baseline", one.goal)
        for one in (*SYNTHETIC, *POSED_VIDEO)
    ]
    assert bounds == [
        ("<=", 0.5, 0.25),  # ATE over static camera's
        ("<=", 0.5, 0.25),  # rotation over identity's
        ("<=", 35.0, 15.0),  # direction, degrees
        ("<=", 0.75, 0.5),  # depth over constant's
        (">", "best baseline", 0.6),  # JM, movers
        (">", "best baseline", None),  # JM, all
        (">=", 0.90, 0.95),  # AUC
        (">=", 0.80, 0.90),  # AUCobj
        ("<=", 0.05, 0.01),  # false positives, frozen
        ("<=", 1.0, 0.9),  # pass 2 over pass 1
        ("<=", 0.10, 0.02),  # 7-Scenes, share called dynamic
        ("<", 1.0, 0.5),  # 7-Scenes, ATE over static camera's
    ]


def test_verdicts_read_the_figures(results: list[ClipResult]) -> None:
    verdicts = {one.name: one for one in judge(SYNTHETIC, results)}
    now = [round(one.now, 6) for one in verdicts.values()]
    assert now == [0.4, 0.25, 20.0, 0.25, 0.5, 0.5, 0.92, 0.85, 0.03, 0.5]
    assert verdicts["masks JM, all clips"].must == 0.4
    assert all(one.meets_must for one in verdicts.values())
    assert not verdicts["masks JM, clips with movers"].meets_goal
    assert verdicts["masks JM, all clips"].meets_goal


@pytest.mark.parametrize(
    ("comparison", "now", "must", "goal"),
    [
        ("<=", 0.5, True, False),
        ("<=", 0.25, True, True),
        ("<=", 0.51, False, False),
        ("<", 0.5, False, False),
        ("<=", math.nan, False, False),
    ],
)
def test_a_bound_is_met_or_not(comparison: str, now: float, must: bool, goal: bool) -> None:
    verdict = Verdict("x", comparison, must=0.5, goal=0.25, now=now)
    assert (verdict.meets_must, verdict.meets_goal) == (must, goal)
    assert verdict.measured != math.isnan(now)


def printed(table: Table) -> list[list[str]]:
    text = io.StringIO()
    Console(file=text, width=160).print(table)
    return [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in text.getvalue().splitlines()
        if line.startswith("│")
    ]


def test_tables_show_ours_beside_the_best_baseline(results: list[ClipResult]) -> None:
    rows = {row[0]: row[1:] for row in printed(figures_table(results))}
    assert rows["masks JM ↑"] == ["0.500 / 0.400"] * 5 + ["flow vs homography"]
    assert rows["ATE, pass 2 / pass 1, median ↓"] == ["0.500"] * 3 + ["-", "0.500", ""]
    assert rows["rotation, all pairs (deg) ↓"][3] == "-"
    methods = printed(masks_table(results, "masks", Kind.FROZEN.value))
    assert [row[0] for row in methods] == ["ours", *MASKS]
    assert methods[0][1:] == ["0.500", "0.500", "0.920", "0.850", "0.030", "0.500"]


def test_verdicts_table_shows_what_is_met(results: list[ClipResult]) -> None:
    no_first_pass = [clip(Kind.STILL_CAMERA, jm=0.3)]
    rows = {row[0]: row[-1] for row in printed(verdicts_table(judge(SYNTHETIC, no_first_pass)))}
    assert rows["masks JM, all clips"] == "no"
    assert rows["clip ATE / static camera's, median"] == "not measured"
    rows = {row[0]: row[-1] for row in printed(verdicts_table(judge(SYNTHETIC, results)))}
    assert rows["rotation error / identity's"] == "goal"
    assert rows["AUC"] == "must"


def test_json_holds_every_figure_and_no_nan(results: list[ClipResult]) -> None:
    verdicts = judge(SYNTHETIC, [clip(Kind.STILL_CAMERA)])
    document = as_json(results, verdicts, {"weights": "nano"})
    again = json.loads(json.dumps(document, allow_nan=False))
    assert again["run"] == {"weights": "nano"}
    assert again["required"][0]["now"] is None
    assert set(again["figures"]) == {*(kind.value for kind in Kind), "all"}
    assert set(again["figures"]["all"]) == {figure.key for figure in FIGURES}
    assert again["figures"]["all"]["jm"]["flow vs homography"] == pytest.approx(0.4)
    assert [one["name"] for one in again["clips"]] == [one.name for one in results]
    assert again["clips"][0]["figures"]["ate"]["ours"] == pytest.approx(0.2)
