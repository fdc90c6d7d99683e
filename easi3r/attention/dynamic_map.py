"""Dynamic map: one motion score per token, from attention statistics (docs/method.md §4.1-2)."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from easi3r.tensors import AttentionStatistics

_EPSILON = 1e-6


@dataclass(frozen=True)
class FusedMaps:
    """The four statistics with their channels averaged, each 0..1 over the whole clip."""

    source_mean: Float[Tensor, "frames rows columns"]
    source_std: Float[Tensor, "frames rows columns"]
    reference_mean: Float[Tensor, "frames rows columns"]
    reference_std: Float[Tensor, "frames rows columns"]


def fused_maps(statistics: AttentionStatistics) -> FusedMaps:
    """Each of the four statistics as one map per frame, 0..1 (docs/method.md §4.1)."""
    return FusedMaps(
        source_mean=_fuse(statistics.source_mean),
        source_std=_fuse(statistics.source_std),
        reference_mean=_fuse(statistics.reference_mean),
        reference_std=_fuse(statistics.reference_std),
    )


def dynamic_map(statistics: AttentionStatistics) -> Float[Tensor, "frames rows columns"]:
    """Motion score of each token, 0..1 in every frame; high means moving (docs/method.md §4.2).

    A moving object gets little attention as a source, unsteadily over its pairs, and much
    attention as a reference, steadily.
    """
    fused = fused_maps(statistics)
    product = (
        (1 - fused.source_mean)
        * fused.source_std
        * fused.reference_mean
        * (1 - fused.reference_std)
    )
    return normalise_frames(product)


def normalise_frames(
    maps: Float[Tensor, "frames rows columns"],
) -> Float[Tensor, "frames rows columns"]:
    """Min-max normalisation of each frame by itself; a constant frame becomes 0."""
    low = maps.amin(dim=(1, 2), keepdim=True)
    high = maps.amax(dim=(1, 2), keepdim=True)
    return (maps - low) / (high - low + _EPSILON)


def _normalise_clip(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    low, high = values.aminmax()
    return (values - low) / (high - low + _EPSILON)


def _fuse(
    stack: Float[Tensor, "frames rows columns channels"],
) -> Float[Tensor, "frames rows columns"]:
    return _normalise_clip(_normalise_clip(stack).mean(dim=-1))
