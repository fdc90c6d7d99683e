"""bfloat16 support of this machine's processor, against the flags that the kernel reports."""

import platform
from pathlib import Path

import pytest
import torch

from easi3r.model.precision import has_bfloat16

CPU_INFO = Path("/proc/cpuinfo")


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not CPU_INFO.exists(), reason="no x86 under Linux"
)
def test_bfloat16_support_equals_the_kernels_cpu_flags() -> None:
    flags = set(CPU_INFO.read_text().split())
    assert has_bfloat16(torch.device("cpu")) == bool(flags & {"avx512_bf16", "amx_tile"})
