"""Kinds of solid: where a ray enters them, and their normals, in axes in which they fill [-1, 1]^3.

Rays are `start + along * reach`, start outside of the shape, and come coordinate first (3 x rays).
"""

from collections.abc import Callable
from enum import IntEnum

import torch
from jaxtyping import Float32
from torch import Tensor

from easi3r.synthetic.vectors import dot, main_axis

Vectors = Float32[Tensor, "3 rays"]
Reach = Float32[Tensor, " rays"]


class Shape(IntEnum):
    """Kinds of solid; what is round is so about the y axis."""

    BOX = 0
    ELLIPSOID = 1
    CYLINDER = 2
    CONE = 3  # its tip up, at -y
    CAPSULE = 4
    WEDGE = 5  # a ramp that rises towards +x
    TUBE = 6  # hollow, open at both ends
    OCTAHEDRON = 7
    PRISM = 8  # six-sided
    DOME = 9  # a paraboloid on its flat side


TRAINING_SHAPES = tuple(Shape(number) for number in range(Shape.OCTAHEDRON))
HELD_OUT_SHAPES = (Shape.OCTAHEDRON, Shape.PRISM, Shape.DOME)

_BORE = 0.72  # inner radius of a tube
_ROUND_END = 0.5  # share of a capsule's half length that each end takes

# Outward normals of polytopes that the planes normal . x = 1 bound.
_WEDGE = [[-1.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]
_WEDGE_OFFSETS = [0.0, 1.0, 1.0, 1.0, 1.0]
_OCTAHEDRON = [[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)]
_SIN_60 = 0.75**0.5
_PRISM = [
    [1.0, 0.0, 0.0],
    [-1.0, 0.0, 0.0],
    *([x, 0.0, z * _SIN_60] for x in (-0.5, 0.5) for z in (-1.0, 1.0)),
    [0.0, 1.0, 0.0],
    [0.0, -1.0, 0.0],
]
_PRISM_OFFSETS = [_SIN_60] * 6 + [1.0] * 2


def meet(shape: Shape, start: Vectors, along: Vectors) -> Reach:
    """Where each ray first meets the shape; infinite where it does not."""
    return _MEET[shape](start, along)


def normals(shape: Shape, points: Vectors) -> Vectors:
    """Outward normals, of any length, at points of the surface."""
    return _NORMAL[shape](points)


def _entered(enter: Reach, leave: Reach) -> Reach:
    return torch.where((enter <= leave) & (enter > 0) & (enter < torch.inf), enter, torch.inf)


def _slab(start: Reach, along: Reach, low: float, high: float) -> tuple[Reach, Reach]:
    """When a ray is between two planes across one axis."""
    a, b = (low - start) / along, (high - start) / along
    return torch.minimum(a, b), torch.maximum(a, b)


def _roots(a: Reach, b: Reach, c: Reach) -> tuple[Reach, Reach]:
    """Roots of a t^2 + 2 b t + c, ascending for a > 0; infinite where there are none."""
    inner = b * b - a * c
    root = inner.clamp(min=0).sqrt()
    miss = inner < 0
    first = torch.where(miss, torch.inf, (-b - root) / a)
    return first, torch.where(miss, torch.inf, (-b + root) / a)


def _round(start: Vectors, along: Vectors, radius: float = 1.0) -> tuple[Reach, Reach]:
    """Entry to and exit from an endless cylinder about y."""
    a = along[0] * along[0] + along[2] * along[2]
    b = start[0] * along[0] + start[2] * along[2]
    return _roots(a, b, start[0] * start[0] + start[2] * start[2] - radius**2)


def _meet_box(start: Vectors, along: Vectors) -> Reach:
    a, b = (-1 - start) / along, (1 - start) / along
    return _entered(torch.minimum(a, b).amax(dim=0), torch.maximum(a, b).amin(dim=0))


def _meet_ellipsoid(start: Vectors, along: Vectors) -> Reach:
    first, last = _roots(dot(along, along), dot(start, along), dot(start, start) - 1)
    return _entered(first, last)


def _meet_cylinder(start: Vectors, along: Vectors) -> Reach:
    enter, leave = _round(start, along)
    low, high = _slab(start[1], along[1], -1.0, 1.0)
    return _entered(torch.maximum(enter, low), torch.minimum(leave, high))


def _meet_tube(start: Vectors, along: Vectors) -> Reach:
    """The solid cylinder less its bore: a ray that enters through the bore may meet its wall."""
    enter, leave = _round(start, along)
    low, high = _slab(start[1], along[1], -1.0, 1.0)
    enter, leave = torch.maximum(enter, low), torch.minimum(leave, high)
    bore_enter, bore_leave = _round(start, along, _BORE)
    through_bore = (bore_enter < enter.clamp(min=0)) & (enter.clamp(min=0) < bore_leave)
    return _entered(torch.where(through_bore, bore_leave, enter), leave)


def _meet_cone(start: Vectors, along: Vectors) -> Reach:
    """x^2 + z^2 = ((y + 1) / 2)^2, between the tip at y = -1 and the base at y = 1."""
    slope, height = along[1] / 2, (start[1] + 1) / 2
    a = along[0] * along[0] + along[2] * along[2] - slope * slope
    b = start[0] * along[0] + start[2] * along[2] - height * slope
    one, other = _roots(a, b, start[0] * start[0] + start[2] * start[2] - height * height)
    base = (1 - start[1]) / along[1]
    on_base = (start + along * base)[[0, 2]].square().sum(0) <= 1
    best = torch.where(on_base & (base > 0), base, torch.inf)
    for reach in (one, other):
        y = start[1] + along[1] * reach
        best = torch.where((y.abs() <= 1) & (reach > 0) & (reach < best), reach, best)
    return best


def _meet_capsule(start: Vectors, along: Vectors) -> Reach:
    """The union of a cylinder and an ellipsoid at each of its ends."""
    enter, leave = _round(start, along)
    straight = 1 - _ROUND_END
    low, high = _slab(start[1], along[1], -straight, straight)
    best = _entered(torch.maximum(enter, low), torch.minimum(leave, high))
    for end in (-straight, straight):
        moved = torch.stack([start[0], (start[1] - end) / _ROUND_END, start[2]])
        turned = torch.stack([along[0], along[1] / _ROUND_END, along[2]])
        best = torch.minimum(best, _meet_ellipsoid(moved, turned))
    return best


def _meet_dome(start: Vectors, along: Vectors) -> Reach:
    """Under the paraboloid x^2 + z^2 = (y + 1) / 2, its top at y = -1, its base at y = 1."""
    a = along[0] * along[0] + along[2] * along[2]
    b = start[0] * along[0] + start[2] * along[2] - along[1] / 4
    c = start[0] * start[0] + start[2] * start[2] - (start[1] + 1) / 2
    enter, leave = _roots(a, b, c)
    low, high = _slab(start[1], along[1], -1.0, 1.0)
    return _entered(torch.maximum(enter, low), torch.minimum(leave, high))


def _meet_planes(normal: list[list[float]], offsets: list[float]) -> Callable[..., Reach]:
    """Of the convex polytope that lies behind all planes `normal . x = offset`."""

    def meet_polytope(start: Vectors, along: Vectors) -> Reach:
        enter = torch.full_like(start[0], -torch.inf)
        leave = torch.full_like(start[0], torch.inf)
        planes = start.new_tensor(normal)
        slack = start.new_tensor(offsets)[:, None] - planes @ start
        approach = planes @ along
        reach = slack / approach
        enter = torch.where(approach < 0, reach, -torch.inf).amax(0)
        leave = torch.where(approach > 0, reach, torch.inf).amin(0)
        outside = ((approach == 0) & (slack < 0)).any(0)
        return torch.where(outside, torch.inf, _entered(enter, leave))

    return meet_polytope


def _plane_normals(normal: list[list[float]], offsets: list[float]) -> Callable[..., Vectors]:
    """Of the plane that a point is nearest to."""

    def polytope_normals(points: Vectors) -> Vectors:
        planes = points.new_tensor(normal)
        nearest = (planes @ points - points.new_tensor(offsets)[:, None]).argmax(0)
        return planes[nearest].T

    return polytope_normals


def _box_normals(points: Vectors) -> Vectors:
    axis = main_axis(points)[None]
    return torch.zeros_like(points).scatter_(0, axis, points.gather(0, axis).sign())


def _radius(points: Vectors) -> Reach:
    return (points[0] * points[0] + points[2] * points[2]).sqrt()


def _side_or_cap(points: Vectors, side: Vectors, on_cap: Tensor) -> Vectors:
    cap = torch.zeros_like(points)
    cap[1] = points[1]
    return torch.where(on_cap, cap, side)


def _ellipsoid_normals(points: Vectors) -> Vectors:
    return points


def _cylinder_normals(points: Vectors) -> Vectors:
    side = torch.stack([points[0], torch.zeros_like(points[1]), points[2]])
    return _side_or_cap(points, side, points[1].abs() >= _radius(points))


def _tube_normals(points: Vectors) -> Vectors:
    radius = _radius(points)
    inside = radius < (1 + _BORE) / 2
    off_wall = torch.minimum((radius - 1).abs(), (radius - _BORE).abs())
    side = torch.stack([points[0], torch.zeros_like(points[1]), points[2]])
    side = torch.where(inside, -side, side)
    return _side_or_cap(points, side, 1 - points[1].abs() < off_wall)


def _cone_normals(points: Vectors) -> Vectors:
    side = torch.stack([points[0], -(points[1] + 1) / 4, points[2]])
    off_side = ((points[1] + 1) / 2 - _radius(points)).abs()
    return _side_or_cap(points, side, 1 - points[1] < off_side)


def _capsule_normals(points: Vectors) -> Vectors:
    beyond = points[1].abs() - (1 - _ROUND_END)
    end = beyond.clamp(min=0) * points[1].sign() / _ROUND_END**2
    return torch.stack([points[0], end, points[2]])


def _dome_normals(points: Vectors) -> Vectors:
    side = torch.stack([points[0], torch.full_like(points[1], -0.25), points[2]])
    off_side = ((points[1] + 1) / 2 - _radius(points).square()).abs()
    return _side_or_cap(points, side, 1 - points[1] < off_side)


_MEET = {
    Shape.BOX: _meet_box,
    Shape.ELLIPSOID: _meet_ellipsoid,
    Shape.CYLINDER: _meet_cylinder,
    Shape.CONE: _meet_cone,
    Shape.CAPSULE: _meet_capsule,
    Shape.WEDGE: _meet_planes(_WEDGE, _WEDGE_OFFSETS),
    Shape.TUBE: _meet_tube,
    Shape.OCTAHEDRON: _meet_planes(_OCTAHEDRON, [1.0] * 8),
    Shape.PRISM: _meet_planes(_PRISM, _PRISM_OFFSETS),
    Shape.DOME: _meet_dome,
}
_NORMAL = {
    Shape.BOX: _box_normals,
    Shape.ELLIPSOID: _ellipsoid_normals,
    Shape.CYLINDER: _cylinder_normals,
    Shape.CONE: _cone_normals,
    Shape.CAPSULE: _capsule_normals,
    Shape.WEDGE: _plane_normals(_WEDGE, _WEDGE_OFFSETS),
    Shape.TUBE: _tube_normals,
    Shape.OCTAHEDRON: _plane_normals(_OCTAHEDRON, [1.0] * 8),
    Shape.PRISM: _plane_normals(_PRISM, _PRISM_OFFSETS),
    Shape.DOME: _dome_normals,
}
