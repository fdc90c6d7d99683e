"""Maps regrouped by frames: nothing lost, and nothing depends on how frames are grouped."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import easi3r.alignment.maps
from easi3r.alignment.curvature import curvature
from easi3r.alignment.initial_state import initial_state
from easi3r.alignment.maps import ClipMaps, Members
from easi3r.alignment.stages import plan_stages
from easi3r.alignment.unknowns import Freedom, lay_out
from easi3r.alignment.value_and_gradient import evaluate
from easi3r.config import AlignmentSettings
from easi3r.knowledge import KnownCameras
from easi3r.types import OpticalFlow
from tests.alignment.scenes import chosen_pairs, known_scene
from tests.alignment.test_align import true_flow

FREE = Freedom(known_poses=False, known_focals=False, shared_focal=False)


@given(frame=st.lists(st.integers(0, 6), min_size=1, max_size=30), data=st.data())
def test_every_thing_is_a_member_of_its_frame_once(frame: list[int], data: st.DataObject) -> None:
    members = Members.of(torch.tensor(frame), 7)
    for number, one in enumerate(frame):
        place = (members.number == number) & members.own
        assert place.nonzero()[:, 0].tolist() == [one]
    begin = data.draw(st.integers(0, 6))
    some = slice(begin, data.draw(st.integers(begin + 1, 7)))
    part = members.of_frames(some)
    assert part.own.sum() == members.own[some].sum()
    for here, there in zip(range(len(part.number)), range(some.start, some.stop), strict=True):
        expected = members.number[there][members.own[there]]
        assert part.number[here][part.own[here]].tolist() == expected.tolist()


@pytest.mark.parametrize("block", [200, 3000, 2**16])
def test_spans_hold_every_map_as_predicted(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(easi3r.alignment.maps, "BLOCK", block)
    scene = known_scene(4)
    scene = chosen_pairs(scene, np.arange(1, len(scene.graph)))  # frames of unequal many maps
    maps = ClipMaps(scene.graph, scene.prediction)
    points = torch.cat([scene.prediction.points_1, scene.prediction.points_2]).flatten(1, 2).mT
    seen = torch.zeros(2 * len(scene.graph), maps.pixels)
    for number, span in enumerate(maps.spans):
        of_span = maps.of_span(number)
        assert of_span.weight.numel() <= block or len(span) == 1
        own = maps.members[number].own
        assert (of_span.weight[~own] == 0).all()
        chosen = of_span.number[own]
        torch.testing.assert_close(of_span.points[own], points[chosen][..., span.pixels])
        seen[chosen, span.pixels] += of_span.weight[own]
        frames = torch.arange(span.frames.start, span.frames.stop)
        shown = frames[:, None].expand_as(own)[own]
        assert (maps.frame[chosen] == shown).all()
    assert (seen > 0).all()
    assert float(seen.double().sum()) == pytest.approx(maps.total_weight(), rel=1e-5)


def test_value_gradient_and_curvature_do_not_depend_on_the_spans(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = AlignmentSettings(flow_weight=1.0, depth_weight=0.5)
    scene = known_scene(5, noise=0.03)
    scene = chosen_pairs(scene, np.arange(2, len(scene.graph)))
    initial = initial_state(scene.graph, scene.prediction, KnownCameras(), settings).state
    flow = true_flow(scene)
    used = scene.graph.edges[:, 0] != 1  # a frame without flows
    optical_flow = flow.optical_flow
    some = OpticalFlow(
        optical_flow.edges[used], optical_flow.flow[used], optical_flow.consistent[used]
    )
    flow = replace(flow, optical_flow=some)
    results = []
    for block in (2**16, 10_000, 500):
        monkeypatch.setattr(easi3r.alignment.maps, "BLOCK", block)
        stage = plan_stages(scene.graph, scene.prediction, settings, flow, initial)[-1]
        problem = replace(stage.problem.at(initial), rounding=1e-3)
        now = evaluate(problem, initial, sweeps=3)
        layout = lay_out(scene.graph, FREE, initial.centre.device).at(initial, now.gradient)
        results.append((now, curvature(problem, initial, layout, 1e-3), len(problem.maps.spans)))
    assert [spans for *_, spans in results] == [1, 3, 35]
    (now, matrix, _), *others = results
    for other, its_matrix, _ in others:
        assert other.value == pytest.approx(now.value, rel=1e-6)
        torch.testing.assert_close(other.state.depth, now.state.depth, rtol=1e-5, atol=0)
        scale = float(now.gradient.abs().max())
        torch.testing.assert_close(other.gradient, now.gradient, rtol=0, atol=1e-5 * scale)
        largest = float(matrix.band.abs().max())
        torch.testing.assert_close(its_matrix.band, matrix.band, rtol=0, atol=1e-5 * largest)
