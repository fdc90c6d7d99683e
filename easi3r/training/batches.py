"""Training batches: rendered scenes with the ground truth that the losses need."""

from dataclasses import dataclass, fields
from itertools import permutations

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor

from easi3r.synthetic import RenderedClip, Scene, render, sample_scene
from easi3r.training.training_settings import TrainingSettings

VIEWS = 4
PAIRS = np.array(list(permutations(range(VIEWS), 2)))
TRAINING_SEEDS = 1_000_000  # seeds below belong to demo, tests and evaluation
_SEEDS_PER_RUN = 10_000_000
_VISIBLE_WITHIN = 0.03  # relative difference of depth under which a point is the one seen


@dataclass(frozen=True)
class Batch:
    """Views of several scenes and truth for all ordered pairs (a, b) within each scene.

    Pairs come scene by scene, in the order of `PAIRS`.

    Attributes:
        points: of each view's pixels in its own camera, metres.
        camera_to_world: per view.
        moving_share, still_share: share of each token's pixels on moving and on static solids.
        match: where in b each token of a went, (column, row) in tokens of b, solids followed.
        match_valid: that place is inside b and not hidden there.
    """

    images: UInt8[Tensor, "views height width 3"]
    points: Float32[Tensor, "views height width 3"]
    camera_to_world: Float32[Tensor, "views 4 4"]
    intrinsics: Float32[Tensor, "views 3 3"]
    moving_share: Float32[Tensor, "views rows columns"]
    still_share: Float32[Tensor, "views rows columns"]
    edges: Int64[Tensor, "pairs 2"]
    match: Float32[Tensor, "pairs tokens 2"]
    match_valid: Bool[Tensor, "pairs tokens"]

    def to(self, device: torch.device) -> "Batch":
        return Batch(**{item.name: getattr(self, item.name).to(device) for item in fields(self)})

    def other_way(self) -> Int64[Tensor, " pairs"]:
        """For each pair (a, b) the position of (b, a)."""
        places = {tuple(pair): place for place, pair in enumerate(PAIRS.tolist())}
        turned = torch.tensor([places[(b, a)] for a, b in PAIRS.tolist()])
        scenes = torch.arange(len(self.edges) // len(PAIRS))
        return (scenes[:, None] * len(PAIRS) + turned).reshape(-1).to(self.edges.device)


def training_batch(settings: TrainingSettings, step: int) -> Batch:
    """The batch of a step: a pure function of the settings and the step."""
    first = first_seed(settings, step)
    scenes = [
        draw_views(sample_scene(seed, settings.scene_settings(step)), seed)
        for seed in range(first, first + settings.scenes_per_step)
    ]
    return make_batch([render(scene) for scene in scenes], settings.model.patch_size)


def first_seed(settings: TrainingSettings, step: int) -> int:
    """Of the scenes of a step; every run has its own ten million seeds."""
    return TRAINING_SEEDS + settings.seed * _SEEDS_PER_RUN + step * settings.scenes_per_step


def draw_views(scene: Scene, seed: int) -> Scene:
    """Four of the scene's frames, in order of time."""
    chosen = np.random.default_rng([seed, VIEWS]).choice(len(scene), VIEWS, replace=False)
    return scene.select(sorted(int(frame) for frame in chosen))


def make_batch(clips: list[RenderedClip], patch: int) -> Batch:
    """A batch of clips of `VIEWS` frames each, all of one size."""
    matches = [_matches(clip, patch) for clip in clips]
    edges = np.concatenate([PAIRS + VIEWS * number for number in range(len(clips))])
    focal = np.concatenate([clip.intrinsics for clip in clips]).astype(np.float32)
    return Batch(
        images=torch.from_numpy(np.concatenate([clip.images for clip in clips])),
        points=torch.from_numpy(np.concatenate([_camera_points(clip) for clip in clips])),
        camera_to_world=_joined([clip.camera_to_world for clip in clips]),
        intrinsics=torch.from_numpy(focal),
        moving_share=_joined([_share(clip.dynamic_mask, patch) for clip in clips]),
        still_share=_joined(
            [_share((clip.solid >= 0) & ~clip.dynamic_mask, patch) for clip in clips]
        ),
        edges=torch.from_numpy(edges),
        match=_joined([match for match, _ in matches]),
        match_valid=torch.from_numpy(np.concatenate([valid for _, valid in matches])),
    )


def _joined(arrays: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(arrays).astype(np.float32))


def _camera_points(clip: RenderedClip) -> np.ndarray:
    height, width = clip.depth.shape[1:]
    focal = clip.intrinsics[0, 0, 0]
    x = (np.arange(width) - width / 2) / focal
    y = (np.arange(height) - height / 2) / focal
    rays = np.stack([*np.meshgrid(x, y), np.ones((height, width))], axis=-1)
    return rays.astype(np.float32) * clip.depth[..., None]


def _share(mask: np.ndarray, patch: int) -> np.ndarray:
    views, height, width = mask.shape
    blocks = mask.reshape(views, height // patch, patch, width // patch, patch)
    return blocks.mean(axis=(2, 4))


def _matches(clip: RenderedClip, patch: int) -> tuple[np.ndarray, np.ndarray]:
    """Place in b of the middle of each token of a, following solids, and whether it is seen."""
    height, width = clip.depth.shape[1:]
    middle = (slice(None), slice(patch // 2, None, patch), slice(patch // 2, None, patch))
    solid = clip.solid[middle].reshape(VIEWS, -1)
    points = clip.point_map[middle].reshape(VIEWS, -1, 3).astype(np.float64)
    focal, places, visible = clip.intrinsics[0, 0, 0], [], []
    still = np.broadcast_to(np.eye(4), (VIEWS, 1, 4, 4))
    poses = np.concatenate([clip.solid_to_world, still], axis=1)  # solid -1: the room
    for a, b in PAIRS:
        moved = (poses[b] @ np.linalg.inv(poses[a]))[solid[a]]
        world = np.einsum("nij,nj->ni", moved[:, :3, :3], points[a]) + moved[:, :3, 3]
        pose = clip.camera_to_world[b]
        seen = (world - pose[:3, 3]) @ pose[:3, :3]
        z = np.maximum(seen[:, 2], 1e-3)
        pixel = seen[:, :2] / z[:, None] * focal + [width / 2, height / 2]
        column, row = np.rint(pixel).astype(int).T
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        column, row = column.clip(0, width - 1), row.clip(0, height - 1)
        close = np.abs(clip.depth[b, row, column] - seen[:, 2]) < _VISIBLE_WITHIN * z
        places.append((pixel - patch // 2) / patch)
        visible.append(inside & close & (clip.solid[b, row, column] == solid[a]))
    return np.stack(places), np.stack(visible)
