"""The calibration of trust: logistic models of a few quality figures, one file for each weights.

The file lies apart from the weights: inside, a new calibration would change their hash, and with it
the id of every result.
"""

import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FOLDER = "calibrations"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrustFeature(_Frozen):
    """One input of the model.

    Attributes:
        figure: name of a quality figure.
        transform: `log` takes the logarithm of the figure + `offset`.
        offset: in the unit of the figure; keeps the logarithm of 0 finite.
        low, high: the transformed figure is clipped to what the calibration has seen.
        coefficient: of the transformed figure.
    """

    figure: str
    transform: Literal["identity", "log"] = "identity"
    offset: Annotated[float, Field(ge=0)] = 0.0
    low: float
    high: float
    coefficient: float

    def value(self, figure: float) -> float:
        """The transformed figure, clipped."""
        transformed = figure
        if self.transform == "log":
            inside = figure + self.offset
            transformed = math.log(inside) if inside > 0 else -math.inf
        return min(max(transformed, self.low), self.high)


class LogisticModel(_Frozen):
    """Probability that one estimate of a clip beats its trivial answer."""

    features: tuple[TrustFeature, ...]
    intercept: float

    def probability(self, figures: Mapping[str, float | None]) -> float | None:
        """0..1; None where a figure is missing or not a number."""
        logit = self.intercept
        for feature in self.features:
            figure = figures.get(feature.figure)
            if figure is None or math.isnan(figure):
                return None
            logit += feature.coefficient * feature.value(figure)
        return 1 / (1 + math.exp(-logit))


class TrustCalibration(_Frozen):
    """How likely a clip beats the trivial answers: a model of its path and one of its depths.

    Attributes:
        version: counts the calibrations of these weights.
        weights_sha256: the weights whose clips it was fitted on; it is true of no others.
        fitted_on: in words.
    """

    version: Annotated[int, Field(ge=1)]
    weights_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    fitted_on: str
    path: LogisticModel
    depth: LogisticModel

    def probability(self, figures: Mapping[str, float | None]) -> float | None:
        """Product of both, 0..1; None where a figure is missing or not a number."""
        path, depth = (model.probability(figures) for model in (self.path, self.depth))
        return None if path is None or depth is None else path * depth


@cache
def calibration_of(weights_sha256: str) -> TrustCalibration | None:
    """The calibration that is installed for some weights; None without."""
    path = files("easi3r.quality") / FOLDER / f"{weights_sha256}.json"
    return TrustCalibration.model_validate_json(path.read_text()) if path.is_file() else None
