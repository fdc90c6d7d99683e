"""The pinhole camera on numpy arrays (docs/method.md §6): pixel centres are integers."""

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from easi3r.geometry.rigid import transform_points


def centred_intrinsics(focal_px: float, width: int, height: int) -> Float64[np.ndarray, "3 3"]:
    """Intrinsics with one focal length and the principal point at (width/2, height/2)."""
    return np.array([[focal_px, 0, width / 2], [0, focal_px, height / 2], [0, 0, 1]], np.float64)


def pixel_grid(height: int, width: int) -> Float64[np.ndarray, "height width 2"]:
    """(x, y) of every pixel centre: integers, the top left pixel is (0, 0)."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x, y], axis=-1).astype(np.float64)


def backproject(
    depth: Float[np.ndarray, "*batch height width"], intrinsics: Float[np.ndarray, "*batch 3 3"]
) -> Float64[np.ndarray, "*batch height width 3"]:
    """Points in the camera's frame of a depth map (z): `X = (x - cx) z / fx`, likewise Y."""
    height, width = depth.shape[-2:]
    focal = intrinsics[..., [0, 1], [0, 1]][..., None, None, :]
    centre = intrinsics[..., :2, 2][..., None, None, :]
    lateral = (pixel_grid(height, width) - centre) / focal * depth[..., None]
    return np.concatenate([lateral, depth[..., None].astype(np.float64)], axis=-1)


def project(
    points: Float[np.ndarray, "*batch points 3"], intrinsics: Float[np.ndarray, "*batch 3 3"]
) -> Float64[np.ndarray, "*batch points 2"]:
    """Pixels (x, y) of points in the camera's frame; z must not be 0.

    Points behind the camera get the pixel of their mirror image: test z > 0 where it matters.
    """
    focal = intrinsics[..., [0, 1], [0, 1]][..., None, :]
    centre = intrinsics[..., :2, 2][..., None, :]
    return points[..., :2] / points[..., 2:] * focal + centre


def transform_intrinsics(
    intrinsics: Float[np.ndarray, "*batch 3 3"], image_map: Float[np.ndarray, "3 3"]
) -> Float64[np.ndarray, "*batch 3 3"]:
    """Intrinsics after an affine map of the image: `new pixel ~ image_map @ (x, y, 1)`.

    With a resize and crop (`Frames.source_to_stored`) the result stays a pinhole without skew.
    """
    return image_map.astype(np.float64) @ intrinsics


def source_pixels(
    source_to_stored: Float64[np.ndarray, "3 3"],
    height: int,
    width: int,
    source_shape: tuple[int, ...],
) -> tuple[Int64[np.ndarray, "height width"], Int64[np.ndarray, "height width"]]:
    """Row and column of the source pixel nearest to each stored pixel.

    Args:
        source_shape: height and width of the source.
    """
    position = _in_source(source_to_stored, height, width)
    limits = (source_shape[1] - 1, source_shape[0] - 1)
    nearest = np.clip(np.rint(position), 0, limits).astype(np.int64)
    return nearest[..., 1], nearest[..., 0]


def on_picture(
    source_to_stored: Float64[np.ndarray, "3 3"],
    height: int,
    width: int,
    source_shape: tuple[int, ...],
) -> Bool[np.ndarray, "height width"]:
    """True where a stored pixel's centre lies on the source's picture, False in padding.

    Args:
        source_shape: height and width of the source.
    """
    position = _in_source(source_to_stored, height, width)
    limits = np.array([source_shape[1], source_shape[0]]) - 0.5
    inside = (position > -0.5) & (position < limits)
    return inside[..., 0] & inside[..., 1]


def _in_source(
    source_to_stored: Float64[np.ndarray, "3 3"], height: int, width: int
) -> Float64[np.ndarray, "height width 2"]:
    """(x, y) of every stored pixel's centre, in pixels of the source."""
    stored = pixel_grid(height, width)
    homogeneous = np.concatenate([stored, np.ones((height, width, 1))], axis=-1)
    source: Float64[np.ndarray, "height width 3"] = homogeneous @ np.linalg.inv(source_to_stored).T
    return source[..., :2]


def world_point_map(
    depth: Float[np.ndarray, "*batch height width"],
    intrinsics: Float[np.ndarray, "*batch 3 3"],
    camera_to_world: Float[np.ndarray, "*batch 4 4"],
) -> Float64[np.ndarray, "*batch height width 3"]:
    """World coordinates of each pixel: the stored point map is exactly this."""
    points = backproject(depth, intrinsics)
    flat = points.reshape(*depth.shape[:-2], -1, 3)
    return transform_points(camera_to_world, flat).reshape(points.shape)


def fill_world_planes(
    planes: Float[np.ndarray, "frames 3 height width"],
    depth: Float[np.ndarray, "frames height width"],
    intrinsics: Float[np.ndarray, "frames 3 3"],
    camera_to_world: Float[np.ndarray, "frames 4 4"],
) -> None:
    """`world_point_map` into preallocated planes of x, y and z: many times faster.

    A ray is the sum of what its column and what its row give, so no ray is ever stored. In the
    precision of `planes`; in float32 a coordinate is off by less than
    `2**-22 * (depth * (|column's part| + |row's part|) + |translation|)`.

    Args:
        planes: overwritten, float32 or float64.
        intrinsics: without skew.
    """
    height, width = depth.shape[1:]
    for plane, frame_depth, camera, pose in zip(
        planes, depth, intrinsics, camera_to_world, strict=True
    ):
        x = (np.arange(width) - camera[0, 2]) / camera[0, 0]
        y = (np.arange(height) - camera[1, 2]) / camera[1, 1]
        for axis in range(3):
            of_column = (pose[axis, 0] * x + pose[axis, 2]).astype(planes.dtype)
            of_row = (pose[axis, 1] * y).astype(planes.dtype)
            np.add(of_column, of_row[:, None], out=plane[axis])
            plane[axis] *= frame_depth
            plane[axis] += planes.dtype.type(pose[axis, 3])
