"""Clips annotated here and timed, for a forecast."""

from pathlib import Path

import pytest

from easi3r.errors import SettingsError
from easi3r.run.measurement import measure
from easi3r.run.run import Run
from easi3r.types import Outcome
from easi3r.video import plan_clips, probe
from tests.engines import NullEngine, null_settings
from tests.plan.videos import write_videos


def test_the_first_clip_warms_up_and_is_not_counted(tmp_path: Path) -> None:
    (url,) = write_videos(tmp_path, 1)
    chosen = null_settings()
    specs = plan_clips(probe(url), chosen.sampling, chosen.video)
    assert len(specs) == 4
    seen: list[Outcome] = []
    run = Run("", "", chosen, NullEngine)
    measured = measure(specs, run, lambda report: seen.append(report.outcome))
    assert seen == [Outcome.COMMITTED] * 4
    assert len(measured.seconds) == 3
    assert len(measured.bytes) == len(measured.objects) == 4
    assert min(measured.seconds) > 0
    assert min(measured.bytes) > 0
    assert min(measured.objects) > 1
    assert len(measure(specs[:1], run).seconds) == 1


def test_nothing_measured_is_an_error_that_names_the_way_out() -> None:
    with pytest.raises(SettingsError, match="--given"):
        measure([], Run("", "", null_settings(), NullEngine))
