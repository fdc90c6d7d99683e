"""Counts what the network really does, and the most that it holds, operation by operation.

Works on fake tensors too, so that a network of the published size costs nothing.
"""

from collections.abc import Iterable
from types import TracebackType
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

_ATEN = torch.ops.aten
_CPU_ATTENTION = _ATEN._scaled_dot_product_flash_attention_for_cpu
_COUNTED = {
    *(_ATEN.mm, _ATEN.addmm, _ATEN.bmm, _ATEN.baddbmm, _ATEN.convolution, _CPU_ATTENTION),
}


class Counter:
    """A context; what ran in it.

    Attributes:
        bytes_moved: operands and results of matrix products, convolutions and attention.
    """

    def __init__(self) -> None:
        # The counter of torch knows the attention of GPUs only.
        self._flops = FlopCounterMode(display=False, custom_mapping={_CPU_ATTENTION: _attention})
        self._moved = _Moved()

    def __enter__(self) -> "Counter":
        self._flops.__enter__()
        self._moved.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._moved.__exit__(kind, error, traceback)
        self._flops.__exit__(kind, error, traceback)

    @property
    def flops(self) -> int:
        """As torch counts them."""
        return self._flops.get_total_flops()

    @property
    def bytes_moved(self) -> int:
        return self._moved.bytes


class _Moved(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in _COUNTED:
            # Attention also returns what only a backward pass would read.
            first = result[0] if isinstance(result, tuple) else result
            self.bytes += sum(_bytes(each) for each in tensors([args, first]))
        return result


def _attention(queries: Any, keys: Any, values: Any, *_: Any, **__: Any) -> int:
    """Operations, from the shapes that the counter hands over."""
    return int(sdpa_flop_count(queries, keys, values))


def tensors(tree: Any) -> Iterable[Tensor]:
    """The tensors anywhere in nested arguments."""
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
