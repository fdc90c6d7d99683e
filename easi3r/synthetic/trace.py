"""Ray casting: the first surface that each ray of some instants meets."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from easi3r.synthetic.materials import ROOM_FACES
from easi3r.synthetic.scene import Scene
from easi3r.synthetic.shapes import Shape, meet, normals
from easi3r.synthetic.vectors import unit

_NEAR = 1e-2  # metres in front of the camera, from which on images are bounded
_CORNERS = np.array([[x, y, z, 1.0] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])


@dataclass(frozen=True)
class Hits:
    """Where rays end. Rays are those of `instants` x height x width, flattened.

    Attributes:
        depth: z in the camera, metres.
        surface: 0..5 a face of the room, then structures, then solids, in the scene's order.
        local: the point in the surface's own axes (the room's, for the room), metres.
        local_normal: outward from the solid, inward from the room, in the same axes.
        normal: unit normal in room axes.
        direction: of the ray in room axes, as long as makes z = 1 in the camera.
        origin: the camera's place in the room, per instant.
        enlargement: metres in the room for each in the surface's own axes.
    """

    depth: Float32[Tensor, " rays"]
    surface: Int64[Tensor, " rays"]
    local: Float32[Tensor, "3 rays"]
    local_normal: Float32[Tensor, "3 rays"]
    normal: Float32[Tensor, "3 rays"]
    direction: Float32[Tensor, "3 rays"]
    origin: Float32[Tensor, "instants 3"]
    enlargement: Float32[Tensor, " rays"]


@dataclass(frozen=True)
class _ShapeHits:
    """Rays of which one shape is the first hit so far; `place` is solid x instants + instant."""

    shape: Shape
    ray: Int64[Tensor, " rays"]
    place: Int64[Tensor, " rays"]
    point: Float32[Tensor, "3 rays"]


def trace(scene: Scene, times: Float64[np.ndarray, " instants"], device: torch.device) -> Hits:
    """First hit of every ray through a pixel's centre at each of the instants."""
    pose = scene.camera.at(times)
    origin = torch.from_numpy(pose[:, :3, 3]).float().to(device)
    direction = _directions(scene, pose, device)
    pixels = scene.settings.height * scene.settings.width
    depth, surface = _meet_room(scene, origin.T.repeat_interleave(pixels, dim=1), direction)
    solids = scene.structures + scene.solids
    to_room = np.stack([s.to_room(times) for s in solids]) if solids else np.zeros((0, 1, 4, 4))
    hits_by_shape = []
    for shape in sorted({solid.shape for solid in solids}):
        members = np.flatnonzero([solid.shape is shape for solid in solids])
        half_sizes = np.stack([solids[k].half_size for k in members])
        hits_by_shape += _meet_shape(
            scene, shape, members, pose, to_room[members], half_sizes, depth, surface
        )
    return _describe(scene, pose, to_room, origin, direction, depth, surface, hits_by_shape)


def _directions(scene: Scene, pose: np.ndarray, device: torch.device) -> Tensor:
    x, y = _pixel_rays(scene, device)
    rotation = (
        torch.from_numpy(pose[:, :3, :3]).float().to(device).permute(1, 2, 0)[..., None, None]
    )
    across, down, forward = rotation[:, 0], rotation[:, 1], rotation[:, 2]
    return (across * x + down * y[:, None] + forward).reshape(3, -1)


def _pixel_rays(scene: Scene, device: torch.device) -> tuple[Tensor, Tensor]:
    """x of every column and y of every row at z = 1."""
    focal = scene.intrinsics[0, 0]
    width, height = scene.settings.width, scene.settings.height
    x = (torch.arange(width, dtype=torch.float64) - width / 2) / focal
    y = (torch.arange(height, dtype=torch.float64) - height / 2) / focal
    return x.float().to(device), y.float().to(device)


def _meet_room(scene: Scene, origin: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    low, high = torch.from_numpy(scene.room).float().to(direction.device)
    forward = direction > 0
    wall = torch.where(forward, high[:, None], low[:, None])
    reach = (wall - origin) / direction
    # A ray parallel to a pair of walls gives plus or minus infinity or nan: never first.
    depth, axis = torch.where(reach > 0, reach, torch.inf).min(dim=0)
    return depth, 2 * axis + forward.gather(0, axis[None])[0]


def _meet_shape(
    scene: Scene,
    shape: Shape,
    members: np.ndarray,
    pose: np.ndarray,
    to_room: np.ndarray,
    half_sizes: np.ndarray,
    depth: Tensor,
    surface: Tensor,
) -> list[_ShapeHits]:
    """Brings `depth` and `surface` up to date with all solids of one shape."""
    device = depth.device
    height, width = scene.settings.height, scene.settings.width
    instants = len(pose)
    unit_to_camera = np.linalg.inv(pose) @ to_room
    unit_to_camera[..., :3, :3] *= half_sizes[:, None, None, :]
    windows = _windows(scene, unit_to_camera.reshape(-1, 4, 4))
    seen = np.flatnonzero((windows[:, 1] > windows[:, 0]) & (windows[:, 3] > windows[:, 2]))
    if not len(seen):
        return []
    windows = windows[seen]
    camera_to_unit = np.linalg.inv(unit_to_camera.reshape(-1, 4, 4)[seen])
    maps = torch.from_numpy(camera_to_unit).float().to(device)
    rows, window, columns, span = _window_rows(windows, device)
    x, y = _pixel_rays(scene, device)
    # A row of a window shares all but one term of its rays: only the last is spread over pixels.
    row_along = maps[window, :3, 1].T * y[rows] + maps[window, :3, 2].T
    step = torch.repeat_interleave(span)
    first = span.cumsum(0) - span
    column = torch.arange(len(step), device=device) - (first - columns)[step]
    along = maps[window, :3, 0].T[:, step] * x[column] + row_along[:, step]
    start = maps[window, :3, 3].T[:, step]
    place = torch.from_numpy((members[:, None] * instants + np.arange(instants)).reshape(-1)[seen])
    place = place.to(device)[window]
    ray = ((place % instants * height + rows) * width)[step] + column
    reach = meet(shape, start, along)
    closer = (reach < depth[ray]).nonzero()[:, 0]
    ray, reach = ray[closer], reach[closer]
    depth.scatter_reduce_(0, ray, reach, "amin")
    first_hit = (reach == depth[ray]).nonzero()[:, 0]
    nearest = closer[first_hit]
    ray, reach = ray[first_hit], reach[first_hit]
    place = place[step[nearest]]
    surface[ray] = ROOM_FACES + place // instants
    return [_ShapeHits(shape, ray, place, start[:, nearest] + along[:, nearest] * reach)]


def _windows(scene: Scene, unit_to_camera: np.ndarray) -> np.ndarray:
    """First and one past the last row, then column, of the images' bounding rectangles."""
    corners = _CORNERS @ unit_to_camera[:, :3].transpose(0, 2, 1)
    z = corners[..., 2]
    around = z.min(axis=1) < _NEAR  # reaches behind the camera: no bound on its image
    behind = z.max(axis=1) < _NEAR
    limits = []
    for axis, count in ((1, scene.settings.height), (0, scene.settings.width)):
        pixel = corners[..., axis] / np.maximum(z, _NEAR) * scene.intrinsics[0, 0] + count / 2
        first = np.where(around, 0, np.ceil(pixel.min(axis=1) - 1e-3).clip(0, count))
        last = np.where(around, count, (np.floor(pixel.max(axis=1) + 1e-3) + 1).clip(0, count))
        limits += [first, np.where(behind, first, last)]
    return np.stack(limits, axis=1).astype(np.int64)


def _window_rows(
    windows: np.ndarray, device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For every row of every window: the row, its window, its first column and its length."""
    tall = windows[:, 1] - windows[:, 0]
    window = np.repeat(np.arange(len(windows)), tall)
    row = np.arange(len(window)) - np.repeat(tall.cumsum() - tall - windows[:, 0], tall)
    span = (windows[:, 3] - windows[:, 2])[window]
    parts = (row, window, windows[window, 2], span)
    return tuple(torch.from_numpy(part).to(device) for part in parts)  # type: ignore[return-value]


def _describe(
    scene: Scene,
    pose: np.ndarray,
    to_room: np.ndarray,
    origin: Tensor,
    direction: Tensor,
    depth: Tensor,
    surface: Tensor,
    hits_by_shape: list[_ShapeHits],
) -> Hits:
    """Points and normals at the hits; a shape keeps only the rays no later shape took from it."""
    pixels = scene.settings.height * scene.settings.width
    local = origin.T.repeat_interleave(pixels, dim=1) + direction * depth
    local_normal = torch.zeros_like(local)
    axis = (surface // 2).clamp(max=2)
    inward = 1.0 - 2.0 * (surface % 2).float()
    local_normal.scatter_(0, axis[None], inward[None])
    normal = local_normal.clone()
    enlargement = torch.ones_like(depth)
    instants = len(pose)
    solids = scene.structures + scene.solids
    linear = to_room[..., :3, :3].reshape(-1, 3, 3)
    turned = torch.from_numpy(np.linalg.inv(linear)).float().to(depth.device)
    factor = torch.from_numpy(np.cbrt(np.linalg.det(linear))).float().to(depth.device)
    sizes = np.stack([s.half_size for s in solids]) if solids else np.zeros((0, 3))
    half_sizes = torch.from_numpy(sizes).float().to(depth.device)
    for hits in hits_by_shape:
        nearest = (surface[hits.ray] == ROOM_FACES + hits.place // instants).nonzero()[:, 0]
        ray, place, point = hits.ray[nearest], hits.place[nearest], hits.point[:, nearest]
        size = half_sizes[place // instants].T
        outward = unit(normals(hits.shape, point) / size)
        local[:, ray] = point * size
        local_normal[:, ray] = outward
        in_room = torch.einsum("pji,jp->ip", turned[place], outward)
        normal[:, ray] = unit(in_room)
        enlargement[ray] = factor[place]
    return Hits(depth, surface, local, local_normal, normal, direction, origin, enlargement)
