"""Motion segmentation from attention: pair graphs, statistics, dynamic maps, masks.

Sections 2 to 5 of docs/method.md. Nothing here runs the network: the input is the key means that
the decoders record. Start with `segment`; the motion threshold is in `threshold.py`.
"""

from easi3r.attention.clustering import cluster_tokens, smooth_over_clusters
from easi3r.attention.dynamic_map import FusedMaps, dynamic_map, fused_maps
from easi3r.attention.graph import pair_graph
from easi3r.attention.segmentation import segment, token_masks
from easi3r.attention.statistics import StatisticsAccumulator, attention_statistics
from easi3r.attention.threshold import clip_threshold, threshold_score

__all__ = [
    "FusedMaps",
    "StatisticsAccumulator",
    "attention_statistics",
    "clip_threshold",
    "cluster_tokens",
    "dynamic_map",
    "fused_maps",
    "pair_graph",
    "segment",
    "smooth_over_clusters",
    "threshold_score",
    "token_masks",
]
