"""A plan on disk: which clips a collection gives, streamed, and which of them are pending."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from easi3r.config import Settings
from easi3r.errors import SettingsError, StoreError
from easi3r.plan.names import planned_names
from easi3r.plan.parts import (
    NAME_COLUMNS,
    REPORT_COLUMNS,
    PartSummary,
    clip_ids,
    clips_only,
    known_digests,
    part_path,
    pieces_of_part,
    reports_of,
    specs_of,
)
from easi3r.plan.records import PLAN_SCHEMA_VERSION, PlanCounts, PlanRecord, PlanState
from easi3r.store import ResultSet, unpack_clip_ids
from easi3r.store.files import files_at
from easi3r.types import ClipReport, ClipSpec, Outcome, digest

PLANS = "plans"
_NOTHING = ResultSet(np.empty(0, "S24"))
_READ_AT_ONCE = 16  # parts; storage answers many requests in the time of one


@dataclass(frozen=True)
class Plan:
    """A plan under a dataset; reads its parts as they are needed.

    Cached in memory, from the first method that reads clips on: a byte for each clip.
    """

    destination: str
    record: PlanRecord

    @property
    def plan_id(self) -> str:
        """16 hex digits: hash of the source, the planning settings and the parts."""
        return self.record.plan_id

    @property
    def counts(self) -> PlanCounts:
        """What the plan holds."""
        return self.record.counts

    def batches(
        self, done: ResultSet, settings: Settings, size: int
    ) -> Iterator[tuple[ClipSpec, ...]]:
        """Groups of `size` pending clips, the last one smaller, in the order of the plan.

        Each content comes once, from the first video that brings it. Streamed: a few parts are
        held, as they are stored.

        Args:
            done: results that need not be made: `committed_set(url) | quarantined_set(url)`.
            settings: with the weights' hash pinned; planned with the same planning settings.

        Raises:
            SettingsError: other planning settings, or no weights' hash.
            StoreError: a part is missing or broken.
            StorageUnavailableError: storage did not answer.
        """
        specs = self._pending_specs(done, settings)
        while batch := tuple(islice(specs, size)):
            yield batch

    def sample(self, done: ResultSet, settings: Settings, count: int) -> tuple[ClipSpec, ...]:
        """At most `count` pending clips, spread evenly over the plan, in its order."""
        pending = self.state(done, _NOTHING, settings).pending
        wanted = np.unique(np.linspace(0, pending - 1, min(count, pending)).round().astype(int))
        chosen: list[ClipSpec] = []
        start = 0
        for table, is_pending in self._scanned(done, settings, None):
            places = np.flatnonzero(is_pending)
            here = wanted[(wanted >= start) & (wanted < start + len(places))] - start
            chosen += specs_of(clips_only(table).take(pa.array(places[here])))
            start += len(places)
        return tuple(chosen)

    def state(self, committed: ResultSet, quarantined: ResultSet, settings: Settings) -> PlanState:
        """How many clips are done, and how much is pending; a result in both is committed."""
        counted = np.zeros(2, int)
        clips = pending = frames = 0
        seconds = 0.0
        columns = [*NAME_COLUMNS, "frames", "seconds"]
        for table, is_first in self._scanned(_NOTHING, settings, columns):
            names = _names(table, settings)
            is_committed = committed.contains(names) & is_first
            is_quarantined = quarantined.contains(names) & is_first & ~is_committed
            counted += is_committed.sum(), is_quarantined.sum()
            is_pending = is_first & ~is_committed & ~is_quarantined
            of_clips = clips_only(table)
            clips += int(is_first.sum())
            pending += int(is_pending.sum())
            frames += int(of_clips["frames"].to_numpy()[is_pending].sum())
            seconds += float(of_clips["seconds"].to_numpy()[is_pending].sum())
        return PlanState(
            clips=clips,
            committed=int(counted[0]),
            quarantined=int(counted[1]),
            pending=pending,
            pending_frames=frames,
            pending_seconds=seconds,
        )

    def clip_ids(self) -> Iterator[np.ndarray]:
        """Packed clip ids (`S16`), a piece of the plan at a time, each content once.

        Raises:
            StoreError: a part is missing or broken.
            StorageUnavailableError: storage did not answer.
        """
        for number, table in enumerate(self._tables(["clip_id"])):
            yield clip_ids(table)[self._is_first[number]]

    def pending_clips(
        self, done: ResultSet, settings: Settings
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Packed ids (`S16`) and known digests of the pending clips, a piece of the plan at a time.

        Raises as `batches`.
        """
        for table, is_pending in self._scanned(done, settings, NAME_COLUMNS):
            known = np.array(known_digests(table), object)
            yield clip_ids(table)[is_pending], known[is_pending]

    def problems(self) -> Iterator[ClipReport]:
        """Videos that gave no clip, and shots that were left out, in the order of the plan."""
        for table in self._tables(REPORT_COLUMNS):
            yield from reports_of(table)

    def reasons(self) -> dict[str, int]:
        """How many problems of each reason, the most frequent first."""
        if not self.counts.problems:
            return {}
        return dict(Counter(str(report.reason) for report in self.problems()).most_common())

    def duplicates(self) -> Iterator[ClipReport]:
        """Clips whose content an earlier clip of the plan brings already, as skipped."""
        for number, table in enumerate(self._tables(["clip_id", "video_url"])):
            again = np.flatnonzero(~self._is_first[number])
            rows = clips_only(table).take(pa.array(again))
            ids = unpack_clip_ids(clip_ids(table)[again])
            for clip_id, url in zip(ids, rows["video_url"].to_pylist(), strict=True):
                why = "another video of the plan brings the same frames"
                yield ClipReport(clip_id, url, Outcome.SKIPPED, "duplicate", why)

    def _pending_specs(self, done: ResultSet, settings: Settings) -> Iterator[ClipSpec]:
        for table, is_pending in self._scanned(done, settings, None):
            if is_pending.any():
                yield from specs_of(clips_only(table).filter(pa.array(is_pending)))

    def _scanned(
        self, done: ResultSet, settings: Settings, columns: Sequence[str] | None
    ) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Each of `_tables`, and which of its clips are the first of their content and not done."""
        if settings.planning_digest != self.record.planning_digest:
            problem = f"plan {self.plan_id} was made with other sampling, video or shot settings"
            raise SettingsError("settings", problem, "Plan again with these settings")
        for number, table in enumerate(self._tables(columns)):
            names = _names(table, settings)
            yield table, self._is_first[number] & ~done.contains(names)

    def _tables(self, columns: Sequence[str] | None) -> Iterator[pa.Table]:
        """The rows of all parts, in order, in the same pieces whatever the columns."""
        files = files_at(self.destination)
        for start in range(0, len(self.record.parts), _READ_AT_ONCE):
            names = self.record.parts[start : start + _READ_AT_ONCE]
            contents = files.get_all(map(part_path, names))
            for path in map(part_path, names):
                if path not in contents:
                    remedy = "Plan again: parts that are there are kept"
                    raise StoreError(files.locate(path), "this part of the plan is gone", remedy)
                try:
                    yield from pieces_of_part(contents[path], columns)
                except (pa.ArrowException, ValueError) as error:
                    remedy = "Delete it and plan again"
                    raise StoreError(files.locate(path), f"is broken ({error})", remedy) from error

    @cached_property
    def _is_first(self) -> list[np.ndarray]:
        """For each of `_tables`: for each clip whether no earlier one has the same content."""
        ids = [clip_ids(table) for table in self._tables(["clip_id"])]
        ends = np.cumsum([len(each) for each in ids])
        return np.split(first_of_each(np.concatenate([np.empty(0, "S16"), *ids])), ends[:-1])


def first_of_each(packed_ids: np.ndarray) -> np.ndarray:
    """For each packed clip id (`S16`) whether it is the first of its value: bool, same length."""
    words = np.ascontiguousarray(packed_ids).view(np.uint64).reshape(-1, 2)
    order = np.lexsort((words[:, 1], words[:, 0]))  # stable: of equals the first stays first
    ordered = words[order]
    first = np.ones(len(words), bool)
    first[order[1:]] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return first


def _names(table: pa.Table, settings: Settings) -> np.ndarray:
    return planned_names(clip_ids(table), known_digests(table), settings)


def write_plan(
    source: str,
    destination: str,
    settings: Settings,
    parts: Sequence[PartSummary],
    ignored: Mapping[str, int],
    repeated_names: int,
) -> Plan:
    """Write the record of a plan whose parts are all there; the same plan is written over."""
    names = tuple(part.name for part in parts)
    plan_id = digest([source, settings.planning_digest, names])[:16]
    totals = {
        name: sum(getattr(part, name) for part in parts)
        for name in PartSummary.model_fields
        if name not in ("name", "schema_version")
    }
    counts = PlanCounts(
        **totals, duplicates=0, repeated_names=repeated_names, ignored=dict(sorted(ignored.items()))
    )
    record = PlanRecord(
        plan_id=plan_id,
        source=source,
        planning_digest=settings.planning_digest,
        counts=counts,
        parts=names,
    )
    record = record.model_copy(update={"counts": _each_once(Plan(destination, record))})
    files_at(destination).put(_path(plan_id), record.model_dump_json(indent=1).encode())
    return Plan(destination, record)


def _each_once(plan: Plan) -> PlanCounts:
    """The counts of a plan without what is there twice."""
    duplicates = sum(int((~is_first).sum()) for is_first in plan._is_first)
    if not duplicates:
        return plan.counts
    frames, seconds = 0, 0.0
    for number, table in enumerate(plan._tables(["clip_id", "frames", "seconds"])):
        of_clips, is_first = clips_only(table), plan._is_first[number]
        frames += int(of_clips["frames"].to_numpy()[is_first].sum())
        seconds += float(of_clips["seconds"].to_numpy()[is_first].sum())
    clips = plan.counts.clips - duplicates
    without_duplicates = {
        "clips": clips,
        "frames": frames,
        "seconds": seconds,
        "duplicates": duplicates,
    }
    return plan.counts.model_copy(update=without_duplicates)


def read_plan(destination: str, plan_id: str) -> Plan:
    """A plan that was written before; its source is not listed.

    Raises:
        StoreError: there is none of that id, or of another schema.
        StorageUnavailableError, UnreadableURLError: storage did not answer.
    """
    files = files_at(destination)
    location = files.locate(_path(plan_id))
    try:
        record = PlanRecord.model_validate_json(files.get(_path(plan_id)))
        if record.schema_version != PLAN_SCHEMA_VERSION:
            raise ValueError(f"schema version {record.schema_version}")
    except FileNotFoundError as error:
        raise StoreError(location, "there is no such plan", "Plan the source first") from error
    except (ValidationError, ValueError) as error:
        problem = f"is no plan of schema {PLAN_SCHEMA_VERSION} ({error})"
        raise StoreError(location, problem, "Delete it and plan again") from error
    return Plan(destination, record)


def plan_ids(destination: str) -> tuple[str, ...]:
    """Ids of the plans under a dataset, ascending; none where there is none.

    Raises:
        StorageUnavailableError, UnreadableURLError: storage did not answer.
    """
    names = files_at(destination).names(PLANS)
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


def planned_clips(destination: str) -> dict[str, Iterator[np.ndarray]]:
    """Packed clip ids of every plan under a dataset, by plan id: what `easi3r.store.audit` takes.

    Raises:
        As `read_plan`; and, while a plan is read, as `Plan.clip_ids`.
    """
    return {plan: read_plan(destination, plan).clip_ids() for plan in plan_ids(destination)}


def _path(plan_id: str) -> str:
    return f"{PLANS}/{plan_id}.json"
