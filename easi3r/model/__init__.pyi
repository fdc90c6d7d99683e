from .attention_layers import (
    AttentionKernel,
    AttentionScores,
    StaticKeyAttention,
    explicit_attention,
    fused_attention,
)
from .blocks import DecoderLayer
from .catalogue import defaults_of
from .checkpoints import LoadedModel, load_checkpoint, save_checkpoint
from .inventory import NamedWeights, list_weights, named_weights
from .locations import embedded_card
from .network import DUSt3R, normalise
from .network_config import ModelConfig
from .recorders import KeyMeansRecorder, MatchRecorder

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
