"""DUSt3R: an encoder per image, two decoders that read each other, two heads (docs/method.md §1).

    features = network.encode(normalise(images))                    once per frame
    key_means = network.key_means(features, edges)                  pass 1: no heads
    prediction, key_means = network.predict(features, edges, masks) pass 2: re-weighted

Training reads the layers themselves:

    layers = list(network.decode(features, edges))
    prediction = network.regress(features, edges, layers)
    logits = layers[2].decoder_1.scores.logits()                    (pairs, heads, queries, keys)
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from easi3r.config import Precision
from easi3r.errors import SettingsError
from easi3r.model.attention_layers import (
    AttentionKernel,
    CastingLinear,
    StaticKeyAttention,
    fused_attention,
)
from easi3r.model.blocks import (
    NORM_EPSILON,
    DecoderBlock,
    DecoderLayer,
    EncoderBlock,
    PatchEmbedding,
)
from easi3r.model.heads import DPTHead, LinearHead, to_points
from easi3r.model.network_config import ModelConfig
from easi3r.model.recorders import KeyMeansRecorder
from easi3r.model.rotary import Rotation
from easi3r.tensors import FrameFeatures, KeyMeans, PairPrediction

HEADS: dict[str, type[LinearHead] | type[DPTHead]] = {"linear": LinearHead, "dpt": DPTHead}


def normalise(
    images: UInt8[Tensor, "frames height width 3"],
) -> Float[Tensor, "frames 3 height width"]:
    """RGB 0..255 to the network's input in [-1, 1]."""
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1


class DUSt3R(nn.Module):
    """The network, with the parameter names of the published checkpoints.

    Works at any image size whose sides are multiples of the patch, portrait or landscape. In lower
    precision (`in_precision`, or under `torch.autocast`, which training uses) the streams between
    blocks, the heads and the key means stay in float32.

    Args:
        config: the size.
        kernel: how every attention layer attends.
    """

    downstream_head1: LinearHead | DPTHead
    downstream_head2: LinearHead | DPTHead

    def __init__(self, config: ModelConfig, kernel: AttentionKernel = fused_attention) -> None:
        super().__init__()
        self.config = config
        self.kernel = kernel
        encoder, decoder = config.encoder_channels, config.decoder_channels
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder))  # in the files, never used
        self.patch_embed = PatchEmbedding(config.patch_size, encoder)
        self.enc_blocks = nn.ModuleList(
            EncoderBlock(encoder, config.encoder_heads, kernel) for _ in range(config.encoder_depth)
        )
        self.enc_norm = nn.LayerNorm(encoder, eps=NORM_EPSILON)
        self.decoder_embed = CastingLinear(encoder, decoder)
        self.dec_blocks = nn.ModuleList(
            DecoderBlock(decoder, config.decoder_heads, kernel) for _ in range(config.decoder_depth)
        )
        self.dec_norm = nn.LayerNorm(decoder, eps=NORM_EPSILON)
        self.dec_blocks2 = nn.ModuleList(
            DecoderBlock(decoder, config.decoder_heads, kernel) for _ in range(config.decoder_depth)
        )
        self.downstream_head1 = HEADS[config.head](config)
        self.downstream_head2 = HEADS[config.head](config)

    def in_precision(self, precision: Precision) -> "DUSt3R":
        """The same network, for inference, whose blocks compute in a precision; converted once.

        It shares every tensor that does not change; it is this network where none does.

        Raises:
            SettingsError: float32 of a network that has been rounded to less.
        """
        dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]
        if self.decoder_embed.weight.dtype == dtype:
            return self
        if dtype == torch.float32:
            problem = f"the weights have been rounded to {self.decoder_embed.weight.dtype}"
            raise SettingsError("model.precision", problem, "Load them again for float32")
        with torch.device("meta"):
            network = DUSt3R(self.config, self.kernel)
        state = self.state_dict()
        for name, layer in network.named_modules():
            if isinstance(layer, CastingLinear):
                for parameter in (f"{name}.weight", f"{name}.bias"):
                    state[parameter] = state[parameter].to(dtype)
        network.load_state_dict(state, assign=True)
        return network.eval().requires_grad_(False)

    def encode(self, images: Float[Tensor, "frames 3 height width"]) -> FrameFeatures:
        """Features of each frame, computed once and used by every pair of both passes.

        Args:
            images: RGB in [-1, 1]; see `normalise`.

        Raises:
            SettingsError: a side is not a multiple of the patch.
        """
        height, width = images.shape[-2:]
        patch = self.config.patch_size
        if height % patch or width % patch:
            problem = f"{width}x{height} pixels are not whole patches of {patch}"
            raise SettingsError("image size", problem, "Crop the images to a multiple of the patch")
        rows, columns = height // patch, width // patch
        width_of_head = self.config.encoder_channels // self.config.encoder_heads
        rotation = self._rotation(rows, columns, width_of_head, images.device)
        tokens = self.patch_embed(images).to(images.dtype)
        for block in self.enc_blocks:
            tokens = block(tokens, rotation)
        return FrameFeatures(self.enc_norm(tokens), rows, columns)

    def decode(
        self,
        features: FrameFeatures,
        edges: Int64[np.ndarray, "pairs 2"],
        token_masks: Bool[Tensor, "frames tokens"] | None = None,
    ) -> Iterator[DecoderLayer]:
        """The layers of both decoders, one after the other, for directed pairs of frames.

        A layer is lazy: beyond its attention scores nothing is computed until its `streams` or
        the next layer are used.

        Args:
            edges: (first, second) frame of each pair; decoder 1 reads the first.
            token_masks: True where a token moves; re-weights decoder 1's cross-attention
                (docs/method.md §5). None does not re-weight.
        """
        device = features.tokens.device
        frames, frames_of_pair = features.shown_in(edges)
        first, second = frames_of_pair.unbind(dim=1)
        width_of_head = self.config.decoder_channels // self.config.decoder_heads
        rotation = self._rotation(features.rows, features.columns, width_of_head, device)
        kernel_1 = self.kernel
        if token_masks is not None:
            masks = token_masks[torch.as_tensor(edges, device=device)]
            kernel_1 = StaticKeyAttention(self.kernel, masks[:, 0], masks[:, 1])
        embedded = self.decoder_embed(frames.tokens).to(features.tokens.dtype)
        layer = None
        for block_1, block_2 in zip(self.dec_blocks, self.dec_blocks2, strict=True):
            stream_1, stream_2 = layer.streams if layer else (embedded[first], embedded[second])
            layer = DecoderLayer(
                block_1(stream_1, stream_2, rotation, kernel_1),
                block_2(stream_2, stream_1, rotation, self.kernel),
            )
            yield layer

    def regress(
        self,
        features: FrameFeatures,
        edges: Int64[np.ndarray, "pairs 2"],
        layers: Iterable[DecoderLayer],
    ) -> PairPrediction:
        """Point maps and confidences from the layers of `decode` for the same pairs."""
        hooks, hooked = self.downstream_head1.hooks, []
        for number, layer in enumerate(layers, start=1):
            hooked += [layer.streams] * hooks.count(number)
        last_1, last_2 = hooked.pop()
        hooked.append((self.dec_norm(last_1), self.dec_norm(last_2)))
        with torch.autocast(features.tokens.device.type, enabled=False):
            streams_1, streams_2 = zip(*hooked, strict=True)
            first, second = edges.T
            raw_1 = self.downstream_head1(features, first, [one.float() for one in streams_1])
            raw_2 = self.downstream_head2(features, second, [one.float() for one in streams_2])
            points_1, confidence_1 = to_points(raw_1)
            points_2, confidence_2 = to_points(raw_2)
        return PairPrediction(points_1, points_2, confidence_1, confidence_2)

    def key_means(
        self,
        features: FrameFeatures,
        edges: Int64[np.ndarray, "pairs 2"],
        token_masks: Bool[Tensor, "frames tokens"] | None = None,
    ) -> KeyMeans:
        """Attention statistics alone, as in pass 1: no heads, no last layer (docs/method.md §3)."""
        recorder = KeyMeansRecorder(features)
        for _ in recorder.watch(self.decode(features, edges, token_masks)):
            pass
        return recorder.result()

    def predict(
        self,
        features: FrameFeatures,
        edges: Int64[np.ndarray, "pairs 2"],
        token_masks: Bool[Tensor, "frames tokens"] | None = None,
    ) -> tuple[PairPrediction, KeyMeans]:
        """Point maps and attention statistics; with masks, Easi3R's pass 2 (docs/method.md §5)."""
        recorder = KeyMeansRecorder(features)
        layers = recorder.watch(self.decode(features, edges, token_masks))
        return self.regress(features, edges, layers), recorder.result()

    def _rotation(
        self, rows: int, columns: int, width_of_head: int, device: torch.device
    ) -> Rotation:
        return Rotation.of_grid(rows, columns, width_of_head, self.config.rope_base, device)
