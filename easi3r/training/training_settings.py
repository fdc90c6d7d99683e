"""Settings of a training run."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from easi3r.model import ModelConfig
from easi3r.synthetic import SceneSettings

NANO = ModelConfig(
    patch_size=8,
    encoder_depth=4,
    encoder_channels=128,
    encoder_heads=4,
    decoder_depth=4,
    decoder_channels=128,
    decoder_heads=2,
    head="linear",
    long_side_px=96,
)


class LossWeights(BaseModel):
    """Factors of the terms of the loss (see `losses.py`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ray: Annotated[float, Field(ge=0)] = 5.0
    match: Annotated[float, Field(ge=0)] = 0.5
    motion: Annotated[float, Field(ge=0)] = 0.3
    confidence: Annotated[float, Field(gt=0)] = 1.0


class TrainingSettings(BaseModel):
    """Settings of a training run: all that decides the weights, but for the steps actually run.

    A batch is a pure function of (seed, step) and nothing else is random, so a run that was
    interrupted goes on exactly where it was. `steps` only places the cool-down: a run may be
    resumed with another value before the cool-down has begun.

    Attributes:
        image_sizes: (height, width) of the images, taken in turn, one per step.
        frame_rates: frames a second of the scenes, taken in turn: slow ones move far between views.
        start_from: weights (as `--weights` takes them) that the network starts with; None starts
            from noise. Optimisers and averages start anew either way.
        scenes_per_step: each scene gives 4 views and their 12 ordered pairs.
        window_frames: the 4 views of a scene are drawn from this many consecutive frames.
        matrix_rate, other_rate: learning rates of Muon (matrices of the blocks) and AdamW (rest).
        cooldown: last share of the steps, in which the rates fall linearly to zero.
        average_decay: of the exponential average of the weights, which is what gets exported.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: Annotated[int, Field(ge=0, lt=1000)] = 0
    model: ModelConfig = NANO
    start_from: str | None = None
    image_sizes: tuple[tuple[int, int], ...] = ((72, 96), (72, 96), (56, 96))
    frame_rates: tuple[float, ...] = (12.0, 6.0)
    scenes_per_step: Annotated[int, Field(ge=1)] = 4
    window_frames: Annotated[int, Field(ge=4, le=24)] = 10
    steps: Annotated[int, Field(ge=1)] = 2800
    warmup_steps: Annotated[int, Field(ge=1)] = 100
    cooldown: Annotated[float, Field(ge=0, le=1)] = 0.3
    matrix_rate: Annotated[float, Field(gt=0)] = 3e-3
    other_rate: Annotated[float, Field(gt=0)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.998
    weights: LossWeights = LossWeights()
    bfloat16: bool = True

    @property
    def pairs_per_step(self) -> int:
        return 12 * self.scenes_per_step

    def scene_settings(self, step: int) -> SceneSettings:
        """Distribution of the scenes of a step."""
        height, width = self.image_sizes[step % len(self.image_sizes)]
        return SceneSettings(
            frames=self.window_frames,
            frames_per_second=self.frame_rates[step % len(self.frame_rates)],
            height=height,
            width=width,
        )
