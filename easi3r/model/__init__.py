"""The network: layers, encoder, decoders, heads, named sizes and checkpoints.

Start reading at `network.py`.
"""

from easi3r.model.attention_layers import (
    AttentionKernel,
    AttentionScores,
    StaticKeyAttention,
    explicit_attention,
    fused_attention,
)
from easi3r.model.blocks import DecoderLayer
from easi3r.model.catalogue import defaults_of
from easi3r.model.checkpoints import LoadedModel, load_checkpoint, save_checkpoint
from easi3r.model.inventory import NamedWeights, list_weights, named_weights
from easi3r.model.locations import embedded_card
from easi3r.model.network import DUSt3R, normalise
from easi3r.model.network_config import ModelConfig
from easi3r.model.recorders import KeyMeansRecorder, MatchRecorder

__all__ = [
    "AttentionKernel",
    "AttentionScores",
    "DUSt3R",
    "DecoderLayer",
    "KeyMeansRecorder",
    "LoadedModel",
    "MatchRecorder",
    "ModelConfig",
    "NamedWeights",
    "StaticKeyAttention",
    "defaults_of",
    "embedded_card",
    "explicit_attention",
    "fused_attention",
    "list_weights",
    "load_checkpoint",
    "named_weights",
    "normalise",
    "save_checkpoint",
]
