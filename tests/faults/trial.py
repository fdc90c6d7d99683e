"""One trial: a run with a fault, the next run, and the state of the clips after each."""

import itertools
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from easi3r.video import plan_clips, probe
from tests.engines import PermanentErrorEngine, inferences, null_settings
from tests.faults.collection import (
    NO_VIDEO,
    Run,
    annotate,
    annotate_and_audit,
    finish,
    start,
    write_collection,
)
from tests.faults.contents import Contents, Verdict, judge, read_contents

SETTINGS = null_settings()


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong during a run.

    Attributes:
        kind: the row of the table that counts it.
        name: what goes wrong, and where.
        inflict: takes the run to whatever end the fault gives it; False where the fault did not
            come to happen (say the run made fewer requests this time), which is no proof.
        condemned: clips that the fault alone makes fail for good, with the reason.
    """

    kind: str
    name: str
    inflict: Callable[[Run], bool]
    condemned: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """A fault that was tried, and what came of it.

    Attributes:
        failure: output of an undisturbed run that did not end well, else None.
    """

    fault: Fault
    inflicted: bool
    verdict: Verdict
    seconds: float
    failure: str | None = None

    @property
    def sound(self) -> bool:
        """True where no clip came to harm and the next run ended well."""
        return self.verdict.sound and self.failure is None


class FailedTrialError(Exception):
    """A run that nothing disturbed did not end well; says what its process wrote."""


@dataclass(frozen=True)
class Arena:
    """Where trials are held: one source, and a new dataset for each.

    One of its clips fails for good and one of its videos is none, so that quarantine is tried too.

    Attributes:
        datasets: path or URL under which the datasets are made.
        environment: of every run that is not to be disturbed.
        storage: how the judge reaches the datasets (see `read_contents`).
    """

    folder: Path
    datasets: str
    environment: Mapping[str, str] = field(default_factory=dict)
    storage: Mapping[str, object] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        """The videos, unless they are there."""
        if not self.source.exists():
            write_collection(self.source)

    @property
    def source(self) -> Path:
        return self.folder / "videos"

    def new_run(self) -> Run:
        """A run into a dataset that does not exist yet."""
        number = next(self._numbers)
        run = Run(
            source=str(self.source),
            destination=f"{self.datasets}/{number}.zarr",
            folder=self.folder / "runs" / str(number),
            environment=self.environment,
        )
        return run.troubled(PermanentErrorEngine, self.clip_ids[0])

    @cached_property
    def clip_ids(self) -> tuple[str, ...]:
        """The clips of the source, by the name of their video."""
        videos = [path for path in sorted(self.source.glob("*.mp4")) if path.name != NO_VIDEO]
        planned = [
            plan_clips(probe(str(video)), SETTINGS.sampling, SETTINGS.video) for video in videos
        ]
        return tuple(spec.clip_id for specs in planned for spec in specs)

    def undisturbed(self) -> Contents:
        """Contents of the dataset of an undisturbed run."""
        run = self.new_run()
        run_again(run)
        return self.read(run)

    def read(self, run: Run) -> Contents:
        """Contents of a run's dataset."""
        return read_contents(run.destination, **self.storage)

    def hold(self, fault: Fault, undisturbed: Contents) -> Trial:
        """Inflict a fault on a new dataset, run again, and judge."""
        began = time.monotonic()
        run = self.new_run()
        run.folder.mkdir(parents=True)
        try:
            inflicted = fault.inflict(run)
            before = self.read(run)
            again = run.beside("again")
            run_again(again, annotate_and_audit)
        except (FailedTrialError, TimeoutError, RuntimeError) as error:
            return Trial(fault, True, Verdict(), time.monotonic() - began, str(error))
        after = self.read(run)
        if before.reasons_of(fault.condemned) != fault.condemned:
            failure = f"quarantined: {before.quarantined}, not {fault.condemned}"
            return Trial(fault, True, Verdict(), time.monotonic() - began, failure)
        expected = undisturbed.without(fault.condemned, after)
        verdict = judge(expected, before, after, inferences(again.inference_log))
        if verdict.sound:
            self._clean(run)
        return Trial(fault, inflicted, verdict, time.monotonic() - began)

    def _clean(self, run: Run) -> None:
        """Hundreds of datasets would fill a small disk; only those of failed trials stay."""
        shutil.rmtree(run.folder, ignore_errors=True)
        shutil.rmtree(run.destination, ignore_errors=True)


def run_again(run: Run, body: Callable[[Run], None] = annotate) -> None:
    """A run to its end, by a process of its own."""
    if finish(start(body, run)) != 0:
        raise FailedTrialError(f"{run.destination}: {run.output.read_text()}")
