"""What a run will cost before it is paid for: device-hours, money, bytes, objects and time.

`measure` annotates a sample of the plan's clips on this machine (`easi3r.run.measurement`), or the
user gives figures (`Measurement.given`); `forecast` extends them to the pending clips.

Intervals are 90 % prediction intervals for the mean of the pending clips, from the spread of the
sample: mean +- t * s * sqrt(1/n + 1/N), Student's t with n - 1 degrees of freedom, s the sample's
standard deviation, n clips measured and N pending. They hold for clips like those measured, on a
machine like this one; they do not know that another machine is faster.
"""

import math
import statistics
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

CONFIDENCE = 0.9
SECONDS_PER_HOUR = 3600.0


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Interval(_Frozen):
    """An expected value and what it lies between at 90 %; all three equal where nobody knows."""

    low: float
    expected: float
    high: float

    def times(self, factor: float) -> "Interval":
        """The same, of `factor` (not negative) as many."""
        return Interval(
            low=self.low * factor, expected=self.expected * factor, high=self.high * factor
        )


class Measurement(_Frozen):
    """What single clips took.

    Attributes:
        seconds, bytes, objects: one value per clip, in the order measured; a single value has no
            spread, so that intervals collapse onto it.
        device: where they were measured; `given` for the user's own figures.
    """

    seconds: tuple[Annotated[float, Field(ge=0)], ...] = Field(min_length=1)
    bytes: tuple[Annotated[float, Field(ge=0)], ...] = Field(min_length=1)
    objects: tuple[Annotated[float, Field(ge=0)], ...] = Field(min_length=1)
    device: str

    @classmethod
    def given(
        cls, seconds_per_clip: float, bytes_per_clip: float, objects_per_clip: float
    ) -> "Measurement":
        """Figures known from elsewhere."""
        return cls(
            seconds=(seconds_per_clip,),
            bytes=(bytes_per_clip,),
            objects=(objects_per_clip,),
            device="given",
        )


class Forecast(_Frozen):
    """What annotating the pending clips of a plan will take.

    Attributes:
        clips, frames: pending; nothing is counted for clips that are committed already.
        measured_clips: how many the figures come from; 1 without spread.
        device: see `Measurement`.
        workers: devices at work at once.
        price_per_hour: of one device, in any currency; None: no cost.
        device_hours: of all workers together.
        wall_seconds: of the run, all workers busy until the last clips are dealt out; starting
            them, planning, and waiting for a queue are not in it.
    """

    plan_id: str
    clips: int
    frames: int
    measured_clips: int
    device: str
    workers: int
    price_per_hour: float | None
    per_clip_seconds: Interval
    per_clip_bytes: Interval
    per_clip_objects: Interval
    device_hours: Interval
    bytes: Interval
    objects: Interval
    wall_seconds: Interval
    cost: Interval | None


def predicted_mean(values: Sequence[float], pending: int) -> Interval:
    """Mean of `pending` further values like these, with its 90 % prediction interval.

    Values here are never negative, so neither is `low`.
    """
    mean = statistics.fmean(values)
    if len(values) < 2 or pending == 0:
        return Interval(low=mean, expected=mean, high=mean)
    from scipy import stats  # a second to import, which every command would wait for

    t = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    half = t * statistics.stdev(values) * math.sqrt(1 / len(values) + 1 / pending)
    return Interval(low=max(0.0, mean - half), expected=mean, high=mean + half)


def forecast(
    measured: Measurement,
    *,
    plan_id: str,
    clips: int,
    frames: int,
    workers: int = 1,
    price_per_hour: float | None = None,
) -> Forecast:
    """Extend what some clips took to all that are pending.

    Args:
        clips, frames: pending, of the plan.
        workers: devices at work at once.
        price_per_hour: of one device.
    """
    per_clip = predicted_mean(measured.seconds, clips)
    per_bytes = predicted_mean(measured.bytes, clips)
    per_objects = predicted_mean(measured.objects, clips)
    device_hours = per_clip.times(clips / SECONDS_PER_HOUR)
    return Forecast(
        plan_id=plan_id,
        clips=clips,
        frames=frames,
        measured_clips=len(measured.seconds),
        device=measured.device,
        workers=workers,
        price_per_hour=price_per_hour,
        per_clip_seconds=per_clip,
        per_clip_bytes=per_bytes,
        per_clip_objects=per_objects,
        device_hours=device_hours,
        bytes=per_bytes.times(float(clips)),
        objects=per_objects.times(float(clips)),
        wall_seconds=per_clip.times(float(math.ceil(clips / workers))),
        cost=None if price_per_hour is None else device_hours.times(price_per_hour),
    )
