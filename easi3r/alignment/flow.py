"""Optical flow for the alignment: an estimator's protocol, OpenCV's DIS flow, and the term."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from easi3r.tensors import PairGraph


@runtime_checkable
class FlowEstimator(Protocol):
    """Anything that says where each pixel of image a is in image b."""

    def __call__(
        self,
        image_a: UInt8[np.ndarray, "height width 3"],
        image_b: UInt8[np.ndarray, "height width 3"],
    ) -> Float32[np.ndarray, "height width 2"]:
        """Flow in pixels, (x, y): pixel p of a is at p + flow[p] in b."""
        ...


@dataclass(frozen=True)
class DISFlow:
    """OpenCV's dense inverse search (Kroeger et al., ECCV 2016), medium preset; needs no weights.

    Attributes:
        min_side_px: smaller images are enlarged to it before the search, whose coarsest level
            finds nothing in them.
    """

    min_side_px: int = 128

    def __call__(
        self,
        image_a: UInt8[np.ndarray, "height width 3"],
        image_b: UInt8[np.ndarray, "height width 3"],
    ) -> Float32[np.ndarray, "height width 2"]:
        height, width = image_a.shape[:2]
        factor = max(1.0, self.min_side_px / min(height, width))
        size = (round(width * factor), round(height * factor))
        grey = [
            cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_CUBIC)
            for image in (image_a, image_b)
        ]
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        flow = search.calc(grey[0], grey[1], np.zeros((*grey[0].shape, 2), np.float32))
        flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
        return flow * np.array([width / size[0], height / size[1]], np.float32)


@dataclass(frozen=True)
class FlowTerm:
    """Flow between frames, and where it may be trusted to come from the camera alone.

    Attributes:
        edges: (from, to) of each flow.
        flow: pixels, (x, y).
        static: True where nothing moves; only these pixels of a flow's first frame take part.
    """

    edges: Int64[np.ndarray, "flows 2"]
    flow: Float32[np.ndarray, "flows height width 2"]
    static: Bool[np.ndarray, "frames height width"]


def estimate_flow(
    images: UInt8[np.ndarray, "frames height width 3"],
    dynamic_masks: Bool[np.ndarray, "frames height width"],
    graph: PairGraph,
    estimator: FlowEstimator,
) -> FlowTerm:
    """The flow term of a clip: one flow for each directed pair of its graph.

    Args:
        dynamic_masks: True where something moves; those pixels are left out.
    """
    flows = [estimator(images[first], images[second]) for first, second in graph.edges]
    return FlowTerm(graph.edges, np.stack(flows).astype(np.float32), ~dynamic_masks)
