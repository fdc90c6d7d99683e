"""Clips for the alignment's benchmark: rendered scenes with errors like a network's."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Float64
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn.functional import interpolate

from easi3r.alignment import FlowTerm
from easi3r.attention import pair_graph
from easi3r.config import GraphSettings
from easi3r.geometry import invert_rigid, project, transform_points
from easi3r.synthetic import (
    CameraKind,
    CameraSettings,
    MoverSettings,
    RenderedClip,
    SceneSettings,
    render,
    sample_scene,
)
from easi3r.tensors import PairGraph, PairPrediction
from easi3r.types import OpticalFlow
from tests.golden.alignment import flow_term
from tests.golden.network import load

SMOOTH_ERROR, FINE_ERROR = 0.04, 0.008
"""Of distances along rays, relative: over the image, and from pixel to pixel."""

TURN_DEGREES, SHIFT = 0.7, 0.01
"""How far off a pair's second camera is; the shift in parts of the median depth."""

MOVER_ERROR = 0.15
"""How far off a mover's points are, coherently, in parts of the median depth."""

FLOW_ERROR_PX = 0.3


@dataclass(frozen=True)
class PairClip:
    """Named input of the alignment: pair graph, predictions, optical flow."""

    name: str
    graph: PairGraph
    prediction: PairPrediction
    flow: FlowTerm | None = None


@dataclass(frozen=True)
class ClipKind:
    """A kind of clip to render."""

    name: str
    frames: int
    height: int
    width: int
    window: int = 5
    movers: int = 0
    flow: bool = False
    camera: CameraKind = CameraKind.WANDER
    seed: int = 0


KINDS = (
    ClipKind("few frames, large", 4, 144, 256, seed=1),
    ClipKind("many frames, small", 24, 48, 64, seed=2),
    ClipKind("movers", 10, 72, 128, movers=3, camera=CameraKind.FOLLOW, seed=3),
    ClipKind("movers and flow", 10, 72, 128, movers=2, flow=True, seed=4),
    ClipKind("orbit, flow", 16, 48, 96, flow=True, camera=CameraKind.ORBIT, seed=5),
)


def golden_clip(path: Path) -> PairClip:
    """The predictions of a reference alignment (`align*.npz`), and its flow where it has one."""
    arrays = load(path)
    graph = PairGraph(arrays["edges"].astype(np.int64), len(arrays["gt_cam_to_world"]))
    names = ("pts3d_1", "pts3d_2_in_1", "conf_1", "conf_2")
    tensors = [torch.from_numpy(arrays[name].astype(np.float32)) for name in names]
    return PairClip(path.name, graph, PairPrediction(*tensors), flow_term(arrays))


def rendered_clip(kind: ClipKind) -> PairClip:
    """Render a scene and predict its pairs with errors."""
    settings = SceneSettings(
        frames=kind.frames,
        height=kind.height,
        width=kind.width,
        camera=CameraSettings(kinds=(kind.camera,)),
        movers=MoverSettings(visible=(kind.movers, kind.movers)),
    )
    scene = render(sample_scene(kind.seed, settings))
    graph = pair_graph(kind.frames, GraphSettings(window=kind.window))
    flow = noisy_flow(scene, graph, kind.seed) if kind.flow else None
    return PairClip(kind.name, graph, noisy_predictions(scene, graph, kind.seed), flow)


def noisy_predictions(scene: RenderedClip, graph: PairGraph, seed: int) -> PairPrediction:
    """Point maps in the first camera's frame, off as a network's are.

    Distances are off smoothly over the image and from pixel to pixel, more so far away; a second
    map also by a small motion of its camera; movers by a shift of their own. Every pair has a
    scale of its own. Confidences fall with the error, but not exactly.
    """
    random = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    middle = float(np.median(scene.depth))
    sides: tuple[list[Tensor], list[Tensor]] = ([], [])
    confidences: tuple[list[Tensor], list[Tensor]] = ([], [])
    for edge in graph.edges.tolist():
        size = np.exp(0.2 * random.standard_normal()) / middle
        to_first = invert_rigid(scene.camera_to_world[edge[0]])
        for side, frame in enumerate(edge):
            exact = transform_points(
                to_first, scene.point_map[frame].reshape(-1, 3).astype(np.float64)
            )
            if side:
                exact = exact @ _small_turn(random).T + SHIFT * middle * random.standard_normal(3)
            error = _distance_error(scene.depth[frame] / middle, generator)
            points = exact * (1 + error.flatten()[:, None])
            moving = scene.dynamic_mask[frame].ravel()
            points[moving] += MOVER_ERROR * middle * random.standard_normal(3)
            doubt = np.abs(error) + MOVER_ERROR * scene.dynamic_mask[frame]
            confidence = 1 + 6 * np.exp(-doubt / 0.05 + 0.3 * random.standard_normal(error.shape))
            sides[side].append(
                torch.from_numpy((size * points).reshape(*error.shape, 3).astype(np.float32))
            )
            confidences[side].append(torch.from_numpy(confidence.astype(np.float32)))
    tensors = [torch.stack(part) for part in (*sides, *confidences)]
    return PairPrediction(*tensors)


def noisy_flow(scene: RenderedClip, graph: PairGraph, seed: int) -> FlowTerm:
    """Flow that depths and cameras induce, blurred by errors; what leaves the image is not
    marked as consistent."""
    random = np.random.default_rng(seed)
    height, width = scene.depth.shape[1:]
    place = np.stack(np.mgrid[:height, :width][::-1], axis=-1)
    flows, inside = [], []
    for first, second in graph.edges.tolist():
        world = scene.point_map[first].reshape(-1, 3).astype(np.float64)
        seen = transform_points(invert_rigid(scene.camera_to_world[second]), world)
        landing = project(seen, scene.intrinsics[second]).reshape(height, width, 2)
        within = ((landing >= 0) & (landing <= (width - 1, height - 1))).all(-1)
        inside.append(within & (seen[:, 2].reshape(height, width) > 0))
        flows.append(landing - place + FLOW_ERROR_PX * random.standard_normal(landing.shape))
    flow = np.nan_to_num(np.stack(flows)).clip(-2 * width, 2 * width).astype(np.float32)
    return FlowTerm(OpticalFlow(graph.edges, flow, np.stack(inside)), ~scene.dynamic_mask)


def _small_turn(random: np.random.Generator) -> Float64[np.ndarray, "3 3"]:
    turn = np.radians(TURN_DEGREES) * random.standard_normal(3)
    return Rotation.from_rotvec(turn).as_matrix()


def _distance_error(
    depth: Float32[np.ndarray, "height width"], generator: torch.Generator
) -> Float64[np.ndarray, "height width"]:
    coarse = torch.randn(1, 1, 4, 6, generator=generator, dtype=torch.float64)
    smooth = interpolate(coarse, depth.shape, mode="bicubic", align_corners=True)[0, 0].numpy()
    fine = torch.randn(depth.shape, generator=generator, dtype=torch.float64).numpy()
    return (SMOOTH_ERROR * smooth + FINE_ERROR * fine) * np.clip(depth, 0.5, 3.0)
