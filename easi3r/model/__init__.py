"""The network: layers, encoder, decoders, heads, named sizes and checkpoints.

Start reading at `network.py`.
"""

from easi3r.model.attention import (
    AttentionKernel,
    AttentionScores,
    StaticKeyAttention,
    explicit_attention,
    fused_attention,
)
from easi3r.model.blocks import DecoderLayer
from easi3r.model.checkpoints import LoadedModel, load_checkpoint, save_checkpoint
from easi3r.model.config import ModelConfig
from easi3r.model.network import DUSt3R, KeyMeansRecorder, normalise

__all__ = [
    "AttentionKernel",
    "AttentionScores",
    "DUSt3R",
    "DecoderLayer",
    "KeyMeansRecorder",
    "LoadedModel",
    "ModelConfig",
    "StaticKeyAttention",
    "explicit_attention",
    "fused_attention",
    "load_checkpoint",
    "normalise",
    "save_checkpoint",
]
