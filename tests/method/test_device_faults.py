"""What torch raises, sorted: faults of the device, too little memory, and errors of the program."""

from collections.abc import Callable

import pytest
import torch

from easi3r.config import ExecutionSettings
from easi3r.errors import DeviceFaultError, OutOfMemoryError
from easi3r.method.device_faults import device_faults_named
from easi3r.method.passes import device_errors_named
from tests.model.sizes import TINY, build

FAULTS = [
    "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be ..",
    "CUDA error: device-side assert triggered",
    "CUDA error: uncorrectable ECC error encountered",
    "CUDA error: unspecified launch failure",
    "CUDA error: unknown error",
    "CUDA error: misaligned address",
    "CUDA error: cudaErrorECCUncorrectable",
    "Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost.",
    "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
]
OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUBLAS error: CUBLAS_STATUS_ALLOC_FAILED"),
    MemoryError(),
]


@pytest.mark.parametrize("message", FAULTS)
def test_a_fault_names_the_device_and_what_to_do(message: str) -> None:
    with (
        pytest.raises(DeviceFaultError, match=r"^cuda:1 of .*the device failed") as caught,
        device_faults_named("cuda:1"),
    ):
        raise RuntimeError(message)
    assert message.splitlines()[0] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "nvidia-smi" in caught.value.remedy


@pytest.mark.skipif(not hasattr(torch, "AcceleratorError"), reason="this torch has none")
def test_any_error_of_an_accelerator_is_a_fault_but_for_what_was_asked_of_it() -> None:
    accelerator_error: Callable[[str], RuntimeError] = torch.AcceleratorError
    with pytest.raises(DeviceFaultError), device_faults_named("cuda:1"):
        raise accelerator_error("CUDA error: something new")
    for message in ("CUDA error: invalid device ordinal", "CUDA error: out of memory"):
        with pytest.raises(torch.AcceleratorError), device_faults_named("cuda:99"):
            raise accelerator_error(message)


def test_an_error_of_the_program_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"), device_faults_named("cuda:1"):
        raise RuntimeError("shapes differ")


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_running_out_of_memory_is_no_fault(error: Exception) -> None:
    with (
        pytest.raises(OutOfMemoryError, match="with 3 pairs in flight"),
        device_errors_named(build(TINY), ExecutionSettings(pairs_per_batch=3)),
    ):
        raise error


def test_a_fault_on_the_way_through_the_network_is_named() -> None:
    with (
        pytest.raises(DeviceFaultError, match="cpu of "),
        device_errors_named(build(TINY), ExecutionSettings()),
    ):
        raise RuntimeError(FAULTS[0])
