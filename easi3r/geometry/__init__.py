"""Cameras and transforms: what a pixel sees, where a camera stands, how point sets register.

The names exported here work on numpy arrays and import no torch, so that reading a store stays
light. Their torch counterparts are in `easi3r.geometry.tensor_cameras` (rays, back-projection),
`easi3r.geometry.rotations` and `easi3r.geometry.similarity` (registration, in closed form);
`easi3r.geometry.trajectory` measures camera paths with the latter.
"""

from easi3r.geometry.cameras import (
    backproject,
    centred_intrinsics,
    fill_world_planes,
    on_picture,
    pixel_grid,
    project,
    source_pixels,
    transform_intrinsics,
    world_point_map,
)
from easi3r.geometry.rigid import invert_rigid, require_poses, transform_points

__all__ = [
    "backproject",
    "centred_intrinsics",
    "fill_world_planes",
    "invert_rigid",
    "on_picture",
    "pixel_grid",
    "project",
    "require_poses",
    "source_pixels",
    "transform_intrinsics",
    "transform_points",
    "world_point_map",
]
