"""Peak memory of a clip, stage by stage, and the number of pairs at once that a budget allows.

A projection is an upper bound of what the process holds beyond its libraries: on a CPU all of it is
one memory; on a GPU the frames, the optical flow and what waits beside the clip are the host's.
How far above the measured peak it lies: docs/decisions/014-memory-budget.md.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace

from easi3r.alignment import alignment_working_bytes
from easi3r.config import Settings
from easi3r.cost.operations import BFLOAT16_BYTES, FLOAT32_BYTES, ClipWork
from easi3r.errors import SettingsError
from easi3r.masks import RefinerMemory
from easi3r.model import ModelConfig
from easi3r.model.heads import images_at_once
from easi3r.types import Frames

LIBRARIES_BYTES = 96 * 2**20
"""What torch, oneDNN and OpenCV set up when first used: kernels, threads' stacks, scratch."""

# Numbers held at once for each channel of a token, at the busiest operation of a layer.
ENCODER_NUMBERS = 11  # the stream, and in the MLP four times the width before and after the GELU
DECODER_NUMBERS = 24  # both images: streams before and after, queries, keys, values, rotations
HEAD_MAPS = 4  # of a head's busiest level: input, convolution, and a convolution's own copies


@dataclass(frozen=True)
class StageMemory:
    """Peak memory of one stage, in bytes."""

    stage: str
    held_bytes: int


@dataclass(frozen=True)
class ClipMemory:
    """Memory that a process needs for one clip.

    Attributes:
        clip: size and settings of the computation.
        uses_flow: whether optical flow is estimated, for a cue or for the alignment.
        refiner: of the masks; None: they are not refined.
    """

    clip: ClipWork
    uses_flow: bool
    refiner: RefinerMemory | None = None

    def stages(self) -> tuple[StageMemory, ...]:
        """Peak memory of each stage, in the order in which they run."""
        clip, predictions = self.clip, self.clip.prediction_bytes
        decoded = self.statistics_bytes + self.embedded_bytes
        predicted = predictions + self.predicting_bytes
        # Cues of geometry predict in pass 1 too, and keep all of it for pass 2.
        has_geometry = clip.cue != "attention"
        means = 2 * clip.pairs * self._key_mean_bytes
        first = predicted + means if has_geometry else self.in_flight * self.decoding_bytes
        before = predictions + means if has_geometry else 0
        flow = self.flow_bytes if self.uses_flow else 0
        held = self.base_bytes + before + predictions + flow + self.statistics_bytes
        refining = 0 if self.refiner is None else self.refiner.working_bytes
        return (
            StageMemory("encoder", self.base_bytes + self.encoding_bytes),
            StageMemory("segmentation", self.base_bytes + self.clustering_bytes),
            StageMemory("pass 1", self.base_bytes + decoded + first),
            StageMemory("pass 2", self.base_bytes + before + flow + decoded + predicted),
            StageMemory("masks", held + self.masking_bytes),
            StageMemory("alignment", held + self.aligning_bytes),
            StageMemory("refinement", self.base_bytes + refining),
        )

    @property
    def peak_bytes(self) -> int:
        """Peak over all stages."""
        return max(stage.held_bytes for stage in self.stages())

    @property
    def in_flight(self) -> int:
        """Number of pairs processed at once."""
        return min(self.clip.pairs, self.clip.pairs_per_batch)

    @property
    def base_bytes(self) -> int:
        """Held throughout: weights (a refiner's too), frames, features, and the clips before and
        after this one."""
        features = self.clip.frames * self.clip.tokens * self.clip.config.encoder_channels
        pixels = self.clip.frames * self.clip.height * self.clip.width
        # Decoded frames of two clips; depth, confidence, mask and encoded points of a third.
        beside = 2 * 3 + 4 + 4 + 1 + 2 * 12
        # Weights that are rounded to bfloat16 stay in float32 beside it.
        rounded = BFLOAT16_BYTES if self.clip.precision == "bfloat16" else 0
        weights = (FLOAT32_BYTES + rounded) * self.clip.parameters
        weights += 0 if self.refiner is None else self.refiner.held_bytes
        return LIBRARIES_BYTES + weights + FLOAT32_BYTES * features + beside * pixels

    @property
    def encoding_bytes(self) -> int:
        """A batch of frames in the encoder, and the features so far while they are joined."""
        clip = self.clip
        frames = min(clip.frames, 2 * clip.pairs_per_batch)
        of_a_frame = clip.tokens * clip.config.encoder_channels * FLOAT32_BYTES
        image = 3 * clip.height * clip.width * FLOAT32_BYTES
        return frames * (ENCODER_NUMBERS * of_a_frame + 2 * image) + clip.frames * of_a_frame

    @property
    def clustering_bytes(self) -> int:
        """K-means: its own copies of the tokens, and distances to all centres."""
        tokens, clusters = self.clip.frames * self.clip.tokens, self.clip.clusters
        return 2 * tokens * (self.clip.config.encoder_channels + clusters) * FLOAT32_BYTES

    @property
    def embedded_bytes(self) -> int:
        """Tokens of the frames of a batch, as the encoder gave and as the decoders read them."""
        frames = min(self.clip.frames, 2 * self.in_flight)
        channels = self.clip.config.encoder_channels + self.clip.config.decoder_channels
        return frames * self.clip.tokens * channels * FLOAT32_BYTES

    @property
    def statistics_bytes(self) -> int:
        """Four maps a frame with a number for each head, and as many while a batch is merged."""
        return 8 * self.clip.frames * self._key_mean_bytes

    @property
    def decoding_bytes(self) -> int:
        """One pair in the decoders, with its key means and their repaired copies."""
        clip = self.clip
        streams = DECODER_NUMBERS * clip.tokens * clip.config.decoder_channels * FLOAT32_BYTES
        return streams + 6 * self._key_mean_bytes

    @property
    def predicting_bytes(self) -> int:
        """A batch in the heads, one head after the other, with the tokens that they read."""
        clip, config = self.clip, self.clip.config
        pixels = clip.height * clip.width
        result = 8 * pixels * FLOAT32_BYTES
        if config.head == "linear":
            return self.in_flight * (self.decoding_bytes + 3 * result)
        hooked = 2 * clip.tokens * 3 * config.decoder_channels
        finest = 16 * clip.tokens * config.dpt_channels
        # Of the frames on one side of the pairs: their tokens and finest levels.
        shown = min(clip.frames, self.in_flight)
        frames = shown * (clip.tokens * config.encoder_channels + 2 * finest)
        at_once = min(self.in_flight, images_at_once(clip.height, clip.width))
        maps = at_once * HEAD_MAPS * max(pixels * config.dpt_channels // 2, 4 * finest)
        of_pairs = self.in_flight * (self.decoding_bytes + hooked * FLOAT32_BYTES + 2 * result)
        return of_pairs + (frames + maps) * FLOAT32_BYTES

    @property
    def flow_bytes(self) -> int:
        """Flow to every frame within reach, in both directions, then that of the pairs alone."""
        clip, pixels = self.clip, self.clip.height * self.clip.width
        chained = 2 * clip.frames * min(clip.reach, clip.frames - 1)
        return (chained + clip.pairs) * pixels * 2 * FLOAT32_BYTES + clip.pairs * pixels

    @property
    def aligning_bytes(self) -> int:
        """Working memory of the alignment, beside the predictions and the flow."""
        clip = self.clip
        return alignment_working_bytes(clip.frames, clip.pairs, clip.height, clip.width)

    @property
    def masking_bytes(self) -> int:
        """Statistics as maps, scores of all pixels with their histogram, and flow evidence.

        That is 7 maps, the superpixels, and 6 maps at work; of a frame 5 numbers of every pair.
        """
        clip = self.clip
        pixels, maps = clip.height * clip.width, 40
        at_work = 0
        if clip.cue in ("flow", "combined"):
            maps += (7 + 2 + 6) * FLOAT32_BYTES
            at_work = 3 * 5 * 2 * FLOAT32_BYTES * pixels * 2 * min(clip.reach, clip.frames - 1)
        return 2 * clip.frames * self._key_mean_bytes + maps * clip.frames * pixels + at_work

    @property
    def _key_mean_bytes(self) -> int:
        config = self.clip.config
        heads = config.decoder_depth * config.decoder_heads
        return self.clip.tokens * heads * FLOAT32_BYTES


def within_budget(
    settings: Settings,
    config: ModelConfig,
    frames: Frames,
    refiner: RefinerMemory | None = None,
) -> Settings:
    """Settings with as many pairs in flight as the memory budget allows, at most `pairs_per_batch`.

    Args:
        settings: completed with the weights' recommendations.
        config: of the network.
        frames: of the clip.
        refiner: memory of the refiner of its masks, if there is one.

    Raises:
        SettingsError: the budget is too small for one pair at a time; the error names the smallest
            sufficient one.
    """
    budget = settings.execution.memory_budget_bytes
    if budget is None:
        return settings
    count, height, width = frames.images.shape[:3]
    clip = ClipWork.of(config, settings, count, height, width)
    candidates = range(1, settings.execution.pairs_per_batch + 1)
    uses_flow = needs_flow(settings)

    def peak_bytes(pairs: int) -> int:
        return ClipMemory(replace(clip, pairs_per_batch=pairs), uses_flow, refiner).peak_bytes

    pairs = bisect_right(candidates, budget, key=peak_bytes)
    if pairs == 0:
        least = peak_bytes(1)
        problem = f"{budget} bytes are too few for {count} frames of {width}x{height}"
        remedy = f"Give {least} or more, or lower sampling.clip_frames or video.long_side_px"
        raise SettingsError("execution.memory_budget_bytes", problem, remedy)
    execution = settings.execution.model_copy(update={"pairs_per_batch": pairs})
    return settings.model_copy(update={"execution": execution})


def needs_flow(settings: Settings) -> bool:
    """Whether a clip's optical flow is estimated under settings."""
    return bool(settings.alignment.flow_weight) or settings.motion.cue in ("flow", "combined")
