"""A folder of masks, one an image: which frames they are of, and the pixels that move."""

import hashlib
import io
import posixpath
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from PIL import Image

from easi3r.errors import KnownInputError
from easi3r.known.known_files import child, is_folder, names_in, read_bytes
from easi3r.known.matching import NO_ROW, ByNumber
from easi3r.types import Video

_SUFFIXES = (".png", ".jpg", ".jpeg")
_WITHOUT_ALPHA = {"LA": "L", "PA": "RGB", "P": "RGB", "RGBA": "RGB", "La": "L", "RGBa": "RGB"}
_JPEG_THRESHOLD = 128  # of 255: JPEG blurs edges, so that values near 0 stand still


@dataclass(frozen=True)
class MaskFolder:
    """Masks of a video's frames, read when asked for.

    Attributes:
        url: of the folder.
        names: of the mask of each frame; None where there is none.
        size: width and height in pixels, those of the upright source.
    """

    url: str
    names: tuple[str | None, ...]
    size: tuple[int, int]

    def read(self, frame: int) -> Bool[np.ndarray, "height width"]:
        """The mask of one frame: True where something moves, every value but 0 (black).

        Alpha channels say nothing. JPEG: from half of white on.

        Raises:
            KnownInputError: the frame has no mask, or it is damaged or of another size.
        """
        name = self.names[frame]
        if name is None:
            raise KnownInputError(self.url, f"holds no mask of frame {frame}", "Add it")
        return self._pixels(name, read_bytes(child(self.url, name)))

    def digest(self) -> str:
        """SHA-256, hex, of the names and bytes of all masks; reads and checks every one.

        Raises:
            KnownInputError: a mask is damaged or of another size.
        """
        whole = hashlib.sha256()
        for name in self.names:
            content = b"" if name is None else read_bytes(child(self.url, name))
            if name is not None:
                self._pixels(name, content)
            whole.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
        return whole.hexdigest()

    def _pixels(self, name: str, content: bytes) -> Bool[np.ndarray, "height width"]:
        url = child(self.url, name)
        try:
            image = Image.open(io.BytesIO(content))
            image.load()
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            problem = f"is no image that can be read ({error})"
            raise KnownInputError(url, problem, "Restore the file, or leave it out") from error
        if image.size != self.size:
            problem = f"is {image.size[0]}x{image.size[1]}, its video {self.size[0]}x{self.size[1]}"
            remedy = "Give masks of the video's own size, upright (after its rotation metadata)"
            raise KnownInputError(url, problem, remedy)
        least = _JPEG_THRESHOLD if image.format == "JPEG" else 1
        mode = _WITHOUT_ALPHA.get(image.mode, image.mode)
        values = np.atleast_3d(np.asarray(image.convert(mode) if mode != image.mode else image))
        moving: Bool[np.ndarray, "height width"] = values.max(axis=2) >= least
        return moving


def find_masks(url: str, video: Video) -> MaskFolder:
    """The masks of a video in a folder, by the numbers in their names (`ByNumber`).

    Raises:
        KnownInputError: no folder, no PNG or JPEG in it, or numbers that are not the video's.
    """
    if not is_folder(url):
        raise KnownInputError(url, "is not a folder", "Give a folder of PNG or JPEG masks")
    names = tuple(name for name in names_in(url) if _is_image(name))
    if not names:
        raise KnownInputError(url, "holds no PNG or JPEG image", "Give a folder of masks")
    rows = ByNumber(names).rows_of_frames(url, video)
    of_frames = tuple(None if row == NO_ROW else names[row] for row in rows)
    return MaskFolder(url, of_frames, (video.width, video.height))


def _is_image(name: str) -> bool:
    return posixpath.splitext(name)[1].lower() in _SUFFIXES and not name.startswith(".")
