"""From attention statistics to one motion score per token (docs/method.md §4, steps 1 and 2)."""

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
    """Each statistic as one map per frame (docs/method.md §4, step 1)."""
    return FusedMaps(
        source_mean=_fuse(statistics.source_mean),
        source_std=_fuse(statistics.source_std),
        reference_mean=_fuse(statistics.reference_mean),
        reference_std=_fuse(statistics.reference_std),
    )


def dynamic_map(statistics: AttentionStatistics) -> Float[Tensor, "frames rows columns"]:
    """How much each token looks like a moving object, 0..1 in every frame (docs/method.md §4.2).

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
    """Min-max over each frame by itself; 0 everywhere in a constant frame."""
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
