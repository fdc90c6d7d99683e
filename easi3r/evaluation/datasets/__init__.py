"""Readers of the paper's data sets, each in its published layout, and of any folder with truth.

Start with `sequences` (`davis`, `tum`, `adt`, `dycheck`, `sintel`, `bonn`) and `real_sequences`.
"""

from easi3r.evaluation.datasets.frame_choice import FrameChoice, Stride
from easi3r.evaluation.datasets.masked_videos import masked_sequence
from easi3r.evaluation.datasets.real_layouts import real_sequences
from easi3r.evaluation.datasets.registry import DATASETS, DatasetName, dataset_of, sequences
from easi3r.evaluation.datasets.true_depths import LEAST_DEPTH_M

__all__ = [
    "DATASETS",
    "LEAST_DEPTH_M",
    "DatasetName",
    "FrameChoice",
    "Stride",
    "dataset_of",
    "masked_sequence",
    "real_sequences",
    "sequences",
]
