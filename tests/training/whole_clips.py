"""Figures of the model card: the whole pipeline over held-out clips and their frozen twins.

`python -m tests.training.whole_clips --weights nano --clips 10`. No test; minutes of CPU time.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from sklearn.metrics import roc_auc_score

from easi3r.config import Settings
from easi3r.evaluation import ClipScores, Estimate, Truth, score_estimate, score_masks, scores_table
from easi3r.model import DUSt3R, load_checkpoint
from easi3r.pipeline import annotate_frames
from easi3r.synthetic import RenderedClip, SceneSettings, render, sample_scene
from easi3r.training.validation import HELD_OUT_SEEDS
from easi3r.types import Frames

FIRST_SEED = HELD_OUT_SEEDS + 10_000  # not those that validation during the run reported
SCENES = SceneSettings(frames=24, height=72, width=96)


def main(
    weights: str = "nano",
    clips: Annotated[int, typer.Option(help="held-out clips of 24 frames, 96x72")] = 10,
) -> None:
    """Prints scores beside baselines, and how far motion is told from the look of movers."""
    torch.set_num_threads(1)
    network = load_checkpoint(weights).network
    scores, separations = [], []
    for seed, clip, twin in held_out(clips):
        estimate = annotate(network, clip)
        scores.append(judge(str(seed), estimate, clip))
        if clip.dynamic_mask.any():
            frozen = annotate(network, twin)
            separations.append([*separation(estimate, clip), *separation(frozen, twin)])
    console = Console(width=110)
    console.print(scores_table(scores))
    names = ("moving / rest", "moving / static solids", "the same, frozen", "the same, frozen")
    console.print(f"AUC of the dynamic score, {len(separations)} clips with movers in view:")
    for name, values in zip(names, np.array(separations).T, strict=True):
        console.print(f"  {name}: {np.nanmean(values):.3f} (clips: {np.isfinite(values).sum()})")


def held_out(clips: int) -> Iterator[tuple[int, RenderedClip, RenderedClip]]:
    """Seed, clip, and frozen twin whose mask marks what moves in the clip."""
    for seed in range(FIRST_SEED, FIRST_SEED + clips):
        scene = sample_scene(seed, SCENES)
        twin = render(scene.freeze())
        would_move = np.append(scene.moving, False)[twin.solid]
        yield seed, render(scene), replace(twin, dynamic_mask=would_move)


def annotate(network: DUSt3R, clip: RenderedClip) -> Estimate:
    """The pipeline with default settings on frames as they were rendered."""
    frames = Frames(clip.images, clip.times, np.arange(len(clip)), np.eye(3))
    masks, result = annotate_frames(frames, network, Settings())
    size = clip.depth.shape[1:]
    score = torch.nn.functional.interpolate(masks.score[:, None].float(), size, mode="bilinear")
    return Estimate(
        depth=result.depth,
        camera_to_world=result.camera_to_world,
        intrinsics=result.intrinsics,
        dynamic_mask=masks.mask.numpy(),
        dynamic_score=score[:, 0].numpy(),
    )


def judge(name: str, estimate: Estimate, clip: RenderedClip) -> ClipScores:
    """Scores beside the baselines of `easi3r.evaluation`."""
    truth = Truth(clip.depth, clip.camera_to_world, clip.intrinsics, clip.dynamic_mask)
    still = Estimate(
        depth=np.ones_like(estimate.depth),
        camera_to_world=np.tile(np.eye(4), (len(clip), 1, 1)),
        intrinsics=estimate.intrinsics,
        dynamic_mask=np.zeros_like(estimate.dynamic_mask),
        dynamic_score=np.zeros_like(estimate.depth),
    )
    everything = np.ones_like(clip.dynamic_mask)
    return ClipScores(
        clip_id=name,
        ours=score_estimate(estimate, truth),
        still=score_estimate(still, truth),
        all_moving=score_masks(everything, everything.astype(np.float32), clip.dynamic_mask),
    )


def separation(estimate: Estimate, clip: RenderedClip) -> tuple[float, float]:
    """AUC of the score, moving pixels against all others and against static solids."""
    moving = clip.dynamic_mask
    return auc(estimate, moving, ~moving), auc(estimate, moving, (clip.solid >= 0) & ~moving)


def auc(estimate: Estimate, positive: np.ndarray, negative: np.ndarray) -> float:
    if not positive.any() or not negative.any():
        return float("nan")
    used = positive | negative
    return float(roc_auc_score(positive[used], estimate.dynamic_score[used]))


if __name__ == "__main__":
    typer.run(main)
