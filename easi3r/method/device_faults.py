"""Faults of the device itself, which no call in the same process survives."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from easi3r.errors import DeviceFaultError

# What torch raises for any error that a CUDA call returns, from 2.8 on; a RuntimeError before.
_ACCELERATOR_ERROR: tuple[type[Exception], ...] = (
    (torch.AcceleratorError,) if hasattr(torch, "AcceleratorError") else ()
)
# Of CUDA and its libraries, in lower case: after these the context is dead, or the device is.
_FAULTS = (
    "an illegal memory access was encountered",
    "an illegal instruction was encountered",
    "misaligned address",
    "invalid program counter",
    "hardware stack error",
    "device-side assert",
    "unspecified launch failure",
    "the launch timed out and was terminated",
    "cuda error: unknown error",
    "context is destroyed",
    "uncorrectable ecc error",
    "cudaerroreccuncorrectable",
    "uncorrectable nvlink error",
    "gpu is lost",
    "fallen off the bus",
    "no longer available",
    "busy or unavailable",
    "no cuda-capable device is detected",
    "cublas_status_execution_failed",
    "cudnn_status_execution_failed",
)
_NO_FAULTS = ("out of memory", "invalid device ordinal")  # too much asked for, or the wrong name


@contextmanager
def device_faults_named(device: str) -> Iterator[None]:
    """A device that is lost or refuses all further work, as our own error.

    Raises:
        DeviceFaultError: in place of what torch raises.
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_device_fault(error):
            raise
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        remedy = (
            "Run again in a new process: what is committed stays; where it comes back, see "
            "`nvidia-smi` and the system's log, and take the device out of service"
        )
        subject = f"{device} of {platform.node()}"
        raise DeviceFaultError(subject, f"the device failed ({first_line})", remedy) from error


def _is_device_fault(error: RuntimeError) -> bool:
    text = str(error).lower()
    if any(words in text for words in _NO_FAULTS):
        return False
    return isinstance(error, _ACCELERATOR_ERROR) or any(words in text for words in _FAULTS)
