"""Planning a collection: what a worker does for a group of videos, what the supervisor for all."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from easi3r.config import Settings
from easi3r.errors import WorkerLostError
from easi3r.executor import Executor, map_suspects_alone
from easi3r.knowledge import KnownInputs
from easi3r.plan.groups import VideoGroup, group_videos, spooled, with_storable_names, with_versions
from easi3r.plan.known_sources import with_known, with_known_versions
from easi3r.plan.parts import (
    PartSummary,
    encode_part,
    part_path,
    read_part,
    read_summary,
    reports_of,
    rows_of_video,
    table_of,
)
from easi3r.plan.plan import Plan, write_plan
from easi3r.plan.videos import VideoPlan, give_up_video, plan_video
from easi3r.store.files import Files, files_at
from easi3r.store.schema import quarantine_path
from easi3r.types import ClipReport, Outcome
from easi3r.video import SourceVideo, scan_source


class PlanWatcher:
    """Callbacks of planning. These do nothing; subclasses show the progress."""

    def listed(self, videos: int) -> None:
        """The source was listed: so many videos, each URL once; probing begins."""

    def part_planned(self, part: PartSummary) -> None:
        """One more part is there, planned now or by an earlier run."""


def plan_collection(
    source: str,
    destination: str,
    settings: Settings,
    executor: Executor,
    watcher: PlanWatcher | None = None,
    known: KnownInputs | None = None,
) -> Plan:
    """List a source, probe its videos and write the plan of their clips under the dataset.

    Restartable: parts that an earlier or concurrent call wrote for the same videos (URL, size,
    version, what is known of them) and planning settings are reused, except for videos with a
    transient failure and quarantined ones whose record was deleted: these are tried again. A video
    that kills its worker even when alone is quarantined.

    Args:
        source, destination: absolute; the dataset exists.
        watcher: callbacks that show the progress; None: no progress shown.
        known: cameras and masks of the videos (`easi3r.plan.known_sources`); None: only those that
            a manifest names.

    Raises:
        SourceError, UnreadableURLError: the source cannot be listed, or a path of `known` is not
            there.
        UnwritableDestinationError, StorageUnavailableError: the plan cannot be stored.
    """
    watcher = watcher or PlanWatcher()
    scan = scan_source(source)
    run = partial(plan_part, destination=destination, settings=settings)
    parts: dict[int, PartSummary] = {}
    suspects: list[VideoGroup] = []
    videos = with_storable_names(with_known(scan, source, known))
    with spooled(group_videos(with_known_versions(with_versions(videos)))) as groups:
        watcher.listed(groups.videos)
        for group, result in executor.map(run, groups):
            if isinstance(result, WorkerLostError):
                suspects.append(group)
            else:
                parts[group.number] = result
                watcher.part_planned(result)
    for group in suspects:
        parts[group.number] = _plan_video_by_video(group, destination, settings, executor)
        watcher.part_planned(parts[group.number])
    in_order = [parts[number] for number in sorted(parts)]
    return write_plan(source, destination, settings, in_order, scan.ignored, scan.repeated)


def plan_part(group: VideoGroup, destination: str, settings: Settings) -> PartSummary:
    """Plan the videos of a group, those that need it, and write its part. What a worker runs."""
    part = _Part.open(group, destination, settings)
    return part.completed(plan_video(video, destination, settings) for video in part.due)


def _plan_video_by_video(
    group: VideoGroup, destination: str, settings: Settings, executor: Executor
) -> PartSummary:
    """As `plan_part`, each video in a task of its own: one that kills its worker shows."""
    part = _Part.open(group, destination, settings)
    run = partial(plan_video, destination=destination, settings=settings)

    def plans() -> Iterator[VideoPlan]:
        for video, result in map_suspects_alone(executor, run, part.due):
            if isinstance(result, WorkerLostError):
                report = give_up_video(video.url, destination, result.about(video.url))
                yield VideoPlan(video.url, (), (report,))
            else:
                yield result

    return part.completed(plans())


@dataclass(frozen=True)
class _Part:
    """A part on its way: what an earlier run left of it, and which videos are due.

    Attributes:
        earlier: the object as it is stored; None where there is none.
        due: videos to plan, in order.
    """

    files: Files
    name: str
    videos: tuple[SourceVideo, ...]
    earlier: bytes | None
    due: tuple[SourceVideo, ...]

    @classmethod
    def open(cls, group: VideoGroup, destination: str, settings: Settings) -> "_Part":
        files = files_at(destination)
        name = group.part_name(settings.planning_digest)
        videos = group.videos
        try:
            earlier = files.get(part_path(name))
        except FileNotFoundError:
            return cls(files, name, videos, None, videos)
        summary = read_summary(files.locate(part_path(name)), earlier)
        if not (summary.failed_videos or summary.quarantined_videos):
            return cls(files, name, videos, earlier, ())
        reports = reports_of(read_part(earlier))
        again = {report.video_url for report in reports if _is_due(files, report)}
        due = tuple(video for video in videos if video.url in again)
        return cls(files, name, videos, earlier, due)

    def completed(self, plans: Iterable[VideoPlan]) -> PartSummary:
        """Write the part, whole, with the plans of the videos that were due."""
        path = part_path(self.name)
        if self.earlier is not None and not self.due:
            return read_summary(self.files.locate(path), self.earlier)
        urls = [video.url for video in self.videos]
        tables = {plan.url: table_of(plan) for plan in plans}
        if self.earlier is not None:
            table = read_part(self.earlier)
            unchanged = [url for url in urls if url not in tables]
            tables |= {url: rows_of_video(table, url) for url in unchanged}
        data, summary = encode_part(self.name, [tables[url] for url in urls])
        if self.earlier is not None:
            self.files.put(path, data)
            return summary
        try:
            self.files.put_new(path, data)
        except FileExistsError:  # of two planners at once the first one counts
            return read_summary(self.files.locate(path), self.files.get(path))
        return summary


def _is_due(files: Files, report: ClipReport) -> bool:
    """Whether to probe a video again: after a transient failure, or out of the quarantine."""
    if report.outcome is Outcome.QUARANTINED:
        return not files.exists(quarantine_path(report.subject))
    return report.outcome is Outcome.FAILED
