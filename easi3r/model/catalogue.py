"""The published weights that are known by name, and the licences of weights."""

import re
from dataclasses import dataclass

from easi3r.config import WeightDefaults
from easi3r.model.network_config import ModelConfig

PUBLISHED_LICENCE = "CC BY-NC-SA 4.0"
UNKNOWN_LICENCE = "unknown (treat as non-commercial)"
_COMMERCIAL_LICENCES = frozenset({"Apache-2.0"})


@dataclass(frozen=True)
class PublishedWeights:
    """A checkpoint that the authors of a method have published.

    Attributes:
        repository: on Hugging Face.
        method: whose weights they are.
        config: size of the network.
        licence: of the weights, and so of what is made with them.
    """

    repository: str
    method: str
    config: ModelConfig
    licence: str


PUBLISHED_WEIGHTS = (  # docs/method.md §1
    PublishedWeights(
        repository="naver/DUSt3R_ViTLarge_BaseDecoder_512_dpt",
        method="DUSt3R",
        config=ModelConfig.published(),
        licence=PUBLISHED_LICENCE,
    ),
    PublishedWeights(
        repository="Junyi42/MonST3R_PO-TA-S-W_ViTLarge_BaseDecoder_512_dpt",
        method="MonST3R",
        config=ModelConfig.published(),
        licence=PUBLISHED_LICENCE,
    ),
)


def defaults_of(config: ModelConfig) -> WeightDefaults:
    """Default settings for weights that recommend none of their own.

    bfloat16 at the published size, where half the time and memory count
    (docs/decisions/011-precision-and-batching.md).
    """
    published = any(config == weights.config for weights in PUBLISHED_WEIGHTS)
    return WeightDefaults(precision="bfloat16" if published else "float32")


def licence_of(name: str) -> str:
    """Licence of weights whose files name none.

    It is the published one for every repository of the publishers and for whatever carries a
    published method's name: such files are copies of theirs or derived from them.
    """
    for weights in PUBLISHED_WEIGHTS:
        owner, _ = weights.repository.split("/")
        if name.startswith(f"{owner}/") or re.match(weights.method, name, re.IGNORECASE):
            return weights.licence
    return UNKNOWN_LICENCE


def allows_commercial_use(licence: str) -> bool:
    """Whether a licence is known to allow commercial use; a licence not known here is not."""
    return licence in _COMMERCIAL_LICENCES
