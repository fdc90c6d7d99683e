"""Ray casting: the first surface that each ray of some frames meets."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from easi3r.synthetic.scene import Scene, Shape, Solid

ROOM_FACES = 6


@dataclass(frozen=True)
class Hits:
    """Where rays end. Rays are those of `frames` x height x width, flattened.

    Attributes:
        depth: z in the camera, metres.
        surface: 0..5 a face of the room, 6 + k solid k.
        local: the point in the surface's own axes (the room's, for the room), metres.
        local_normal: outward from the solid, inward from the room, in the same axes.
        normal: the same in room axes.
    """

    depth: Float32[Tensor, " rays"]
    surface: Int64[Tensor, " rays"]
    local: Float32[Tensor, "rays 3"]
    local_normal: Float32[Tensor, "rays 3"]
    normal: Float32[Tensor, "rays 3"]


@dataclass(frozen=True)
class Rays:
    """Rays of some frames in room axes; directions have z = 1 in the camera, so length is depth."""

    origin: Float32[Tensor, "frames 3"]
    direction: Float32[Tensor, "frames height width 3"]


def camera_rays(scene: Scene) -> Rays:
    """One ray through every pixel centre of every frame of the scene."""
    settings = scene.settings
    focal = scene.intrinsics[0, 0]
    x = (torch.arange(settings.width, dtype=torch.float64) - settings.width / 2) / focal
    y = (torch.arange(settings.height, dtype=torch.float64) - settings.height / 2) / focal
    rotation = torch.from_numpy(scene.camera_to_room[:, None, None, :3, :3])
    direction = (
        rotation[..., 0] * x[:, None] + rotation[..., 1] * y[:, None, None] + rotation[..., 2]
    )
    return Rays(torch.from_numpy(scene.camera_to_room[:, :3, 3]).float(), direction.float())


def trace(scene: Scene) -> Hits:
    """First hit of every ray."""
    rays = camera_rays(scene)
    _, height, width, _ = rays.direction.shape
    pixels = height * width
    direction = rays.direction.reshape(-1, 3)
    origin = rays.origin.repeat_interleave(pixels, dim=0)
    depth, surface = _meet_room(scene, origin, direction)
    unit_points: list[tuple[Tensor, Tensor]] = []
    for index, solid in enumerate(scene.solids):
        near = _candidates(scene, solid, height, width)
        rotation, centre = _pose(solid)
        frame = near // pixels
        start = _turn_back(rotation, frame, origin[near] - centre[frame]) / _size(solid)
        along = _turn_back(rotation, frame, direction[near]) / _size(solid)
        reach = _MEET[solid.shape](start, along)
        closer = reach < depth[near]
        near, reach = near[closer], reach[closer]
        depth[near] = reach
        surface[near] = ROOM_FACES + index
        unit_points.append((near, start[closer] + along[closer] * reach[:, None]))
    return _describe(scene, origin, direction, depth, surface, unit_points, pixels)


def _describe(
    scene: Scene,
    origin: Tensor,
    direction: Tensor,
    depth: Tensor,
    surface: Tensor,
    unit_points: list[tuple[Tensor, Tensor]],
    pixels: int,
) -> Hits:
    """Points and normals at the hits; a solid keeps only the rays no later solid took from it."""
    local = origin + direction * depth[:, None]
    local_normal = torch.zeros_like(local)
    axis = (surface // 2).clamp(max=2)
    inward = 1.0 - 2.0 * (surface % 2).float()
    local_normal.scatter_(1, axis[:, None], inward[:, None])
    normal = local_normal.clone()
    for index, (solid, (near, unit)) in enumerate(zip(scene.solids, unit_points, strict=True)):
        kept = surface[near] == ROOM_FACES + index
        near, unit = near[kept], unit[kept]
        outward = _NORMAL[solid.shape](unit) / _size(solid)
        outward = torch.nn.functional.normalize(outward, dim=1)
        rotation, _ = _pose(solid)
        local[near] = unit * _size(solid)
        local_normal[near] = outward
        normal[near] = (rotation[near // pixels] @ outward[:, :, None])[:, :, 0]
    return Hits(depth, surface, local, local_normal, normal)


def _size(solid: Solid) -> Tensor:
    return torch.from_numpy(solid.half_size).float()


def _pose(solid: Solid) -> tuple[Tensor, Tensor]:
    pose = torch.from_numpy(solid.to_room).float()
    return pose[:, :3, :3], pose[:, :3, 3]


def _turn_back(rotation: Tensor, frame: Tensor, vectors: Tensor) -> Tensor:
    return (vectors[:, None, :] @ rotation[frame])[:, 0]


def _meet_room(scene: Scene, origin: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    low, high = torch.from_numpy(scene.room).float()
    forward = direction > 0
    wall = torch.where(forward, high, low)
    # A ray parallel to a pair of walls gives infinity or, from on the wall, nan: never first.
    reach = ((wall - origin) / direction).nan_to_num(nan=torch.inf)
    depth, axis = reach.min(dim=1)
    return depth, 2 * axis + forward.gather(1, axis[:, None])[:, 0]


def _candidates(scene: Scene, solid: Solid, height: int, width: int) -> Tensor:
    """Flat indices of the rays inside the image rectangle that bounds the solid's sphere."""
    radius = float(np.linalg.norm(solid.half_size))
    offset = solid.to_room[:, :3, 3] - scene.camera_to_room[:, :3, 3]
    centre = np.einsum("fji,fj->fi", scene.camera_to_room[:, :3, :3], offset)
    nearest, farthest = centre[:, 2] - radius, centre[:, 2] + radius
    masks = []
    for axis, count in ((1, height), (0, width)):
        low, high = centre[:, axis] - radius, centre[:, axis] + radius
        with np.errstate(divide="ignore", invalid="ignore"):
            first = np.minimum(low / nearest, low / farthest)
            last = np.maximum(high / nearest, high / farthest)
        around = nearest <= 1e-3  # the sphere reaches behind the camera: no bound on its image
        focal = scene.intrinsics[0, 0]
        first = np.where(around, -np.inf, first * focal + count / 2)
        last = np.where(around, np.inf, last * focal + count / 2)
        pixel = np.arange(count)
        inside = (pixel >= first[:, None]) & (pixel <= last[:, None])
        masks.append(inside & (farthest > 0)[:, None])
    window = masks[0][:, :, None] & masks[1][:, None, :]
    return torch.from_numpy(np.flatnonzero(window))


def _meet_box(start: Tensor, along: Tensor) -> Tensor:
    a, b = (-1 - start) / along, (1 - start) / along
    enter = torch.minimum(a, b).amax(dim=1)
    leave = torch.maximum(a, b).amin(dim=1)
    return torch.where((enter <= leave) & (enter > 0), enter, torch.inf)


def _roots(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Roots of a t^2 + 2 b t + c, ascending for a > 0; infinite where there are none."""
    inner = b * b - a * c
    root = inner.clamp(min=0).sqrt()
    miss = inner < 0
    first = torch.where(miss, torch.inf, (-b - root) / a)
    return first, torch.where(miss, torch.inf, (-b + root) / a)


def _meet_ellipsoid(start: Tensor, along: Tensor) -> Tensor:
    a, b = (along * along).sum(1), (start * along).sum(1)
    first, _ = _roots(a, b, (start * start).sum(1) - 1)
    return torch.where(first > 0, first, torch.inf)


def _meet_cylinder(start: Tensor, along: Tensor) -> Tensor:
    round_start, round_along = start[:, [0, 2]], along[:, [0, 2]]
    a, b = (round_along**2).sum(1), (round_start * round_along).sum(1)
    enter, leave = _roots(a, b, (round_start**2).sum(1) - 1)
    one, other = (-1 - start[:, 1]) / along[:, 1], (1 - start[:, 1]) / along[:, 1]
    enter = torch.maximum(enter, torch.minimum(one, other))
    leave = torch.minimum(leave, torch.maximum(one, other))
    hit = (enter <= leave) & (enter > 0) & enter.isfinite()
    return torch.where(hit, enter, torch.inf)


def _box_normal(unit: Tensor) -> Tensor:
    axis = unit.abs().argmax(dim=1, keepdim=True)
    return torch.zeros_like(unit).scatter_(1, axis, unit.gather(1, axis).sign())


def _ellipsoid_normal(unit: Tensor) -> Tensor:
    return unit


def _cylinder_normal(unit: Tensor) -> Tensor:
    on_cap = unit[:, 1].abs() >= unit[:, [0, 2]].norm(dim=1)
    side = unit * unit.new_tensor([1.0, 0.0, 1.0])
    cap = unit * unit.new_tensor([0.0, 1.0, 0.0])
    return torch.where(on_cap[:, None], cap, side)


_MEET = {
    Shape.BOX: _meet_box,
    Shape.ELLIPSOID: _meet_ellipsoid,
    Shape.CYLINDER: _meet_cylinder,
}
_NORMAL = {
    Shape.BOX: _box_normal,
    Shape.ELLIPSOID: _ellipsoid_normal,
    Shape.CYLINDER: _cylinder_normal,
}
