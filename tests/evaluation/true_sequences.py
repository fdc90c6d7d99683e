"""Sequences with truth made in memory, and an engine that answers with that truth."""

from pathlib import Path

import numpy as np
from PIL import Image

from easi3r.config import Settings
from easi3r.evaluation.sequence import MOVING, STILL, TrueSequence
from easi3r.evaluation.source_pixels import PixelLookup
from easi3r.geometry import transform_intrinsics
from easi3r.synthetic import RenderedClip, SceneSettings, render, sample_scene
from easi3r.types import ClipAnnotation, ClipSpec, Frames, Provenance, Reconstruction
from easi3r.video import decode
from tests.engines import WEIGHTS_SHA256, NullEngine, record_inference

HEIGHT, WIDTH, PATCH = 64, 96, 8
SETTINGS = Settings.parse(
    {
        "model": {"sha256": WEIGHTS_SHA256},
        "video": {"long_side_px": WIDTH},
        "store": {"point_map": "derived", "mantissa_bits": 23},
        "execution": {"device": "cpu", "storage_patience_seconds": 1.0},
    }
)


def rendered(seed: int = 3, frames: int = 6) -> RenderedClip:
    """A scene in which things move, as the camera does, at a size that is stored as it is."""
    scene = SceneSettings(frames=frames, height=HEIGHT, width=WIDTH)
    return render(sample_scene(seed, scene))


def sequence_of(clip: RenderedClip, name: str = "scene", dataset: str = "davis") -> TrueSequence:
    """All of a rendered clip as a sequence of a data set."""
    motion = np.where(clip.dynamic_mask, np.uint8(MOVING), np.uint8(STILL))
    return TrueSequence(
        name=name,
        dataset=dataset,
        frame_names=tuple(f"{frame:05d}" for frame in range(len(clip))),
        pts_seconds=np.asarray(clip.times, np.float64),
        width=clip.images.shape[2],
        height=clip.images.shape[1],
        image=clip.images.__getitem__,
        motion=motion.__getitem__,
        depth=clip.depth.__getitem__,
        camera_to_world=clip.camera_to_world.astype(np.float64),
        intrinsics=clip.intrinsics.astype(np.float64),
    )


def give_answer(clip: RenderedClip, video: Path) -> None:
    """Put what `TruthEngine` is to answer beside a video."""
    video.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        video.with_suffix(".npz"),
        depth=clip.depth,
        camera_to_world=clip.camera_to_world,
        intrinsics=clip.intrinsics,
        dynamic_mask=clip.dynamic_mask,
    )


def give_truth(sequence: TrueSequence, video: Path) -> None:
    """Put the truth of a sequence beside its video; depth 1 where none is known."""
    places = range(len(sequence))
    size = (sequence.height, sequence.width)
    depths = [sequence.depth(place) for place in places]
    motions = [sequence.motion(place) for place in places]
    poses, intrinsics = sequence.camera_to_world, sequence.intrinsics
    still = np.tile(np.eye(4), (len(sequence), 1, 1))
    pinhole = np.array([[50.0, 0, size[1] / 2], [0, 50, size[0] / 2], [0, 0, 1]])
    video.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        video.with_suffix(".npz"),
        depth=np.stack(
            [np.ones(size, np.float32) if d is None else np.where(d > 0, d, 1) for d in depths]
        ).astype(np.float32),
        camera_to_world=still if poses is None else poses,
        intrinsics=np.tile(pinhole, (len(sequence), 1, 1)) if intrinsics is None else intrinsics,
        dynamic_mask=np.stack(
            [np.zeros(size, bool) if m is None else m == MOVING for m in motions]
        ),
    )


class TruthEngine(NullEngine):
    """Answers with the arrays that `give_answer` or `give_truth` put beside the video."""

    def decode(self, spec: ClipSpec, settings: Settings) -> Frames:
        """The frames, truly decoded."""
        return decode(spec, settings.video.long_side_px or WIDTH, PATCH)

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        """Truth, moved into the world of the clip's first camera."""
        record_inference(spec.clip_id)
        with np.load(Path(spec.video_url).with_suffix(".npz")) as arrays:
            answer = {name: arrays[name][frames.frame_index] for name in arrays.files}
        count, height, width, _ = frames.images.shape
        for name in ("dynamic_mask", "depth"):
            answer[name] = _stored(answer[name], frames)
        intrinsics = transform_intrinsics(answer["intrinsics"], frames.source_to_stored)
        poses = np.linalg.inv(answer["camera_to_world"][0]) @ answer["camera_to_world"]
        poses[0] = np.eye(4)
        return ClipAnnotation(
            spec=spec,
            pts_seconds=frames.pts_seconds,
            frame_index=frames.frame_index,
            source_to_stored=frames.source_to_stored,
            images_shape=(height, width),
            dynamic_score=np.full((count, height // PATCH, width // PATCH), 0.5, np.float32),
            dynamic_mask=answer["dynamic_mask"],
            reconstruction=Reconstruction(
                camera_to_world=poses,
                intrinsics=intrinsics,
                depth=answer["depth"],
                confidence=np.ones(answer["depth"].shape, np.float32),
                loss_history=np.array([0.1]),
                quality={"final_objective": 0.1},
            ),
            provenance=Provenance(
                weights_name="truth",
                weights_sha256=WEIGHTS_SHA256,
                weights_licence="none",
                code_version="test",
                settings_digest=settings.digest,
                settings_json=settings.model_dump_json(include={"sampling", "video"}),
                device="null",
            ),
        )


def _stored(values: np.ndarray, frames: Frames) -> np.ndarray:
    """Values of source pixels at the stored ones; those of stored pixels as they are."""
    source, stored = values.shape[1:], frames.images.shape[1:3]
    if source == stored:
        return values
    lookup = PixelLookup.to_source(frames.source_to_stored, source, stored, source)
    return np.stack([lookup(one) for one in values])


def write_davis(root: Path, clips: dict[str, RenderedClip]) -> Path:
    """A folder in DAVIS's layout, its frames as PNG so that nothing is lost."""
    for name, clip in clips.items():
        for frame in range(len(clip)):
            for kind, image in (
                ("JPEGImages", clip.images[frame]),
                ("Annotations", clip.dynamic_mask[frame].astype(np.uint8)),
            ):
                path = root / kind / "480p" / name / f"{frame:05d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(path)
    return root
