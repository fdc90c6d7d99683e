"""Motion read from attention: pair graphs, statistics, dynamic maps, masks (docs/method.md §2-5).

Nothing here runs the network: it takes the key means that the decoders leave behind. Start with
`segment`, which is docs/method.md §4 from statistics to masks.
"""

from easi3r.attention.dynamic_map import FusedMaps, dynamic_map, fused_maps
from easi3r.attention.graph import pair_graph
from easi3r.attention.segmentation import (
    clip_threshold,
    cluster_tokens,
    segment,
    smooth_over_clusters,
    threshold_score,
    token_masks,
)
from easi3r.attention.statistics import StatisticsAccumulator, attention_statistics

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
