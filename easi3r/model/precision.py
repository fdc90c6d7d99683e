"""Which devices compute in which precision (docs/decisions/011-precision-and-batching.md)."""

import torch

from easi3r.config import WeightDefaults


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies matrices of bfloat16 in hardware.

    Where it does not, torch converts every operand: on an EPYC with AVX2 alone the network of the
    published size took six times as long as in float32. Of processors those of x86 are known to
    (AVX512-BF16, AMX); the others count as without.
    """
    if device.type == "cpu":
        # The public `torch.cpu.get_capabilities` came later than the oldest torch we support.
        avx512, amx = torch.cpu._is_avx512_bf16_supported, torch.cpu._is_amx_tile_supported
        return bool(avx512() or amx())
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return True


def defaults_on(device: torch.device, recommended: WeightDefaults) -> WeightDefaults:
    """Recommended settings on a device: bfloat16 only where the device has it in hardware."""
    if has_bfloat16(device):
        return recommended
    return recommended.model_copy(update={"precision": "float32"})
