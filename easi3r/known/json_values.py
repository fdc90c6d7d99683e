"""Numbers and camera models in JSON files; what this project cannot use is refused by name."""

from collections.abc import Mapping
from typing import Any

from easi3r.errors import KnownInputError
from easi3r.known.known_files import parse_numbers
from easi3r.known.lens import OPENCV_ORDER

_ROLLING = ("rolling_shutter", "rolling_shutter_time", "readout_time", "shutter")
_FISHEYE = ("is_fisheye", "fisheye")


def number_of(url: str, place: str, values: Mapping[str, Any], key: str) -> float:
    """A finite number of an object.

    Raises:
        KnownInputError: it is missing, or no number.
    """
    if key not in values:
        raise KnownInputError(url, f"{place}: lacks {key!r}", "Add it; see docs/known-inputs.md")
    return parse_numbers(url, f"{place}, {key!r}", [values[key]])[0]


def coefficients_of(url: str, place: str, values: Mapping[str, Any]) -> dict[str, float]:
    """Distortion coefficients of an object, those that it has."""
    return {key: number_of(url, place, values, key) for key in OPENCV_ORDER if key in values}


def matrix_of(url: str, place: str, value: object) -> list[float]:
    """The numbers of a list of rows, row by row.

    Raises:
        KnownInputError: it is no list of lists of finite numbers.
    """
    if not isinstance(value, list) or not all(isinstance(row, list) for row in value):
        raise KnownInputError(url, f"{place}: is no list of rows", "Give a matrix, row by row")
    return parse_numbers(url, place, [number for row in value for number in row])


def refuse_lens_kinds(url: str, place: str, values: Mapping[str, Any]) -> None:
    """Refuse fisheye lenses and rolling shutters by name, wherever a file has them switched on.

    Raises:
        KnownInputError: it has.
    """
    for keys, kind, remedy in (
        (_ROLLING, "a rolling shutter", "Correct it in the video first and leave it out here"),
        (_FISHEYE, "a fisheye", "Undistort the video first, and give a pinhole"),
    ):
        for key in keys:
            if _is_on(values.get(key)):
                problem = f"{place}: {key!r} says {kind}, which is not corrected here"
                raise KnownInputError(url, problem, remedy)


def _is_on(value: object) -> bool:
    """Anything but absence, zero, false, `global` and lists of zeros."""
    if isinstance(value, list):
        return any(_is_on(one) for one in value)
    return value not in (None, False, 0, "", "global", "none", "GLOBAL")
