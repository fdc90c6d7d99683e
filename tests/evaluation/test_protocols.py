"""Settings of a sequence under a protocol."""

from dataclasses import replace

import pytest

from easi3r.config import Settings
from easi3r.evaluation.protocols import frame_stride, protocol_settings
from tests.evaluation.true_sequences import rendered, sequence_of


@pytest.mark.parametrize(
    ("dataset", "frames", "window"), [("davis", 95, 5), ("davis", 96, 4), ("tum", 96, 5)]
)
def test_the_papers_graph_and_one_clip(dataset: str, frames: int, window: int) -> None:
    sequence = sequence_of(rendered(), dataset=dataset)
    sequence = replace(sequence, frame_names=tuple(str(frame) for frame in range(frames)))
    given = Settings.parse(
        {
            "sampling": {"clip_frames": 4, "rate_hz": 2, "min_frames": 4},
            "shots": {},
            "graph": {"kind": "star"},
            "alignment": {"max_steps": 7},
        }
    )
    settings = protocol_settings(sequence, "paper", given)
    assert settings.graph.model_dump() == {"kind": "window", "window": window, "stride": 2}
    assert settings.sampling.clip_frames >= frames
    assert settings.sampling.rate_hz is None
    assert settings.shots is None
    assert settings.alignment == given.alignment


def test_annotate_leaves_settings_alone() -> None:
    settings = Settings.parse({"sampling": {"clip_frames": 4}})
    assert protocol_settings(sequence_of(rendered()), "annotate", settings) == settings
    assert (frame_stride("paper"), frame_stride("annotate")) == ("paper", 1)


@pytest.mark.parametrize(("dataset", "fit"), [("dycheck", "resize"), ("davis", "crop")])
def test_only_dycheck_is_resized(dataset: str, fit: str) -> None:
    sequence = sequence_of(rendered(), dataset=dataset)
    assert protocol_settings(sequence, "paper", Settings()).video.fit == fit
    assert protocol_settings(sequence, "annotate", Settings()).video.fit == "crop"
