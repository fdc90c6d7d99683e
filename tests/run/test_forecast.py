"""From a few measured clips to what a run costs."""

import math

import numpy as np
import pytest

from easi3r.run.forecast import Measurement, forecast, predicted_mean


def test_given_figures_have_no_spread() -> None:
    given = Measurement.given(36.0, 1e6, 15.0)
    found = forecast(given, plan_id="p", clips=1000, frames=24_000, workers=10, price_per_hour=2.0)
    assert found.device_hours.low == found.device_hours.expected == found.device_hours.high == 10
    assert found.cost is not None
    assert found.cost.expected == 20
    assert (found.bytes.expected, found.objects.expected) == (1e9, 15_000)
    assert found.wall_seconds.expected == 3600
    assert found.device == "given"


def test_without_a_price_there_is_no_cost() -> None:
    found = forecast(Measurement.given(1.0, 1.0, 1.0), plan_id="p", clips=3, frames=9, workers=2)
    assert found.cost is None
    assert found.wall_seconds.expected == 2  # one worker takes two of the three


def test_nothing_pending_costs_nothing() -> None:
    found = forecast(Measurement.given(1.0, 1.0, 1.0), plan_id="p", clips=0, frames=0)
    assert found.device_hours.high == found.wall_seconds.high == 0


def test_the_interval_holds_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        measured, later = random.normal(10, 2, 6), random.normal(10, 2, 40)
        interval = predicted_mean(measured.tolist(), 40)
        held += interval.low <= later.mean() <= interval.high
    assert held / 2000 == pytest.approx(0.9, abs=0.03)


def test_more_spread_is_a_wider_interval_and_never_negative() -> None:
    assert predicted_mean([10.0, 10.0, 10.0], 5).high == 10
    wide = predicted_mean([0.1, 5.0, 20.0], 5)
    assert wide.low == 0
    assert wide.high > 20
    assert math.isclose(wide.expected, 25.1 / 3)


def test_a_forecast_survives_json() -> None:
    found = forecast(Measurement.given(1.0, 2.0, 3.0), plan_id="p", clips=4, frames=5)
    assert type(found).model_validate_json(found.model_dump_json()) == found
