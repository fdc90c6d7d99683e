"""A clip's point maps, regrouped by the frames that they show (docs/method.md §6).

A clip has two maps for each directed pair: map m shows the pair's first frame, map pairs + m its
second. They are visited a span at a time: some pixels of one frame, or all pixels of some small
frames, so that what is made of a span stays in a CPU's cache and no call is for a few numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from easi3r.alignment.problem import State, log_weights
from easi3r.tensors import PairGraph, PairPrediction

BLOCK = 2**16
"""Map pixels per block on a CPU: they and what is computed of them fit into its caches."""

GPU_BLOCK = 2**23


def block_size(device: torch.device) -> int:
    """Map pixels per block."""
    return BLOCK if device.type == "cpu" else GPU_BLOCK


def blocks(pixels: int, maps: int, device: torch.device) -> Iterator[slice]:
    """Parts of an image of which there are several maps, each a block at most.

    Args:
        pixels: of the image.
        maps: number of maps.
    """
    size = max(1, block_size(device) // max(1, maps))
    for start in range(0, pixels, size):
        yield slice(start, start + size)


@dataclass(frozen=True)
class Span:
    """Some pixels of some consecutive frames: small frames are worked on together."""

    frames: slice
    pixels: slice

    def __len__(self) -> int:
        return int(self.frames.stop - self.frames.start)


@dataclass(frozen=True)
class Members:
    """Which of some numbered things belong to each frame, in rows of equal length.

    Attributes:
        number: a short row is padded with its first number (0 if it is empty).
        own: False where a row is padded.
    """

    number: Int64[Tensor, "frames most"]
    own: Bool[Tensor, "frames most"]

    @classmethod
    def of(cls, frame: Int64[Tensor, " things"], frames: int) -> "Members":
        """Group things by the frame that each belongs to, in their order."""
        number = frame.argsort(stable=True)
        count = frame.bincount(minlength=frames)
        place = torch.arange(int(count.max()), device=frame.device)
        own = place < count[:, None]
        place = (count.cumsum(0) - count)[:, None] + torch.where(own, place, 0)
        return cls(number[place.clamp_max(len(number) - 1)], own)

    def of_frames(self, frames: slice) -> "Members":
        """Of some frames, no longer than the longest of them."""
        most = int(self.own[frames].sum(1).max())
        return Members(self.number[frames, :most], self.own[frames, :most])


@dataclass(frozen=True)
class SpanMaps:
    """The point maps predicted for a span, planar.

    Attributes:
        number: of each map, in the order of the clip.
        points: in the frame of the pair's first camera.
        weight: log(confidence) over (pixels x pairs), so that weighted distances just add up; 0
            where a frame has fewer maps than others of the span.
    """

    number: Int64[Tensor, "frames maps"]
    points: Float32[Tensor, "frames maps 3 pixels"]
    weight: Float32[Tensor, "frames maps pixels"]


@dataclass(frozen=True)
class ClipMaps:
    """Every point map of a clip, as predicted.

    Attributes:
        cache: the maps of each span; empty: they are copied at each visit.
    """

    graph: PairGraph
    prediction: PairPrediction
    cache: tuple[SpanMaps, ...] = ()

    def with_cache(self) -> "ClipMaps":
        """The same, with the maps of every span copied beforehand: for few pixels in all."""
        return replace(self, cache=tuple(self.of_span(number) for number in range(len(self.spans))))

    @cached_property
    def pixels(self) -> int:
        """Pixels of a frame."""
        return self.prediction.confidence_1[0].numel()

    @cached_property
    def frame(self) -> Int64[Tensor, " maps"]:
        """The frame that each map shows."""
        edges = torch.from_numpy(self.graph.edges)
        return edges.T.flatten().to(self.prediction.points_1.device)

    @cached_property
    def pair(self) -> Int64[Tensor, " maps"]:
        """The pair that each map was predicted for."""
        return torch.arange(len(self.graph), device=self.frame.device).repeat(2)

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """All pixels of all frames, in spans of at most `block_size` map pixels."""
        frames, device = self.graph.frames, self.frame.device
        most = int(self.frame.bincount(minlength=frames).max())
        together = max(1, block_size(device) // (most * self.pixels))
        starts = range(0, frames, together)
        return tuple(
            Span(slice(start, min(start + together, frames)), part)
            for start in starts
            for part in blocks(self.pixels, most, device)
        )

    @cached_property
    def members(self) -> tuple[Members, ...]:
        """Of each span, the maps that show its frames."""
        members = Members.of(self.frame, self.graph.frames)
        return tuple(members.of_frames(span.frames) for span in self.spans)

    def of_span(self, number: int) -> SpanMaps:
        """The maps of a span."""
        if self.cache:
            return self.cache[number]
        members, part = self.members[number], self.spans[number].pixels
        prediction = self.prediction
        maps = members.number.flatten()
        first, second = maps[maps < len(self.graph)], maps[maps >= len(self.graph)]
        second = second - len(self.graph)

        def select(of_first: Tensor, of_second: Tensor) -> Tensor:
            sides = ((of_first, first), (of_second, second))
            flat = [values.flatten(1, 2)[:, part].index_select(0, pair) for values, pair in sides]
            return torch.cat(flat)

        points = select(prediction.points_1, prediction.points_2).float().mT.contiguous()
        weight = log_weights(select(prediction.confidence_1, prediction.confidence_2))
        weight = weight.div_(self.pixels * len(self.graph))
        if len(members.number) > 1:  # a single frame's maps stand in order already
            order = (maps >= len(self.graph)).argsort(stable=True).argsort()
            points, weight = points[order], weight[order] * members.own.flatten()[:, None]
        shape = members.number.shape
        return SpanMaps(members.number, points.unflatten(0, shape), weight.unflatten(0, shape))

    def total_weight(self) -> float:
        """Sum of the weights of all distances."""
        parts = (self.prediction.confidence_1, self.prediction.confidence_2)
        means = [log_weights(confidence).mean(dtype=torch.float64) for confidence in parts]
        return float(sum(means))

    def placed(self, state: State) -> tuple[Float64[Tensor, "maps 3 3"], Float64[Tensor, "maps 3"]]:
        """From each map's own frame to the camera of the frame it shows: linear part, shift."""
        to_camera = state.rotation[self.frame].mT
        pair = state.pair
        linear = pair.scale[self.pair, None, None] * (to_camera @ pair.rotation[self.pair])
        shift = pair.translation[self.pair] - state.centre[self.frame]
        return linear, (to_camera @ shift[..., None])[..., 0]
