"""A network and scenes so small that a training step takes milliseconds."""

import pytest

from easi3r.model import ModelConfig
from easi3r.training.training_settings import TrainingSettings

TINY = ModelConfig(
    patch_size=8,
    encoder_depth=1,
    encoder_channels=32,
    encoder_heads=2,
    decoder_depth=2,
    decoder_channels=32,
    decoder_heads=2,
    head="linear",
    long_side_px=32,
)


@pytest.fixture(scope="session")
def tiny() -> TrainingSettings:
    return TrainingSettings(
        model=TINY,
        image_sizes=((24, 32), (32, 24)),
        scenes_per_step=2,
        steps=60,
        warmup_steps=5,
        average_decay=0.9,
        bfloat16=False,
    )
