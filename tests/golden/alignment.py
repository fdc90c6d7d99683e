"""Alignments of every `align*.npz`: objective and trajectory error against the reference's."""

from pathlib import Path

import numpy as np
import torch

from easi3r.alignment import align, objective
from easi3r.config import AlignmentSettings
from easi3r.geometry.trajectory import trajectory_error
from easi3r.tensors import PairGraph, PairPrediction
from tests.golden.comparison import Comparison, compare_at_most


def compare(folder: Path, device: str = "cpu") -> list[Comparison]:
    """Two comparisons per file: objective over the reference's, trajectory error over its."""
    return [row for path in sorted(folder.glob("align*.npz")) for row in compare_file(path, device)]


def compare_file(path: Path, device: str = "cpu") -> list[Comparison]:
    """Align one file's predictions; the objective is recomputed from the cameras and depths."""
    with np.load(path) as arrays:
        reference = dict(arrays)
    truth = reference["gt_cam_to_world"].astype(np.float64)
    graph = PairGraph(reference["edges"].astype(np.int64), frames=len(truth))
    prediction = PairPrediction(
        *(
            torch.from_numpy(reference[name].astype(np.float32)).to(device)
            for name in ("pts3d_1", "pts3d_2_in_1", "conf_1", "conf_2")
        )
    )
    shared = np.ptp(reference["ref_focal"]) <= 1e-4 * reference["ref_focal"].mean()
    result = align(graph, prediction, AlignmentSettings(shared_focal=bool(shared)))
    value = objective(graph, prediction, result.camera_to_world, result.intrinsics, result.depth)
    error = trajectory_error(result.camera_to_world, truth)
    note = "ours / reference's"
    return [
        compare_at_most(
            path.name, "ref_final_loss", value / float(reference["ref_final_loss"]), 1.001, note
        ),
        compare_at_most(path.name, "ref_ate", error / float(reference["ref_ate"]), 1.05, note),
    ]
