"""Trust: a probability, what the images cannot prove, and nothing for weights unknown to it."""

import math

import pytest

from easi3r.errors import DegenerateClipError
from easi3r.model import load_checkpoint
from easi3r.motion import DISAGREEMENT_LIMIT, POSES_DISAGREE
from easi3r.quality.trust import (
    CUT_INSIDE,
    DISQUALIFYING,
    KNOWN_CAMERAS_DISAGREE,
    MOST_KNOWN_POSE_DISAGREEMENT,
    MOST_WITHOUT_EVIDENCE,
    NO_MATCHES,
    NO_PARALLAX,
    NO_TEXTURE,
    assess,
    judged,
    reasons_against,
    require_evidence,
)
from easi3r.quality.trust_model import (
    LogisticModel,
    TrustCalibration,
    TrustFeature,
    calibration_of,
)
from easi3r.types import Trust

GOOD = {
    "textured_share": 0.5,
    "flow_consistent_share": 0.9,
    "weakest_link_share": 0.8,
    "jump": 1.1,
    "parallax_deg": 3.0,
}
CALIBRATION = TrustCalibration(
    version=3,
    weights_sha256="0" * 64,
    fitted_on="nothing",
    path=LogisticModel(
        features=(
            TrustFeature(figure="parallax_deg", transform="log", low=-1, high=2, coefficient=2.0),
            TrustFeature(figure="jump", low=1, high=9, coefficient=-0.5),
        ),
        intercept=0.25,
    ),
    depth=LogisticModel(features=(), intercept=1.0),
)


def logistic(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def test_trust_is_the_product_of_two_logistic_models_of_clipped_figures() -> None:
    path = logistic(0.25 + 2 * math.log(3) - 0.5 * 1.1)
    assert CALIBRATION.probability(GOOD) == pytest.approx(path * logistic(1.0))
    beyond = CALIBRATION.probability({"parallax_deg": 0.0, "jump": math.inf})
    assert beyond == pytest.approx(logistic(0.25 - 2 - 4.5) * logistic(1.0))


def test_a_missing_figure_leaves_no_trust() -> None:
    for figures in ({"jump": 1.0}, GOOD | {"jump": None}, GOOD | {"jump": math.nan}):
        assert judged(figures, CALIBRATION) is None


def test_weights_without_a_calibration_have_no_trust() -> None:
    assert assess(GOOD, "f" * 64) is None


def test_nano_has_a_calibration_of_its_own() -> None:
    sha256 = load_checkpoint("nano").sha256
    calibration = calibration_of(sha256)
    assert calibration is not None
    assert calibration.weights_sha256 == sha256
    assert calibration.fitted_on


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        ({"textured_share": 0.0}, NO_TEXTURE),
        ({"flow_consistent_share": 0.1}, NO_MATCHES),
        ({"jump": 6.0, "weakest_link_share": 0.1}, CUT_INSIDE),
        ({"parallax_deg": 0.01}, NO_PARALLAX),
        ({"known_pose_disagreement": 5.0}, KNOWN_CAMERAS_DISAGREE),
    ],
)
def test_reasons_are_words_and_cap_trust(figures: dict[str, float], reason: str) -> None:
    assert reasons_against(GOOD) == ()
    trust = judged(GOOD | figures, CALIBRATION)
    assert trust is not None
    assert trust.reasons == (reason,)
    assert trust.calibration == 3
    if reason in DISQUALIFYING:
        assert trust.value <= MOST_WITHOUT_EVIDENCE


def test_known_cameras_disagree_where_the_warning_says_so() -> None:
    assert MOST_KNOWN_POSE_DISAGREEMENT == DISAGREEMENT_LIMIT
    assert KNOWN_CAMERAS_DISAGREE == POSES_DISAGREE


def test_only_clips_without_evidence_are_refused() -> None:
    require_evidence("clip a", Trust(0.05, (NO_PARALLAX,), 1))
    require_evidence("clip a", Trust(0.5, (), 1))
    with pytest.raises(DegenerateClipError, match=r"clip a: trust 0\.05: no texture"):
        require_evidence("clip a", Trust(0.05, (NO_TEXTURE, NO_PARALLAX), 1))
