"""`make demo`: render scenes with truth, annotate them through the flow, score them, draw one.

Offline and on the CPU: the flow runs on an ephemeral Prefect server and a local Dask cluster.
"""

import argparse
import shutil
from pathlib import Path
from typing import cast

from rich.console import Console

import easi3r
from easi3r.config import Settings
from easi3r.evaluation import ClipScores, Truth, evaluate_clip, scores_table
from easi3r.run.run_record import RunRecord
from easi3r.synthetic import (
    MoverSettings,
    SceneSettings,
    read_truth,
    render,
    sample_scene,
    write_clip,
)
from easi3r.viz import draw_clip
from flows.annotate import annotate_collection
from tasks.cluster import LocalDask

FIRST_SEED = 100  # training draws seeds from `easi3r.training.batches.TRAINING_SEEDS` on


def render_collection(folder: Path, scenes: int, frames: int) -> None:
    """Write `scenes` videos of 320x240 with their truth beside them."""
    settings = SceneSettings(frames=frames, movers=MoverSettings(visible=(1, 4)))
    for number in range(scenes):
        scene = sample_scene(FIRST_SEED + number, settings)
        write_clip(render(scene), folder, f"scene-{number}")


def score_collection(dataset: easi3r.Dataset) -> list[ClipScores]:
    """Every committed clip against the truth beside its video."""
    scores = []
    for record in dataset.clips:
        truth = read_truth(Path(record.video_url))
        scores.append(
            evaluate_clip(
                dataset[record.clip_id],
                Truth(truth.depth, truth.camera_to_world, truth.intrinsics, truth.dynamic_mask),
            )
        )
    return scores


def liveliest(dataset: easi3r.Dataset) -> str:
    """The id of the clip in which, in truth, most pixels move: the one to look at."""
    share = {
        record.clip_id: float(read_truth(Path(record.video_url)).dynamic_mask.mean())
        for record in dataset.clips
    }
    return max(share, key=share.__getitem__)


def main() -> None:
    """Run the demo; exits 1 if a clip failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/demo"))
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--frames", type=int, default=16)
    arguments = parser.parse_args()
    console = Console()
    videos, store, sheet = (arguments.out / name for name in ("videos", "clips.zarr", "clip.png"))
    for earlier in (videos, store):  # an earlier demo's; nothing else in the folder is touched
        shutil.rmtree(earlier, ignore_errors=True)

    with console.status(f"rendering {arguments.scenes} scenes"):
        render_collection(videos, arguments.scenes, arguments.frames)
    settings = Settings.parse({"execution": {"clips_per_batch": 1}})
    # Prefect unwraps the state that a flow returns, which its annotations do not say.
    record = cast(RunRecord, annotate_collection(str(videos), str(store), settings, LocalDask()))

    dataset = easi3r.open_dataset(str(store))
    console.print(scores_table(score_collection(dataset)))
    draw_clip(str(store), liveliest(dataset), sheet)
    console.print(f"annotations  {store}\npicture      {sheet}\nsummary      {record}")
    raise SystemExit(0 if record.succeeded else 1)


if __name__ == "__main__":
    main()
