"""Tensors of all pairs of a clip, put together from batches of pairs in any order."""

from dataclasses import fields
from typing import Generic, TypeVar

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from easi3r.tensors import KeyMeans, PairPrediction

PerPair = TypeVar("PerPair", PairPrediction, KeyMeans)


class Gathered(Generic[PerPair]):
    """Every batch is written to its place, so that nothing is held twice.

    Args:
        pairs: how many there will be.
    """

    def __init__(self, pairs: int) -> None:
        self._pairs = pairs
        self._put = 0
        self._result: PerPair | None = None

    def put(self, pairs: Int64[np.ndarray, " batch"], values: PerPair) -> None:
        """Take in the values of some pairs, each pair once."""
        if self._result is None:
            self._result = type(values)(
                *(part.new_empty(self._pairs, *part.shape[1:]) for part in _tensors(values))
            )
        for whole, part in zip(_tensors(self._result), _tensors(values), strict=True):
            whole[torch.as_tensor(pairs, device=whole.device)] = part
        self._put += len(pairs)

    def result(self) -> PerPair:
        """The values of all pairs.

        Raises:
            ValueError: not every pair was put.
        """
        if self._result is None or self._put != self._pairs:
            raise ValueError(f"{self._put} of {self._pairs} pairs were put")
        return self._result


def select(values: PerPair, pairs: Int64[np.ndarray, " batch"]) -> PerPair:
    """The values of some pairs."""
    parts = _tensors(values)
    return type(values)(*(part[torch.as_tensor(pairs, device=part.device)] for part in parts))


def _tensors(values: PerPair) -> list[Tensor]:
    return [getattr(values, field.name) for field in fields(values)]
