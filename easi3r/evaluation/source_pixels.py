"""Between the pixels of a source and those that an annotation stores, by the nearest pixel.

Nearest, because a mask or a depth averaged over an edge belongs to neither side.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from easi3r.geometry import pixel_grid

_ROUNDING = 1e-6  # pixels


@dataclass(frozen=True)
class PixelLookup:
    """For every pixel of one image the nearest pixel of another.

    Attributes:
        rows, columns: of the other image; of some pixel of it where `inside` is False.
        inside: whether the other image shows that place at all.
    """

    rows: Int64[np.ndarray, "height width"]
    columns: Int64[np.ndarray, "height width"]
    inside: Bool[np.ndarray, "height width"]

    def __call__(
        self, image: Shaped[np.ndarray, "rows columns"], outside: int = 0
    ) -> Shaped[np.ndarray, "height width"]:
        """The other image at these pixels; `outside` where it does not show them."""
        values = image[self.rows, self.columns]
        values[~self.inside] = outside
        return values

    @classmethod
    def to_stored(
        cls,
        source_to_stored: Float64[np.ndarray, "3 3"],
        source_size: tuple[int, int],
        stored_size: tuple[int, int],
    ) -> "PixelLookup":
        """For every source pixel the nearest stored one; outside lies what the crop lost.

        Args:
            source_size, stored_size: (height, width) in pixels.
        """
        return cls._of(source_to_stored, source_size, stored_size)

    @classmethod
    def to_source(
        cls,
        source_to_stored: Float64[np.ndarray, "3 3"],
        source_size: tuple[int, int],
        stored_size: tuple[int, int],
        image_size: tuple[int, int],
    ) -> "PixelLookup":
        """For every stored pixel the nearest one of an image that shows what the source shows.

        Args:
            source_size, stored_size: (height, width) in pixels.
            image_size: (height, width) of that image: a depth image may have another size than
                the colour image beside it.
        """
        (height, width), (rows, columns) = source_size, image_size
        x, y = columns / width, rows / height
        # Both cover the same picture: pixel centres are half a pixel from its border.
        scale = np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])
        return cls._of(scale @ np.linalg.inv(source_to_stored), stored_size, image_size)

    @classmethod
    def _of(
        cls,
        here_to_there: Float64[np.ndarray, "3 3"],
        here: tuple[int, int],
        there: tuple[int, int],
    ) -> "PixelLookup":
        pixels = pixel_grid(*here)
        places = pixels @ here_to_there[:2, :2].T + here_to_there[:2, 2]
        # Halves are rounded up, rounding errors and all: no pixel is drawn twice for another.
        columns, rows = np.moveaxis(np.floor(places + 0.5 + _ROUNDING).astype(np.int64), -1, 0)
        inside = (rows >= 0) & (rows < there[0]) & (columns >= 0) & (columns < there[1])
        return cls(np.clip(rows, 0, there[0] - 1), np.clip(columns, 0, there[1] - 1), inside)
