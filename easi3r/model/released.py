"""The released checkpoints' own description of a network, read into a `ModelConfig`.

A `.pth` holds it as the text of a constructor call, a Hugging Face folder as the same keywords in
`config.json` (docs/method.md §1). The text is parsed, never evaluated.
"""

import ast
import logging
import math
from typing import Any

from easi3r.errors import CheckpointError, SettingsError
from easi3r.model.network_config import ModelConfig

_SIZES = {
    "encoder_depth": "enc_depth",
    "encoder_channels": "enc_embed_dim",
    "encoder_heads": "enc_num_heads",
    "decoder_depth": "dec_depth",
    "decoder_channels": "dec_embed_dim",
    "decoder_heads": "dec_num_heads",
}
_REQUIRED = {*_SIZES.values(), "img_size", "head_type"}
# Both orientations run as they are and nothing is trained, so these change nothing here.
_WITHOUT_EFFECT = {"landscape_only", "patch_embed_cls", "freeze"}
_UNDERSTOOD = {"pos_embed", "output_mode", "depth_mode", "conf_mode", "patch_size"}
_REMEDY = "Use a checkpoint of DUSt3R's architecture (MonST3R has it too)"

logger = logging.getLogger(__name__)


def parse_constructor(location: str, text: str) -> dict[str, Any]:
    """Keywords of a constructor call in text form; values are literals, `inf` among them.

    Raises:
        CheckpointError: the text is anything else.
    """
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError("not one call with keywords only")
        names_resolved = _Infinities().visit(call)
        return {
            str(keyword.arg): ast.literal_eval(keyword.value) for keyword in names_resolved.keywords
        }
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        problem = (
            f"its constructor text {text[:80]!r} is not a call with literal keywords ({error})"
        )
        raise CheckpointError(location, problem, _REMEDY) from error


def released_config(location: str, keywords: dict[str, Any]) -> ModelConfig:
    """The size that constructor keywords describe.

    Raises:
        CheckpointError: a size is missing or impossible, or an output mode is another than the
            released one.
    """
    missing = sorted(_REQUIRED - set(keywords))
    if missing:
        problem = f"its description of the network lacks {', '.join(missing)}"
        raise CheckpointError(location, problem, _REMEDY)
    _check_modes(location, keywords)
    unknown = sorted(set(keywords) - _REQUIRED - _UNDERSTOOD - _WITHOUT_EFFECT)
    if unknown:
        logger.warning("%s: ignoring unknown keywords %s of the network", location, unknown)
    try:
        sizes: dict[str, Any] = {ours: int(keywords[theirs]) for ours, theirs in _SIZES.items()}
        sizes["patch_size"] = int(keywords.get("patch_size", 16))
        sizes["long_side_px"] = _long_side(keywords["img_size"])
        return ModelConfig(head=keywords["head_type"], **sizes)
    except (SettingsError, TypeError, ValueError) as error:
        problem = f"its description of the network is unusable ({error})"
        raise CheckpointError(location, problem, _REMEDY) from error


class _Infinities(ast.NodeTransformer):
    """`inf`, the one name that the released text uses, as its value."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.copy_location(ast.Constant(math.inf), node) if node.id == "inf" else node


def _check_modes(location: str, keywords: dict[str, Any]) -> None:
    """The released networks' conventions; the network here has no other."""
    supported = {
        "pos_embed": ("RoPE100",),
        "output_mode": ("pts3d",),
        "head_type": ("linear", "dpt"),
    }
    for name, values in supported.items():
        if keywords.get(name, values[0]) not in values:
            problem = f"{name}={keywords[name]!r} is not supported (only {' or '.join(values)})"
            raise CheckpointError(location, problem, _REMEDY)
    bounds = {"depth_mode": ("exp", -math.inf, math.inf), "conf_mode": ("exp", 1.0, math.inf)}
    for name, expected in bounds.items():
        mode = keywords.get(name, expected)
        if not _same_mode(mode, expected):
            problem = f"{name}={mode!r} is not supported (only {expected!r})"
            raise CheckpointError(location, problem, _REMEDY)


def _same_mode(mode: Any, expected: tuple[str, float, float]) -> bool:
    """JSON writers spell infinity as a number or as a string."""
    try:
        kind, low, high = mode
        return (kind, float(low), float(high)) == expected
    except (TypeError, ValueError):
        return False


def _long_side(image_size: Any) -> int:
    sides = image_size if isinstance(image_size, list | tuple) else (image_size,)
    return max(int(side) for side in sides)
