"""A whole collection: list, plan, annotate; one true result or one recorded reason each.

What a supervisor runs, over any `Executor`: in this process here, on Dask under `tasks/`. Only
specs and reports cross an executor; data goes through the store.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Protocol, TypeVar, runtime_checkable

from easi3r.batch import (
    VideoPlan,
    annotate_batch,
    plan_video,
    quarantine_clip,
    quarantine_video,
)
from easi3r.config import Settings
from easi3r.errors import WorkerLostError
from easi3r.model import load_checkpoint
from easi3r.store import (
    clear_quarantine,
    committed_results,
    prepare_dataset,
    quarantine_id_of_video,
    quarantined_ids,
    result_id,
    result_name,
)
from easi3r.types import ClipReport, ClipSpec, Outcome
from easi3r.video import Listing, list_videos

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@runtime_checkable
class Executor(Protocol):
    """Runs a function over items somewhere; answers come as they finish, in any order."""

    def map(
        self, function: Callable[[Item], Answer], items: Sequence[Item]
    ) -> Iterator[tuple[Item, Answer | WorkerLostError]]:
        """Each item with its answer, or with the error if the worker under it kept dying."""
        ...


class InProcess:
    """The executor of one person: everything here, one item after the other."""

    def map(
        self, function: Callable[[Item], Answer], items: Sequence[Item]
    ) -> Iterator[tuple[Item, Answer | WorkerLostError]]:
        """See `Executor.map`; nothing is lost here."""
        for item in items:
            yield item, function(item)


class Watcher:
    """Told of a run's progress as it happens; this one ignores it, subclasses show it."""

    def listed(self, listing: Listing) -> None:
        """The source was listed; probing begins."""

    def probed(self, plan: VideoPlan) -> None:
        """One more video was probed."""

    def planned(self, plan: "CollectionPlan") -> None:
        """Everything was probed; annotation begins."""

    def settled(self, report: ClipReport) -> None:
        """One more clip was committed, skipped, quarantined or given up."""


@dataclass(frozen=True)
class CollectionPlan:
    """The clips to run, and the reports of what planning alone settled."""

    specs: tuple[ClipSpec, ...]
    reports: tuple[ClipReport, ...]


@dataclass(frozen=True)
class RunSummary:
    """Every clip, and every video that gave no clip, with its outcome."""

    reports: tuple[ClipReport, ...]
    seconds: float

    @property
    def counts(self) -> dict[Outcome, int]:
        """How many of each outcome, zeros included."""
        found = Counter(report.outcome for report in self.reports)
        return {outcome: found[outcome] for outcome in Outcome}

    @property
    def frames(self) -> int:
        """Frames annotated by this run."""
        return sum(report.frames for report in self.reports)

    @property
    def succeeded(self) -> bool:
        """True if nothing was quarantined and nothing failed."""
        return not any(report.outcome.is_trouble for report in self.reports)

    def __str__(self) -> str:
        counts = ", ".join(f"{number} {outcome}" for outcome, number in self.counts.items())
        return f"{counts}; {self.frames} frames in {timedelta(seconds=round(self.seconds))}"


def annotate_collection(
    source: str,
    destination: str,
    settings: Settings,
    executor: Executor | None = None,
    watcher: Watcher | None = None,
) -> RunSummary:
    """Annotate every video of a source into a dataset; run it again to continue.

    Args:
        source: a video, a folder, a glob or a manifest, on any fsspec URL.
        destination: the dataset, on any fsspec URL; created if need be.
        executor: where to run; None: this process.
        watcher: told of progress; None: nobody.

    Raises:
        SourceError: the source cannot be listed.
        CheckpointError, SettingsError, UnwritableDestinationError: nothing could be run.
    """
    start = time.monotonic()
    executor = executor or InProcess()
    watcher = watcher or Watcher()
    destination = absolute_location(destination)
    listing = list_videos(absolute_location(source))
    settings = prepare(destination, settings)
    watcher.listed(listing)
    plan = plan_collection(listing.urls, destination, settings, executor, watcher)
    watcher.planned(plan)
    reports = list(plan.reports)
    for report in annotate_clips(plan.specs, destination, settings, executor):
        watcher.settled(report)
        reports.append(report)
    release_quarantine(destination, plan, reports)
    return RunSummary(tuple(reports), time.monotonic() - start)


def absolute_location(location: str) -> str:
    """A URL as it is; a local path made absolute, so that it means the same in every process."""
    if "://" in location or "::" in location:
        return location
    absolute = os.path.abspath(location)
    return f"{absolute}/" if location.endswith("/") else absolute


def prepare(destination: str, settings: Settings) -> Settings:
    """Check the weights and create or check the dataset; settings with the weights' hash pinned.

    Pinning makes every worker of the run use the same bytes or none.
    """
    model = load_checkpoint(settings.model.weights, settings.model.sha256)
    pinned = settings.model.model_copy(update={"sha256": model.sha256})
    settings = settings.model_copy(update={"model": pinned})
    prepare_dataset(destination, settings.model_dump_json())
    return settings


def plan_collection(
    urls: Sequence[str],
    destination: str,
    settings: Settings,
    executor: Executor,
    watcher: Watcher | None = None,
) -> CollectionPlan:
    """Probe every video and cut it into clips, each content once.

    A video that cannot be planned is quarantined in the destination; a clip whose content another
    video of the collection already brings is reported as skipped.
    """
    watcher = watcher or Watcher()
    planned: dict[str, VideoPlan] = {}
    probe_one = partial(plan_video, destination=destination, settings=settings)
    for url, plan in map_suspects_alone(executor, probe_one, urls):
        if isinstance(plan, WorkerLostError):
            plan = VideoPlan(url, (), quarantine_video(url, destination, plan.about(url)))
        planned[url] = plan
        watcher.probed(plan)

    specs: dict[str, ClipSpec] = {}
    reports: list[ClipReport] = []
    for url in urls:  # in listing order, so that timing does not choose among duplicates
        if report := planned[url].report:
            reports.append(report)
        for spec in planned[url].specs:
            first = specs.setdefault(spec.clip_id, spec)
            if first is not spec:
                why = f"same frames as {first.video_url}"
                skipped = ClipReport(spec.clip_id, url, Outcome.SKIPPED, "duplicate", why)
                reports.append(skipped)
    return CollectionPlan(tuple(specs.values()), tuple(reports))


def annotate_clips(
    specs: Sequence[ClipSpec], destination: str, settings: Settings, executor: Executor
) -> Iterator[ClipReport]:
    """Annotate and commit clips in batches over an executor; a report of each as it is settled.

    What is committed already is told from one listing and not sent out. A batch whose worker keeps
    dying is run again clip by clip, and a clip that kills its worker even when alone is
    quarantined.

    Args:
        settings: with the weights' hash pinned, as `prepare` returns them.
    """
    committed = committed_results(destination)
    waiting: list[ClipSpec] = []
    for spec in specs:
        result = result_id(spec.clip_id, settings.model.sha256 or "", settings.digest)
        if result_name(spec.clip_id, result) in committed:
            yield ClipReport(spec.clip_id, spec.video_url, Outcome.SKIPPED, "already_committed")
        else:
            waiting.append(spec)

    run = partial(annotate_batch, destination=destination, settings=settings)
    suspects: list[tuple[ClipSpec, ...]] = []
    for batch, answer in executor.map(run, in_groups(waiting, settings.execution.clips_per_batch)):
        if isinstance(answer, WorkerLostError):
            suspects += in_groups(batch, 1)
        else:
            yield from answer
    for (spec,), answer in map_suspects_alone(executor, run, suspects):
        if isinstance(answer, WorkerLostError):
            yield quarantine_clip(spec, destination, answer.about(spec.clip_id))
        else:
            yield from answer


def map_suspects_alone(
    executor: Executor, function: Callable[[Item], Answer], items: Sequence[Item]
) -> Iterator[tuple[Item, Answer | WorkerLostError]]:
    """As `Executor.map`, but what lost its worker runs once more with nothing beside it.

    Dask blames every task that waited on a dying worker, the innocent too.
    """
    suspects: list[Item] = []
    for item, answer in executor.map(function, items):
        if isinstance(answer, WorkerLostError):
            suspects.append(item)
        else:
            yield item, answer
    for suspect in suspects:
        yield from executor.map(function, [suspect])


def release_quarantine(
    destination: str, plan: CollectionPlan, reports: Sequence[ClipReport]
) -> None:
    """Remove the quarantine records of inputs that this run got a result from."""
    troubled = {report.subject for report in reports if report.outcome.is_trouble}
    settled = {report.subject for report in reports}
    settled |= {quarantine_id_of_video(spec.video_url) for spec in plan.specs}
    for record_id in quarantined_ids(destination) & (settled - troubled):
        clear_quarantine(destination, record_id)


def in_groups(items: Sequence[Item], size: int) -> list[tuple[Item, ...]]:
    """Consecutive groups of `size`, the last one shorter."""
    return [tuple(items[i : i + size]) for i in range(0, len(items), size)]
