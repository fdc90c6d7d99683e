"""Operations and bytes moved by every stage of a clip, in closed form.

Operations are those of matrix products, convolutions and attention, two for each multiplication and
addition, as `torch.utils.flop_counter.FlopCounterMode` counts them; element-wise work is left out.
Bytes are what these operations read and write, each operand and result once: the least that memory
must move where element-wise work is fused and nothing stays in a cache. Tests count the real
network with both.
"""

from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from jaxtyping import Int64

from easi3r.attention import pair_graph
from easi3r.config import Cue, Settings
from easi3r.cost.layers import Work, attention, convolution, linear, mlp, self_attention, spread
from easi3r.model import ModelConfig
from easi3r.model.heads import images_at_once
from easi3r.tensors import PairGraph

FLOAT32_BYTES, BFLOAT16_BYTES = 4, 2
POINT_MAP_CHANNELS = 4  # a point's three, and a confidence


@dataclass(frozen=True)
class StageCost:
    """One stage of a clip.

    Attributes:
        stage: named as `StageClock` names it.
        flops: operations.
        bytes_moved: read and written, at least.
    """

    stage: str
    flops: int
    bytes_moved: int


@dataclass(frozen=True)
class ClipWork:
    """Size of a clip's computation: pairs, tokens, network, precision.

    Attributes:
        config: size of the network.
        height, width: pixels, multiples of the patch.
        graph: its frames and their pairs.
        pairs_per_batch: pairs in flight.
        precision: of the encoder and the decoders; heads run in float32.
        cue: what motion is read from; every cue but `attention` needs the geometry of both passes.
        clusters: of k-means.
    """

    config: ModelConfig
    height: int
    width: int
    graph: PairGraph
    pairs_per_batch: int = 8
    precision: str = "float32"
    cue: Cue = "attention"
    clusters: int = 64

    @classmethod
    def of(
        cls, config: ModelConfig, settings: Settings, frames: int, height: int, width: int
    ) -> "ClipWork":
        """A clip under settings; what they leave to the weights is taken as Easi3R has it.

        Raises:
            SettingsError: fewer than 2 frames.
        """
        return cls(
            config,
            height,
            width,
            pair_graph(frames, settings.graph),
            settings.execution.pairs_per_batch,
            settings.model.precision or "float32",
            settings.motion.cue or "attention",
            settings.segmentation.clusters,
        )

    @property
    def frames(self) -> int:
        """Number of frames of the clip."""
        return self.graph.frames

    @property
    def pairs(self) -> int:
        """Number of directed pairs of the clip."""
        return len(self.graph)

    @property
    def reach(self) -> int:
        """Largest distance, in frames, within a pair."""
        return int(abs(self.graph.edges[:, 0] - self.graph.edges[:, 1]).max())

    @property
    def rows(self) -> int:
        """Of the token grid."""
        return self.height // self.config.patch_size

    @property
    def columns(self) -> int:
        """Of the token grid."""
        return self.width // self.config.patch_size

    @property
    def tokens(self) -> int:
        """Number of tokens of a frame."""
        return self.rows * self.columns

    @property
    def batches(self) -> list[Int64[np.ndarray, "batch 2"]]:
        """Pairs of each call of the decoders in one pass."""
        starts = range(self.pairs_per_batch, self.pairs, self.pairs_per_batch)
        return np.split(self.graph.edges, starts)

    @property
    def prediction_bytes(self) -> int:
        """Point maps and confidences of both images of every pair."""
        pixels = self.height * self.width
        return self.pairs * 2 * pixels * POINT_MAP_CHANNELS * FLOAT32_BYTES

    def stages(self) -> tuple[StageCost, ...]:
        """The network's stages, and for one step each those of k-means and of the alignment.

        Pass 2 is that of a clip in which something moves in every frame: pairs without a moving
        key take less.
        """
        frame_batches = -(-self.frames // (2 * self.pairs_per_batch))
        first = self._pass(self._attention_only() if self.cue == "attention" else self._decoders())
        second = self._pass(self._decoders() + self._second_attention())
        heads = self._heads_of_a_pass()
        stages = [
            self._cost("encoder", encoder(self).inputs(self.frames), frame_batches),
            self._cost("pass 1", first, len(self.batches)),
            self._lloyd_step(),
            self._cost("pass 2", second, len(self.batches)),
            heads,
            self._alignment_step(),
        ]
        if self.cue != "attention":
            stages.insert(2, StageCost("heads of pass 1", heads.flops, heads.bytes_moved))
        return tuple(stages)

    @property
    def network_flops(self) -> int:
        """Operations of the network over the whole clip."""
        names = {"encoder", "pass 1", "heads of pass 1", "pass 2", "heads"}
        return sum(stage.flops for stage in self.stages() if stage.stage in names)

    @property
    def parameters(self) -> int:
        """Numbers that the network's weights hold."""
        config, width = self.config, self.config.dpt_channels
        encoder_norms = 2 * (2 * config.encoder_depth + 1) * config.encoder_channels
        # Four of each block of both decoders, the last one, and the mask token that nothing reads.
        decoder_norms = (2 * 4 * 2 * config.decoder_depth + 2 + 1) * config.decoder_channels
        # In the files, and never used: the deepest fusion has no skip.
        unused = 2 * 2 * convolution(0, 0, width, width).parameters if config.head == "dpt" else 0
        layers = encoder(self) + self._embedding() + self._decoders() + self._heads()
        return layers.parameters + encoder_norms + decoder_norms + unused

    @property
    def reference_flops(self) -> int:
        """Operations of the method as released: every pair by itself, everything in both passes.

        Both images of each pair are encoded again, and re-weighting costs no operation.
        """
        of_a_pair = encoder(self).inputs(2) + self._embedding().inputs(2)
        of_a_pair += self._decoders() + self._heads()
        if self.config.head == "dpt":
            of_a_pair += late_mixing(self).layers(2)
        return 2 * self.pairs * of_a_pair.flops

    def _pass(self, of_a_pair: Work) -> Work:
        """One pass; every batch embeds the frames of its pairs for the decoders."""
        embedding = self._embedding().inputs(sum(len(np.unique(batch)) for batch in self.batches))
        return embedding + of_a_pair.inputs(self.pairs)

    def _embedding(self) -> Work:
        return linear(self.tokens, self.config.encoder_channels, self.config.decoder_channels)

    def _decoders(self) -> Work:
        """All layers of both decoders on one pair."""
        layer = self._scores() + self._rest_of_layer()
        return layer.layers(2 * self.config.decoder_depth)

    def _attention_only(self) -> Work:
        """Both decoders as far as the scores of the last layer (docs/method.md §3)."""
        rest = self._rest_of_layer().layers(2 * (self.config.decoder_depth - 1))
        return self._scores().layers(2 * self.config.decoder_depth) + rest

    def _scores(self) -> Work:
        """Self-attention, queries and keys of one decoder's layer, and the mean of the logits."""
        channels, heads = self.config.decoder_channels, self.config.decoder_heads
        project = linear(self.tokens, channels, channels)
        means = Work(2 * self.tokens * channels, self.tokens * (channels + heads) + channels, 0)
        return self_attention(self.tokens, channels) + project.layers(2) + means

    def _rest_of_layer(self) -> Work:
        """Values, cross-attention and MLP of one decoder's layer."""
        channels = self.config.decoder_channels
        project = linear(self.tokens, channels, channels)
        return project.layers(2) + attention(self.tokens, channels) + mlp(self.tokens, channels)

    def _second_attention(self) -> Work:
        """Extra work of re-weighting: decoder 1 attends once more, to static keys alone."""
        once = attention(self.tokens, self.config.decoder_channels)
        return once.layers(self.config.decoder_depth)

    def _heads(self) -> Work:
        """Both heads on one pair."""
        if self.config.head == "linear":
            return linear_head(self).layers(2)
        return (finest_level(self) + coarser_levels(self)).layers(2)

    def _heads_of_a_pass(self) -> StageCost:
        """Both heads on all pairs; a DPT head's finest level on each frame of a batch once."""
        if self.config.head == "linear":
            work, calls = self._heads().inputs(self.pairs), len(self.batches)
            return self._cost("heads", work, calls, FLOAT32_BYTES)
        count = images_at_once(self.height, self.width)
        shown = [len(np.unique(frames)) for batch in self.batches for frames in batch.T]
        finest = finest_level(self).inputs(sum(shown))
        calls = sum(-(-frames // count) for frames in shown)
        of_frames = self._cost("heads", finest, calls, FLOAT32_BYTES)
        coarser = coarser_levels(self).inputs(2 * self.pairs)
        calls = 2 * sum(-(-len(batch) // count) for batch in self.batches)
        of_pairs = self._cost("heads", coarser, calls, FLOAT32_BYTES)
        moved = of_frames.bytes_moved + of_pairs.bytes_moved
        return StageCost("heads", of_frames.flops + of_pairs.flops, moved)

    def _lloyd_step(self) -> StageCost:
        """One step of k-means: a distance for each token and centre."""
        tokens, centres = self.frames * self.tokens, self.clusters
        channels = self.config.encoder_channels
        numbers = tokens * channels + centres * channels + tokens * centres
        flops = 2 * tokens * centres * channels
        return StageCost("segmentation, a step", flops, numbers * FLOAT32_BYTES)

    def _alignment_step(self) -> StageCost:
        """One evaluation of the objective: a similarity applied to every predicted point."""
        points = self.pairs * 2 * self.height * self.width
        return StageCost("alignment, a step", 18 * points, self.prediction_bytes)

    def _cost(self, stage: str, work: Work, calls: int, width: int | None = None) -> StageCost:
        """A stage whose weights are read once a call."""
        width = width or (FLOAT32_BYTES if self.precision == "float32" else BFLOAT16_BYTES)
        return StageCost(stage, work.flops, width * (work.activations + calls * work.parameters))


def encoder(clip: ClipWork) -> Work:
    """The encoder on one frame."""
    config, tokens = clip.config, clip.tokens
    patch = linear(tokens, 3 * config.patch_size**2, config.encoder_channels)
    channels = config.encoder_channels
    block = self_attention(tokens, channels) + mlp(tokens, channels)
    return patch + block.layers(config.encoder_depth)


def linear_head(clip: ClipWork) -> Work:
    """The linear head on one image."""
    config = clip.config
    outputs = POINT_MAP_CHANNELS * config.patch_size**2
    return linear(clip.tokens, config.decoder_channels, outputs)


def finest_level(clip: ClipWork) -> Work:
    """The finest level of a DPT head, which depends on a frame alone (docs/method.md §1)."""
    channels, width = clip.config.dpt_hook_channels[0], clip.config.dpt_channels
    size = level_sizes(clip)[0]
    level = linear(clip.tokens, clip.config.encoder_channels, channels)
    level += spread(clip.tokens, channels, 4)
    level += convolution(size, size, channels, width, bias=False)
    return level + convolution(size, size, width, width).layers(2)


def coarser_levels(clip: ClipWork) -> Work:
    """The rest of a DPT head, on one image of a pair."""
    _, b, c, d = clip.config.dpt_hook_channels
    width, decoder = clip.config.dpt_channels, clip.config.decoder_channels
    sizes = level_sizes(clip)
    levels = [
        linear(clip.tokens, decoder, b) + spread(clip.tokens, b, 2),
        linear(clip.tokens, decoder, c),
        linear(clip.tokens, decoder, d) + convolution(clip.tokens, sizes[3], d, d),
    ]
    for size, channels in zip(sizes[1:], (b, c, d), strict=True):
        levels.append(convolution(size, size, channels, width, bias=False))
    unit = [convolution(size, size, width, width).layers(2) for size in sizes]
    # The deepest has no skip, the finest's is a frame's own; channels are mixed before upsampling.
    units = [unit[0], unit[1].layers(2), unit[2].layers(2), unit[3]]
    steps = [work + linear(size, width, width) for work, size in zip(units, sizes, strict=True)]
    pixels, half = clip.height * clip.width, width // 2
    last = [
        convolution(64 * clip.tokens, 64 * clip.tokens, width, half),
        convolution(pixels, pixels, half, half),
        linear(pixels, half, POINT_MAP_CHANNELS),
    ]
    return reduce(add, [*levels, *steps, *last])


def level_sizes(clip: ClipWork) -> tuple[int, int, int, int]:
    """Pixels of each level of a DPT head, finest first; an odd grid halves to more than half."""
    coarsest = -(-clip.rows // 2) * -(-clip.columns // 2)
    return 16 * clip.tokens, 4 * clip.tokens, clip.tokens, coarsest


def late_mixing(clip: ClipWork) -> Work:
    """Extra work of a DPT head as released: its fusion mixes channels after each upsampling."""
    width = clip.config.dpt_channels
    return reduce(add, [linear(3 * size, width, width) for size in level_sizes(clip)])
