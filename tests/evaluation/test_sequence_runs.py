"""Sequences through the ordinary worker: once, resumed, and with a reason where there is none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from easi3r.config import Settings
from easi3r.errors import TruthError
from easi3r.evaluation.sequence import TrueSequence
from easi3r.evaluation.sequence_runs import Evaluation, annotate_sequences
from easi3r.run.collection import Watcher
from easi3r.run.ledger import Ledger
from easi3r.types import ClipReport
from tests.engines import (
    INFERENCE_LOG,
    TROUBLED_CLIPS,
    NullEngine,
    PermanentErrorEngine,
    inferences,
    null_settings,
)

SETTINGS = null_settings()


def noise(name: str, frames: int = 4, dataset: str = "davis", seed: int = 0) -> TrueSequence:
    images = np.random.default_rng(seed).integers(0, 256, (frames, 16, 16, 3), dtype=np.uint8)
    return TrueSequence(
        name=name,
        dataset=dataset,
        frame_names=tuple(str(frame) for frame in range(frames)),
        pts_seconds=np.arange(frames) / 30,
        width=16,
        height=16,
        image=images.__getitem__,
        motion=lambda _: None,
        depth=lambda _: None,
    )


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(INFERENCE_LOG, str(tmp_path / "inferences"))
    return tmp_path / "inferences"


def evaluation(tmp_path: Path, **values: object) -> Evaluation:
    chosen = Evaluation(tmp_path / "out", SETTINGS, "paper", NullEngine)
    return replace(chosen, **values)  # type: ignore[arg-type]


def test_every_sequence_is_a_clip_and_a_second_call_computes_nothing(
    tmp_path: Path, log: Path
) -> None:
    """Sequences of two windows are two runs; the third has the same frames as the first."""
    sequences = [noise("b", 30, seed=1), noise("long/a", 97, seed=2), noise("again", 30, seed=1)]
    for _ in range(2):
        annotated = annotate_sequences(sequences, evaluation(tmp_path))
        assert [one.sequence.name for one in annotated] == ["b", "long/a", "again"]
        assert not any(one.problem for one in annotated)
        assert [[clip.frames for clip in one.clips] for one in annotated] == [[30], [97], [30]]
        assert [one.settings.graph.window for one in annotated] == [5, 4, 5]
        assert set(inferences(log).values()) == {1}
        assert len(inferences(log)) == 2


def test_under_annotate_a_sequence_has_several_clips_in_order(tmp_path: Path) -> None:
    (one,) = annotate_sequences([noise("a", 8)], evaluation(tmp_path, protocol="annotate"))
    assert [(clip.owned_start, clip.owned_stop) for clip in one.clips] == [(0, 3), (3, 5), (5, 8)]


def test_other_settings_are_other_results(tmp_path: Path) -> None:
    (first,) = annotate_sequences([noise("a")], evaluation(tmp_path))
    other = null_settings(alignment={"max_steps": 3})
    (second,) = annotate_sequences([noise("a")], evaluation(tmp_path, settings=other))
    (again,) = annotate_sequences([noise("a")], evaluation(tmp_path))
    assert first.clips != second.clips
    assert first.clips == again.clips


def test_what_has_no_clip_has_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Truth that cannot be read, too few frames, a clip that is quarantined now and was before."""

    def unreadable(place: int) -> np.ndarray:
        raise TruthError("a/3.jpg", "cannot be read", "Restore the file")

    broken, single, good, bad = (
        replace(noise("broken"), image=unreadable),
        noise("single", 1, seed=1),
        noise("good", seed=2),
        noise("bad", seed=3),
    )
    trial = annotate_sequences([bad], evaluation(tmp_path, out=tmp_path / "trial"))
    monkeypatch.setenv(TROUBLED_CLIPS, trial[0].clips[0].clip_id)
    for _ in range(2):
        annotated = annotate_sequences(
            [broken, single, good, bad], evaluation(tmp_path, load=PermanentErrorEngine)
        )
        problems = {one.sequence.name: one.problem for one in annotated}
        assert list(problems) == ["broken", "single", "good", "bad"]
        assert problems["broken"].startswith("truth: a/3.jpg: cannot be read")
        assert problems["single"].startswith("too_few_frames: ")
        assert problems["good"] == ""
        assert problems["bad"].startswith("degenerate_geometry: ")
        assert "all points coincide" in problems["bad"]


class StopsAfterTheFirst(Watcher):
    """Stands for whatever ends a process half-way."""

    def clip_done(self, report: ClipReport, ledger: Ledger) -> None:
        raise KeyboardInterrupt


def test_an_evaluation_that_ended_half_way_goes_on_from_there(tmp_path: Path, log: Path) -> None:
    from contextlib import nullcontext

    sequences = [noise(str(seed), seed=seed) for seed in range(4)]
    with pytest.raises(KeyboardInterrupt):
        annotate_sequences(
            sequences, evaluation(tmp_path), watcher=lambda: nullcontext(StopsAfterTheFirst())
        )
    assert 1 <= len(inferences(log)) < 4
    annotated = annotate_sequences(sequences, evaluation(tmp_path))
    assert not any(one.problem for one in annotated)
    assert len(inferences(log)) == 4
    assert set(inferences(log).values()) <= {1, 2}  # the clip at hand may be lost


def test_settings_of_the_protocol_are_those_of_the_clip(tmp_path: Path) -> None:
    (one,) = annotate_sequences([noise("a", 3)], evaluation(tmp_path))
    assert isinstance(one.settings, Settings)
    assert one.clips[0].settings_digest == one.settings.digest
