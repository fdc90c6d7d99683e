"""The tree of errors: every failure is permanent (quarantine the clip) or transient (retry).

A message names the input it is about (`subject`), what is wrong with it, and the remedy.
`reason` is the short, stable word that quarantine records and tables carry.
"""

from typing import ClassVar


class Easi3RError(Exception):
    """Base of every error this library raises on purpose.

    Args:
        subject: the input the error is about: a URL, a clip id, a setting's name.
        problem: what is wrong with it, with the offending value.
        remedy: what the reader can do about it, as a sentence without a full stop.
    """

    reason: ClassVar[str] = "error"

    def __init__(self, subject: str, problem: str, remedy: str) -> None:
        super().__init__(subject, problem, remedy)
        self.subject = subject
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.subject}: {self.problem}. {self.remedy}."

    def about(self, subject: str) -> "Easi3RError":
        """The same problem, about a subject that only the caller knows."""
        return type(self)(subject, self.problem, self.remedy)


class PermanentError(Easi3RError):
    """A permanent failure: the same input fails again, so quarantine it and go on."""


class TransientError(Easi3RError):
    """A transient failure: the same call may succeed later, so retry it."""


class SettingsError(PermanentError):
    """A setting is out of its range or contradicts another."""

    reason = "settings"


class MissingPackageError(PermanentError):
    """A package that only some commands need is not installed."""

    reason = "missing_package"


class SourceError(PermanentError):
    """A collection cannot be listed: no such folder, an empty glob, a malformed manifest."""

    reason = "source"


class UnreadableURLError(SourceError):
    """A URL does not exist, or this machine may not read it."""

    reason = "unreadable_url"


class VideoError(PermanentError):
    """Base of everything that is wrong with one video."""

    reason = "video"


class EmptyFileError(VideoError):
    """The file holds no bytes."""

    reason = "empty_file"


class NotAVideoError(VideoError):
    """No demuxer recognises the bytes."""

    reason = "not_a_video"


class NoVideoStreamError(VideoError):
    """The container opens but holds no video stream (audio only, say)."""

    reason = "no_video_stream"


class NoFramesError(VideoError):
    """There is a video stream, and not one frame of it decodes."""

    reason = "no_frames"


class BrokenStreamError(VideoError):
    """Decoding stops with an error midway, and the settings do not accept the frames before it."""

    reason = "broken_stream"


class FrameSizeError(VideoError):
    """Frames too small or too elongated: not one patch is left after resizing."""

    reason = "frame_size"


class TooFewFramesError(VideoError):
    """Fewer frames than a clip needs."""

    reason = "too_few_frames"


class ChangedVideoError(VideoError):
    """The bytes behind a URL are no longer those that were probed."""

    reason = "changed_video"


class KnownInputError(PermanentError):
    """Cameras or masks that a user gave cannot be used, or are not those of the video."""

    reason = "known_input"


class TruthError(PermanentError):
    """Truth that stands beside a video is missing, unreadable, or not that of the video."""

    reason = "truth"


class CheckpointError(PermanentError):
    """Weights cannot be used: missing, unreadable, of another architecture, or of another hash."""

    reason = "checkpoint"


class DegenerateGeometryError(PermanentError):
    """A registration or camera has no unique solution for these points."""

    reason = "degenerate_geometry"


class DegenerateClipError(PermanentError):
    """A clip whose images prove nothing (no texture, a cut inside), to be quarantined as set."""

    reason = "degenerate_clip"


class NonFiniteError(PermanentError):
    """A computed value is NaN or infinite: the weights or the precision are at fault."""

    reason = "non_finite"


class DisconnectedGraphError(PermanentError):
    """The pairs leave a clip in parts that nothing relates."""

    reason = "disconnected_graph"


class RepeatedErrorsError(PermanentError):
    """So many clips in a row failed in a way nobody foresaw that the run is at fault."""

    reason = "repeated_errors"


class StoreError(PermanentError):
    """Base of what is wrong with a dataset on disk or object storage."""

    reason = "store"


class UnwritableDestinationError(StoreError):
    """The destination refuses writes, or does not honour create-only writes."""

    reason = "unwritable_destination"


class NotADatasetError(StoreError):
    """A URL holds no dataset of a schema this version reads."""

    reason = "not_a_dataset"


class ClipNotFoundError(StoreError, KeyError):
    """A dataset has no committed clip of that id."""

    reason = "clip_not_found"
    __str__ = Easi3RError.__str__


class VariableNotReadError(StoreError, AttributeError):
    """A window of a clip was read without this variable."""

    reason = "variable_not_read"


class InvalidAnnotationError(StoreError):
    """An annotation breaks the schema: a wrong shape, a depth that is not positive, NaN."""

    reason = "invalid_annotation"


class CorruptClipError(StoreError):
    """What was read back differs from what was written or from its checksums."""

    reason = "corrupt_clip"


class StorageUnavailableError(TransientError):
    """A transient failure of storage: a timeout, HTTP 503, a broken connection."""

    reason = "storage_unavailable"


class DestinationFullError(TransientError):
    """No space is left at the destination; somebody may free some."""

    reason = "destination_full"


class OutOfMemoryError(TransientError):
    """The device ran out of memory; smaller batches may pass."""

    reason = "oom"


class DeviceFaultError(TransientError):
    """The device is lost, or its context is dead: only another process, or device, can go on."""

    reason = "device_fault"


class WorkerLostError(TransientError):
    """The worker process of a task died, again and again."""

    reason = "worker_lost"


class ClusterLostError(TransientError):
    """The Dask scheduler does not answer, or is gone."""

    reason = "cluster_lost"
