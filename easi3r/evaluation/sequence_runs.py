"""Sequences through the ordinary worker: videos, a manifest a group of settings, a run each."""

import csv
import io
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from easi3r.config import Settings
from easi3r.errors import Easi3RError, UnwritableDestinationError
from easi3r.evaluation.protocols import Protocol, protocol_settings
from easi3r.evaluation.sequence import TrueSequence
from easi3r.evaluation.sequence_videos import write_sequence_video
from easi3r.executor import Executor
from easi3r.plan import Plan, read_plan
from easi3r.run.collection import RunSteps, Watcher, annotate_collection
from easi3r.run.engine import EngineFactory, load_engine
from easi3r.run.run import Run
from easi3r.run.run_record import RunRecord
from easi3r.store import CommitRecord, ResultSet, open_dataset

_NONE_DONE = ResultSet(np.empty(0, "S24"))
_CLIPS_READ_AT_ONCE = 64


def no_watcher() -> AbstractContextManager[Watcher]:
    """Callbacks that show nothing."""
    return nullcontext(Watcher())


@dataclass(frozen=True)
class Evaluation:
    """How sequences are annotated, and where everything goes.

    Attributes:
        out: folder of videos, annotations, masks, pictures and scores; workers see it too.
        load: loads a worker's engine, as in `Run`.
    """

    out: Path
    settings: Settings
    protocol: Protocol = "paper"
    load: EngineFactory = load_engine

    @property
    def dataset(self) -> str:
        """Where clips are committed."""
        return str(self.out / "annotations.zarr")


@dataclass(frozen=True)
class AnnotatedSequence:
    """A sequence and its committed clips.

    Attributes:
        settings: that it was annotated with.
        clips: in the order of their frames; frame i of their video is place i of the sequence.
        problem: reason and message where a clip is missing; then `clips` is empty.
        video_seconds: that writing its video, or comparing it with the frames, took.
    """

    sequence: TrueSequence
    settings: Settings
    clips: tuple[CommitRecord, ...] = ()
    problem: str = ""
    video_seconds: float = 0.0


def annotate_sequences(
    sequences: Sequence[TrueSequence],
    evaluation: Evaluation,
    executor: Executor | None = None,
    watcher: Callable[[], AbstractContextManager[Watcher]] = no_watcher,
    steps: RunSteps | None = None,
) -> tuple[AnnotatedSequence, ...]:
    """Annotate what is not annotated yet; every sequence with its clips, or with its problem.

    Sequences of equal settings are one run over a manifest of their videos, into one dataset, so
    resumption, workers and quarantine are those of any run (`easi3r.run.collection`).

    Args:
        watcher: opens the callbacks of each run's progress.
        steps: how a run's steps are called; None: as plain functions.

    Raises:
        As `annotate_collection`; UnwritableDestinationError: `evaluation.out` cannot be written.
    """
    groups: dict[Settings, dict[str, TrueSequence]] = defaultdict(dict)
    annotated: dict[str, AnnotatedSequence] = {}
    video_seconds: dict[str, float] = {}
    for one in sequences:
        start = time.perf_counter()
        settings = protocol_settings(one, evaluation.protocol, evaluation.settings)
        try:
            video = write_sequence_video(one, evaluation.out / "videos")
        except UnwritableDestinationError:
            raise
        except Easi3RError as error:
            annotated[one.name] = AnnotatedSequence(one, settings, (), described(error))
        else:
            groups[settings][str(video.absolute())] = one
            video_seconds[one.name] = time.perf_counter() - start
    for settings, by_url in groups.items():
        manifest = _write_manifest(evaluation.out / "videos", settings, list(by_url))
        run = Run.of(str(manifest), evaluation.dataset, settings, evaluation.load)
        with watcher() as shown:
            record = annotate_collection(run, executor, shown, steps or RunSteps())
        for done in _collected(run, record, by_url):
            name = done.sequence.name
            annotated[name] = replace(done, video_seconds=video_seconds[name])
    return tuple(annotated[one.name] for one in sequences)


def described(error: Easi3RError) -> str:
    """Reason and message of an error, in a line."""
    return f"{error.reason}: {error}"


def _write_manifest(folder: Path, settings: Settings, urls: Sequence[str]) -> Path:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([["url"], *([url] for url in urls)])
    path = folder / f"{settings.digest[:16]}.csv"
    try:
        path.write_text(text.getvalue())
    except OSError as error:
        remedy = "Give a folder that can be written with --out"
        raise UnwritableDestinationError(str(path), str(error), remedy) from error
    return path


def _collected(
    run: Run, record: RunRecord, sequences: dict[str, TrueSequence]
) -> Iterator[AnnotatedSequence]:
    """What a run committed for each sequence, by the URL of its video."""
    assert record.plan_id is not None  # a run that ends has a plan
    plan = read_plan(run.destination, record.plan_id)
    clip_ids = _clip_ids(plan, run.with_weights(record.weights_sha256).settings)
    dataset = open_dataset(run.destination)
    made_by = (record.weights_sha256, record.settings_digest)
    committed = {  # listed by time of commit, so the newest of each clip
        one.clip_id: one
        for one in dataset.results
        if (one.weights_sha256, one.settings_digest) == made_by
    }
    # In this order, since a clip that an earlier run quarantined has its full reason there.
    problems = {one.video_url: f"{one.reason}: {one.message}" for one in record.troubles}
    problems |= {one.video_url: f"{one.reason}: {one.message}" for one in dataset.quarantined}
    problems |= {one.video_url: f"{one.reason}: {one.message}" for one in plan.problems()}
    for url, sequence in sequences.items():
        clips = [committed.get(clip_id) for clip_id in clip_ids[url]]
        complete = sorted((one for one in clips if one is not None), key=_first_frame)
        if complete and len(complete) == len(clips):
            yield AnnotatedSequence(sequence, run.settings, tuple(complete))
        else:
            problem = problems.get(url, "failed: transient errors outlasted their retries")
            yield AnnotatedSequence(sequence, run.settings, (), problem)


def _clip_ids(plan: Plan, settings: Settings) -> defaultdict[str, list[str]]:
    """The clips of every video of a plan, those too that another video brings as well."""
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for batch in plan.batches(_NONE_DONE, settings, _CLIPS_READ_AT_ONCE):
        for spec in batch:
            ids[spec.video_url].append(spec.clip_id)
    for report in plan.duplicates():
        ids[report.video_url].append(report.subject)
    return ids


def _first_frame(record: CommitRecord) -> int:
    return record.owned_start
