"""Lens distortion, OpenCV's radial-tangential (or rational) model, and undoing it.

OpenCV is imported where it is used: planning videos without distortion does not need it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, Shaped

Interpolation = Literal["nearest", "linear", "cubic"]
_OUTSIDE = -2.0  # a source pixel that is none
_RADII = 4096
_FIXED_POINT_STEPS = 100
_EXACT_PX = 1e-9


@dataclass(frozen=True)
class Distortion:
    """The distortion of one lens, in pixels of the upright source; pixel centres at integers.

    Undistorted images keep the size, the focal and the principal point. Where they show what the
    source does not, they are black.

    Attributes:
        model: its name in the file.
        matrix: fx, fy, cx, cy.
        coefficients: k1, k2, p1, p2, then k3, then k4, k5, k6: 4, 5 or 8 of them.
        size: width and height of the images.
    """

    model: str
    matrix: tuple[float, float, float, float]
    coefficients: tuple[float, ...]
    size: tuple[int, int]

    def undistort(
        self, image: Shaped[np.ndarray, "height width *channels"], interpolation: Interpolation
    ) -> Shaped[np.ndarray, "height width *channels"]:
        """The image that a pinhole of the same focal and principal point would have given.

        Args:
            image: uint8 or float32, of `size`.
            interpolation: `nearest` for masks.

        Raises:
            ValueError: the image is of another size.
        """
        if image.shape[1::-1] != self.size:
            raise ValueError(f"image of {image.shape[1::-1]}, the lens is of {self.size}")
        import cv2

        kinds: dict[Interpolation, int] = {
            "nearest": cv2.INTER_NEAREST,
            "linear": cv2.INTER_LINEAR,
            "cubic": cv2.INTER_CUBIC,
        }
        x, y = self._maps
        undistorted: np.ndarray = cv2.remap(
            image, x, y, kinds[interpolation], borderMode=cv2.BORDER_CONSTANT
        )
        return undistorted

    def distort_points(
        self, points: Float64[np.ndarray, "points 2"]
    ) -> Float64[np.ndarray, "points 2"]:
        """Where the source shows what undistorted images show at pixels (x, y)."""
        if not len(points):
            return points
        import cv2

        fx, fy, cx, cy = self.matrix
        rays = np.concatenate([(points - (cx, cy)) / (fx, fy), np.ones((len(points), 1))], axis=1)
        nowhere = np.zeros(3)
        pixels, _ = cv2.projectPoints(
            rays, nowhere, nowhere, self._matrix, np.array(self.coefficients)
        )
        return np.asarray(pixels, np.float64).reshape(-1, 2)

    def undistort_points(
        self, points: Float64[np.ndarray, "points 2"]
    ) -> Float64[np.ndarray, "points 2"]:
        """Where pixels (x, y) of the source are in undistorted images: `distort_points` inverse."""
        undistorted = points
        for _ in range(_FIXED_POINT_STEPS):
            change = points - self.distort_points(undistorted)
            undistorted = undistorted + change
            if np.abs(change).max(initial=0) < _EXACT_PX:
                break
        return undistorted

    @property
    def _matrix(self) -> Float64[np.ndarray, "3 3"]:
        fx, fy, cx, cy = self.matrix
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float64)

    @cached_property
    def _maps(
        self,
    ) -> tuple[Float32[np.ndarray, "height width"], Float32[np.ndarray, "height width"]]:
        """x and y of the source pixel that each undistorted one shows."""
        import cv2

        matrix, coefficients = self._matrix, np.array(self.coefficients)
        maps = cv2.initUndistortRectifyMap(
            matrix, coefficients, None, matrix, self.size, cv2.CV_32FC1
        )
        # Far out a polynomial may turn back, and would show the middle of the picture again.
        turned = self._radius() >= self._largest_radius()
        x, y = (np.where(turned, np.float32(_OUTSIDE), one) for one in maps)
        return x, y

    def _radius(self) -> Float64[np.ndarray, "height width"]:
        """Distance of undistorted pixels from the axis, at depth 1."""
        (width, height), (fx, fy, cx, cy) = self.size, self.matrix
        return np.hypot((np.arange(width) - cx) / fx, ((np.arange(height) - cy) / fy)[:, None])

    def _largest_radius(self) -> float:
        """Up to which the distorted radius grows with the undistorted one."""
        radius = np.linspace(0, float(self._radius().max()), _RADII)
        k = np.zeros(8)
        k[: len(self.coefficients)] = self.coefficients
        k1, k2, _, _, k3, k4, k5, k6 = k
        square = radius**2
        above = 1 + square * (k1 + square * (k2 + square * k3))
        below = 1 + square * (k4 + square * (k5 + square * k6))
        turns = np.flatnonzero(np.diff(radius * above / below) <= 0)
        return float(radius[turns[0]]) if len(turns) else float("inf")
