"""The clips of the benchmark: four kinds, fixed seeds, chosen by rule.

Training never sees them: its seeds start at a million, and its textures and shapes are others
(`easi3r.synthetic.Vocabulary`).
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Bool

from easi3r.synthetic import (
    CameraKind,
    CameraSettings,
    MoverSettings,
    RenderedClip,
    Scene,
    SceneSettings,
    Vocabulary,
    render,
    sample_scene,
)

FIRST_SEED = 700_000
_SEEDS_PER_KIND = 10_000
_SEEDS_PER_CLIP = 100
_FRAMES = (12, 16)
_SIZES = (
    (240, 320), (320, 240), (180, 320), (240, 320), (240, 360), (320, 180), (240, 320), (200, 320)
)  # fmt: skip
_TRAVELLING = tuple(kind for kind in CameraKind if kind not in (CameraKind.STILL, CameraKind.PAN))
_VISIBLE_SHARE = 0.01  # of a frame's pixels
_MOST_FRAMES = 0.75
_SHORTEST_PATH = 0.02  # RMS of the camera centres about their mean, over the median depth


class Kind(StrEnum):
    """Kind of a clip: what moves in it."""

    MOVERS = "several movers"
    LOOK_ALIKES = "movers and look-alikes"
    FROZEN = "all frozen"
    STILL_CAMERA = "static camera"

    @property
    def has_movers(self) -> bool:
        """True where something moves in every clip of this kind."""
        return self is not Kind.FROZEN

    @property
    def camera_moves(self) -> bool:
        """True where camera paths can be judged."""
        return self is not Kind.STILL_CAMERA


@dataclass(frozen=True)
class BenchmarkClip:
    """Everything needed to render one clip of the benchmark.

    Attributes:
        number: within its kind, from 0.
        frames: its length.
        crf: H.264 quality of the video, lower is better.
    """

    kind: Kind
    number: int
    frames: int
    crf: int

    @property
    def name(self) -> str:
        """Fit for a file."""
        return f"{self.kind.name.lower().replace('_', '-')}-{self.number}"

    @property
    def first_seed(self) -> int:
        """The first of the seeds that are tried."""
        kind = list(Kind).index(self.kind)
        return FIRST_SEED + kind * _SEEDS_PER_KIND + self.number * _SEEDS_PER_CLIP


def benchmark_clips(
    per_kind: int = 8, frames: tuple[int, int] = _FRAMES
) -> tuple[BenchmarkClip, ...]:
    """The first `per_kind` clips of each kind, of the shortest to the longest length."""
    clips = []
    for kind in Kind:
        for number in range(per_kind):
            rng = np.random.default_rng([FIRST_SEED, list(Kind).index(kind), number])
            length = int(rng.integers(frames[0], frames[1] + 1))
            clips.append(BenchmarkClip(kind, number, length, int(rng.integers(20, 27))))
    return tuple(clips)


def render_benchmark_clip(clip: BenchmarkClip) -> RenderedClip:
    """The clip of the first seed whose scene satisfies its kind.

    At least three quarters of the frames must show movers (of the frozen kind: objects; beside
    look-alikes: both) on one percent of their pixels, and a camera that is to move must spread by
    two percent of the scene's median depth.

    Raises:
        ValueError: no seed of the clip's hundred gives such a scene.
    """
    for seed in range(clip.first_seed, clip.first_seed + _SEEDS_PER_CLIP):
        rendered = render(_scene(clip, seed))
        if _is_what_it_promises(clip.kind, rendered):
            return rendered
    raise ValueError(f"{clip.name}: no scene of its kind in {_SEEDS_PER_CLIP} seeds")


def _scene(clip: BenchmarkClip, seed: int) -> Scene:
    height, width = _SIZES[clip.number % len(_SIZES)]
    settings = SceneSettings(
        frames=clip.frames,
        height=height,
        width=width,
        frames_per_second=float(np.random.default_rng([seed, 1]).integers(8, 16)),
        vocabulary=Vocabulary.HELD_OUT,
        camera=CameraSettings(kinds=_TRAVELLING if clip.kind.camera_moves else (CameraKind.STILL,)),
        movers=MoverSettings(
            visible=(1, 3) if clip.kind is Kind.LOOK_ALIKES else (2, 4),
            look_alikes=1.0 if clip.kind is Kind.LOOK_ALIKES else 0.0,
        ),
    )
    scene = sample_scene(seed, settings)
    return scene.freeze() if clip.kind is Kind.FROZEN else scene


def _is_what_it_promises(kind: Kind, clip: RenderedClip) -> bool:
    still_objects = (clip.solid >= 0) & ~clip.dynamic_mask
    if kind in (Kind.FROZEN, Kind.LOOK_ALIKES) and not _visible(still_objects):
        return False
    if kind.has_movers and not _visible(clip.dynamic_mask):
        return False
    shortest = _SHORTEST_PATH * float(np.median(clip.depth))
    return not kind.camera_moves or _spread(clip) >= shortest


def _visible(mask: Bool[np.ndarray, "frames height width"]) -> bool:
    return bool((mask.mean(axis=(1, 2)) >= _VISIBLE_SHARE).mean() >= _MOST_FRAMES)


def _spread(clip: RenderedClip) -> float:
    centres = clip.camera_to_world[:, :3, 3]
    return float(np.sqrt(np.square(centres - centres.mean(axis=0)).sum(axis=1).mean()))
