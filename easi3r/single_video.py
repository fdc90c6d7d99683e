"""One video from Python, without a server: `easi3r.annotate`.

    result = easi3r.annotate("video.mp4")
    result.dynamic_mask, result.depth, result.camera_to_world   # numpy arrays, one row a frame
    result.to_xarray()

Collections, with their plans, retries and quarantine, are `easi3r.run`'s.
"""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64

from easi3r.config import Precision, Settings
from easi3r.errors import SettingsError
from easi3r.geometry import world_point_map
from easi3r.known import PathOrArray, known_of_video, specs_with, undistortion, with_known
from easi3r.model import LoadedModel, load_checkpoint
from easi3r.pipeline import annotate_decoded, frame_size, select_device
from easi3r.run.engine import warm_engine
from easi3r.run.run import Run, absolute_location
from easi3r.store import prepare_dataset, update_index, write_clip
from easi3r.store.schema import UNIT_OF_LENGTH, VARIABLES, Variable
from easi3r.types import ClipAnnotation, ClipSpec, Frames, Video
from easi3r.video import ArrayVideo, Undistort, decode, plan_clips, probe

if TYPE_CHECKING:
    import xarray as xr

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class VideoAnnotation:
    """Masks, cameras and depths of the sampled frames of a video, each once, in order of time.

    A video longer than `sampling.clip_frames` is annotated clip by clip. Poses and depths of frames
    of one clip share a world (the camera of the clip's first frame) and a scale; those of two
    clips do not. Conventions as everywhere: poses are camera-to-world in OpenCV axes, masks are
    True where something moves.

    Attributes:
        pts_seconds: presentation times.
        frame_index: number of each frame in the video.
        clip: number of the clip in whose world each frame is, from 0.
        clip_ids: of the clips, in that order.
        dynamic_mask: True where something moves.
        depth: z in the camera, > 0.
        confidence: the network's, >= 1; 0 where another frame contradicts the depth.
        camera_to_world, intrinsics: intrinsics in pixels of the stored resolution.
        source_to_stored: homogeneous affine map from pixels of the video to stored ones.
        scale: `arbitrary` or `metric`.
        clips: everything known about each clip.
    """

    pts_seconds: Float64[np.ndarray, " frames"]
    frame_index: Int64[np.ndarray, " frames"]
    clip: Int64[np.ndarray, " frames"]
    clip_ids: tuple[str, ...]
    dynamic_mask: Bool[np.ndarray, "frames height width"]
    depth: Float32[np.ndarray, "frames height width"]
    confidence: Float32[np.ndarray, "frames height width"]
    camera_to_world: Float64[np.ndarray, "frames 4 4"]
    intrinsics: Float64[np.ndarray, "frames 3 3"]
    source_to_stored: Float64[np.ndarray, "3 3"]
    scale: Literal["arbitrary", "metric"]
    clips: tuple[ClipAnnotation, ...]

    @classmethod
    def of(cls, clips: Sequence[ClipAnnotation]) -> "VideoAnnotation":
        """The frames that the clips of one video own, joined in order."""
        owned = [
            (clip.frame_index >= clip.spec.owned_start) & (clip.frame_index < clip.spec.owned_stop)
            for clip in clips
        ]

        def joined(values: Callable[[ClipAnnotation], np.ndarray]) -> np.ndarray:
            return np.concatenate([values(c)[own] for c, own in zip(clips, owned, strict=True)])

        numbers = np.arange(len(clips))
        return cls(
            pts_seconds=joined(lambda clip: clip.pts_seconds),
            frame_index=joined(lambda clip: clip.frame_index),
            clip=np.repeat(numbers, [int(own.sum()) for own in owned]),
            clip_ids=tuple(clip.spec.clip_id for clip in clips),
            dynamic_mask=joined(lambda clip: clip.dynamic_mask),
            depth=joined(lambda clip: clip.reconstruction.depth),
            confidence=joined(lambda clip: clip.reconstruction.confidence),
            camera_to_world=joined(lambda clip: clip.reconstruction.camera_to_world),
            intrinsics=joined(lambda clip: clip.reconstruction.intrinsics),
            source_to_stored=clips[0].source_to_stored,
            scale=clips[0].scale,
            clips=tuple(clips),
        )

    def __len__(self) -> int:
        return len(self.pts_seconds)

    @property
    def point_map(self) -> Float[np.ndarray, "frames height width 3"]:
        """World coordinates of each pixel at its own time, from depth, intrinsics and pose."""
        return world_point_map(self.depth, self.intrinsics, self.camera_to_world)

    def to_xarray(self) -> "xr.Dataset":
        """The arrays with the names, dimensions and units that a dataset's clips have."""
        import xarray as xr  # here, for it takes longer to import than a clip to convert

        values = {
            "time": self.pts_seconds,
            "frame_index": self.frame_index,
            "dynamic_mask": self.dynamic_mask,
            "depth": self.depth,
            "confidence": self.confidence,
            "point_map": self.point_map.astype(np.float32),
            "camera_to_world": self.camera_to_world,
            "intrinsics": self.intrinsics,
        }
        variables: dict[str, Any] = {
            variable.name: (variable.dims, values[variable.name], self._attributes(variable))
            for variable in VARIABLES
            if variable.name in values
        }
        variables["clip"] = ("time", self.clip, {"long_name": "clip in whose world a frame is"})
        dataset = xr.Dataset(variables).set_coords(["time", "frame_index", "clip"])
        return dataset.assign_attrs(
            scale=self.scale,
            clip_ids=list(self.clip_ids),
            source_to_stored=self.source_to_stored.tolist(),
            weights_licence=self.clips[0].provenance.weights_licence,
        )

    def _attributes(self, variable: Variable) -> dict[str, str]:
        return {
            "units": variable.units or UNIT_OF_LENGTH[self.scale],
            "long_name": variable.long_name,
            "description": variable.description,
        }


def load_model(
    weights: str = "nano", *, device: str = "auto", precision: Precision | None = None
) -> LoadedModel:
    """A network on a device, to pass to `annotate` more than once.

    Args:
        weights: a name (`nano`), path, fsspec URL or Hugging Face repository; see `easi3r models`.
        device: `auto` takes the first GPU, else the CPU.
        precision: of the encoder and the decoders; None: as the weights recommend.

    Raises:
        CheckpointError: the weights cannot be used.
        SettingsError: there is no such device here.
        StorageUnavailableError: the weights cannot be fetched now.
    """
    return load_checkpoint(weights).on(select_device(device), precision)


def annotate(
    video: str | os.PathLike[str] | np.ndarray,
    *,
    pts_seconds: Sequence[float] | None = None,
    settings: Settings | None = None,
    model: LoadedModel | None = None,
    destination: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    intrinsics: PathOrArray | None = None,
    poses: PathOrArray | None = None,
    metric: bool = False,
    motion_masks: PathOrArray | None = None,
) -> VideoAnnotation:
    """Masks, cameras and depths of one video.

    Args:
        video: a path, any fsspec URL, or RGB frames, uint8, (frames, height, width, 3).
        pts_seconds: times of the frames, ascending; only for frames.
        settings: None: the defaults; `model.weights` says which network.
        model: of `load_model`, in place of the weights that the settings name.
        destination: a dataset, on any fsspec URL, that the clips are committed to as well; created
            if need be. A result that is committed there already stays.
        on_progress: callback after each clip, with the number of clips done and of all clips.
            The logger `easi3r.single_video` says the same at level INFO.
        intrinsics: known ones: a file (docs/known-inputs.md), or (3, 3) or (frames, 3, 3) in pixels
            of the upright video.
        poses: known ones: a file or folder, or (frames, 4, 4), camera-to-world in OpenCV axes.
        metric: the poses are in metres, and so becomes the result.
        motion_masks: known ones: a folder, or (frames, height, width) in pixels of the upright
            video, not 0 where something moves; `motion.known_masks` says what becomes of the
            method's.

    Raises:
        VideoError: the video cannot be read, or gives no clip.
        KnownInputError: what is known cannot be used, or is not of this video.
        UnreadableURLError, StorageUnavailableError: nor can its file.
        CheckpointError, SettingsError: the weights, the device or a setting cannot be used.
        MissingPackageError: the masks are to be refined, and the extra `sam2` is not installed.
        NonFiniteError, DegenerateGeometryError, OutOfMemoryError: a clip allows no cameras, or the
            device is too small for it.
        StoreError: the destination cannot be written.
    """
    settings = settings or Settings()
    source = _opened(video, pts_seconds, settings)
    known = known_of_video(source.video, intrinsics, poses, metric, motion_masks)
    specs = plan_clips(source.video, settings.sampling, settings.video, settings.shots)
    if known is not None:
        specs = specs_with(known, specs)
    if model is None:
        chosen, device = settings.model, settings.execution.device
        model = warm_engine(chosen.weights, chosen.sha256, device, chosen.precision).model
    if destination is not None:
        run = Run(source.video.url, destination, settings).with_weights(model.sha256)
        prepare_dataset(destination, run.settings.model_dump_json())
    clips = []
    for done, spec in enumerate(specs, start=1):
        frames = with_known(source.decode(spec, model, settings, undistortion(known)), known)
        clips.append(annotate_decoded(spec, frames, model, settings))
        if destination is not None:
            write_clip(destination, clips[-1], settings.store)
        _LOGGER.info("%s: %d of %d clips annotated", source.video.url, done, len(specs))
        if on_progress is not None:
            on_progress(done, len(specs))
    if destination is not None:
        update_index(destination)
    return VideoAnnotation.of(clips)


@runtime_checkable
class _Source(Protocol):
    @property
    def video(self) -> Video: ...

    def decode(
        self, spec: ClipSpec, model: LoadedModel, settings: Settings, undistort: Undistort | None
    ) -> Frames: ...


@dataclass(frozen=True)
class _FileSource:
    video: Video

    def decode(
        self, spec: ClipSpec, model: LoadedModel, settings: Settings, undistort: Undistort | None
    ) -> Frames:
        return decode(spec, *frame_size(model, settings), undistort)


@dataclass(frozen=True)
class _ArraySource:
    arrays: ArrayVideo

    @property
    def video(self) -> Video:
        return self.arrays.video

    def decode(
        self, spec: ClipSpec, model: LoadedModel, settings: Settings, undistort: Undistort | None
    ) -> Frames:
        return self.arrays.decode(spec, *frame_size(model, settings), undistort)


def _opened(
    video: str | os.PathLike[str] | np.ndarray,
    pts_seconds: Sequence[float] | None,
    settings: Settings,
) -> _Source:
    if isinstance(video, np.ndarray):
        if pts_seconds is None:
            problem = "is needed with frames"
            raise SettingsError("pts_seconds", problem, "Give the time of each frame in seconds")
        return _ArraySource(ArrayVideo(video, np.asarray(pts_seconds, np.float64)))
    if pts_seconds is not None:
        problem = "is for frames; a video file has times of its own"
        raise SettingsError("pts_seconds", problem, "Leave it out")
    return _FileSource(probe(absolute_location(os.fspath(video)), settings.shots))
