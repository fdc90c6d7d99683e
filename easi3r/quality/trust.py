"""Trust of a clip: the calibrated probability, and what the images cannot prove (docs/trust.md)."""

from collections.abc import Mapping

from easi3r.errors import DegenerateClipError
from easi3r.quality.trust_model import TrustCalibration, calibration_of
from easi3r.types import Trust

NO_TEXTURE = "no texture"
NO_MATCHES = "no matches"
CUT_INSIDE = "cut inside"
NO_PARALLAX = "no parallax"
KNOWN_CAMERAS_DISAGREE = "known cameras disagree"

LEAST_TEXTURED_SHARE = 0.02
LEAST_CONSISTENT_SHARE = 0.3
LEAST_PARALLAX_DEG = 0.3
CUT_JUMP = 2.5
CUT_CONSISTENT_SHARE = 0.35
MOST_KNOWN_POSE_DISAGREEMENT = 0.25

DISQUALIFYING = frozenset({NO_TEXTURE, NO_MATCHES, CUT_INSIDE, KNOWN_CAMERAS_DISAGREE})
"""Reasons with which no other figure counts: trust is at most `MOST_WITHOUT_EVIDENCE`."""

MOST_WITHOUT_EVIDENCE = 0.1
DEGENERATE_BELOW = 0.2


def assess(figures: Mapping[str, float | None], weights_sha256: str) -> Trust | None:
    """Trust of a clip.

    Args:
        figures: quality figures of the clip by name, more than are needed.
        weights_sha256: of the weights that made it.

    Returns:
        None where these weights have no calibration, or a figure that it needs is missing.
    """
    calibration = calibration_of(weights_sha256)
    return None if calibration is None else judged(figures, calibration)


def judged(figures: Mapping[str, float | None], calibration: TrustCalibration) -> Trust | None:
    """`assess` with a calibration at hand."""
    value = calibration.probability(figures)
    if value is None:
        return None
    reasons = reasons_against(figures)
    if DISQUALIFYING.intersection(reasons):
        value = min(value, MOST_WITHOUT_EVIDENCE)
    return Trust(value, reasons, calibration.version)


def reasons_against(figures: Mapping[str, float | None]) -> tuple[str, ...]:
    """What speaks against a clip, in words; a figure that is missing says nothing."""

    def below(name: str, bound: float) -> bool:
        figure = figures.get(name)
        return figure is not None and figure < bound

    def above(name: str, bound: float) -> bool:
        figure = figures.get(name)
        return figure is not None and figure > bound

    reasons = {
        NO_TEXTURE: below("textured_share", LEAST_TEXTURED_SHARE),
        NO_MATCHES: below("flow_consistent_share", LEAST_CONSISTENT_SHARE),
        CUT_INSIDE: above("jump", CUT_JUMP) and below("weakest_link_share", CUT_CONSISTENT_SHARE),
        NO_PARALLAX: below("parallax_deg", LEAST_PARALLAX_DEG),
        KNOWN_CAMERAS_DISAGREE: above("known_pose_disagreement", MOST_KNOWN_POSE_DISAGREEMENT),
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def require_evidence(subject: str, trust: Trust) -> None:
    """Refuse a clip whose images prove nothing.

    Raises:
        DegenerateClipError: a disqualifying reason, and trust below `DEGENERATE_BELOW`.
    """
    against = [reason for reason in trust.reasons if reason in DISQUALIFYING]
    if against and trust.value < DEGENERATE_BELOW:
        raise DegenerateClipError(
            subject,
            f"trust {trust.value:.2f}: {', '.join(against)}",
            "Cut the video into shots, leave it out, or set `degenerate` to `mark`",
        )
