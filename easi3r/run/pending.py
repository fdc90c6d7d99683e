"""What a plan leaves to do, seen from the results and the quarantine of a dataset."""

from collections.abc import Iterator
from dataclasses import dataclass

from easi3r.plan import OutdatedResults, Plan, PlanState, outdated_results
from easi3r.plan.names import planned_names
from easi3r.run.run import Run
from easi3r.store import (
    ResultSet,
    clear_quarantine,
    committed_set,
    pack_clip_ids,
    quarantined_set,
)
from easi3r.types import ClipReport, ClipSpec, Outcome

Batch = tuple[ClipSpec, ...]


@dataclass(frozen=True)
class Backlog:
    """A plan beside the results that its dataset has already.

    Attributes:
        run: with the weights' hash pinned.
        committed, quarantined: names of results; of those in both, committed counts.
    """

    plan: Plan
    run: Run
    committed: ResultSet
    quarantined: ResultSet

    @classmethod
    def read(cls, plan: Plan, run: Run) -> "Backlog":
        """The backlog as the dataset stands now."""
        return cls(plan, run, committed_set(run.destination), quarantined_set(run.destination))

    def state(self) -> PlanState:
        """How many clips are committed, quarantined and pending."""
        return self.plan.state(self.committed, self.quarantined, self.run.settings)

    def outdated(self) -> OutdatedResults:
        """How many pending clips have results by other weights, settings or methods, and why."""
        return outdated_results(self.plan, self.committed, self.quarantined, self.run.settings)

    def sample(self, count: int) -> Batch:
        """At most `count` pending clips, spread evenly over the plan, in its order."""
        return self.plan.sample(self.committed | self.quarantined, self.run.settings, count)

    def batches(self) -> Iterator[tuple[Batch, Batch]]:
        """Clips without a result, in batches: those to annotate, those that are quarantined."""
        settings = self.run.settings
        size = settings.execution.clips_per_batch
        for batch in self.plan.batches(self.committed, settings, size):
            packed = pack_clip_ids(spec.clip_id for spec in batch)
            names = planned_names(packed, [spec.known_digest for spec in batch], settings)
            is_quarantined = self.quarantined.contains(names).tolist()
            pairs = list(zip(batch, is_quarantined, strict=True))
            yield tuple(s for s, no in pairs if not no), tuple(s for s, no in pairs if no)


def clear_quarantine_of_committed(backlog: Backlog) -> None:
    """Delete quarantine records of results that are committed: somebody annotated them since."""
    for name in backlog.quarantined & backlog.committed:
        clear_quarantine(backlog.run.destination, name)


def report_of_quarantined(spec: ClipSpec) -> ClipReport:
    """The report of a clip that an earlier run quarantined and this one leaves alone."""
    message = "by an earlier run; `easi3r requeue` lets the next one try again"
    return ClipReport.of(spec, Outcome.QUARANTINED, "quarantined_earlier", message)
