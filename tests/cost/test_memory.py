"""Projected memory bounds the measured peak, and a memory budget bounds the pairs in flight."""

import json
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from itertools import takewhile
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import TypeAdapter
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from easi3r.config import ModelSettings, Settings, WeightDefaults
from easi3r.cost.memory import ClipMemory, needs_flow, within_budget
from easi3r.cost.operations import ClipWork
from easi3r.errors import SettingsError
from easi3r.method.passes import inference
from easi3r.model import DUSt3R, ModelConfig
from easi3r.run.out_of_memory import ClipSize, sizes_to_try
from easi3r.types import Frames
from tests.conftest import REPOSITORY
from tests.counting import tensors
from tests.memory_probe import SMALL, Probe

FEW_STEPS = {"alignment": {"max_steps": 3}}  # of the solver: as much memory, less time


def frames(count: int, height: int, width: int) -> Frames:
    images = np.zeros((count, height, width, 3), np.uint8)
    return Frames(images, np.arange(count) / 10, np.arange(count), np.eye(3))


def budgeted(budget_bytes: int, pairs_per_batch: int = 8) -> Settings:
    execution = {"memory_budget_bytes": budget_bytes, "pairs_per_batch": pairs_per_batch}
    return Settings.parse({"execution": execution}).completed(WeightDefaults())


def peak(settings: Settings, clip: Frames, pairs_per_batch: int) -> int:
    work = ClipWork.of(SMALL, settings, *clip.images.shape[:3])
    sized = replace(work, pairs_per_batch=pairs_per_batch)
    return ClipMemory(sized, needs_flow(settings)).peak_bytes


def probed(name: str, size: tuple[int, int, int], settings: dict[str, Any]) -> Probe:
    command = [sys.executable, "-m", "tests.memory_probe", name, *map(str, size)]
    run = subprocess.run(
        [*command, "--settings", json.dumps(settings)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return TypeAdapter(Probe).validate_json(run.stdout)


@examples(deadline=None, max_examples=30)
@given(
    count=st.integers(2, 40),
    most_pairs=st.integers(1, 64),
    budget_mb=st.integers(150, 20_000),
)
def test_a_budget_takes_as_many_pairs_as_fit(count: int, most_pairs: int, budget_mb: int) -> None:
    settings, clip = budgeted(budget_mb * 10**6, most_pairs), frames(count, 48, 80)
    budget = settings.execution.memory_budget_bytes
    assert budget is not None
    if peak(settings, clip, 1) > budget:
        with pytest.raises(SettingsError, match=str(peak(settings, clip, 1))):
            within_budget(settings, SMALL, clip)
        return
    chosen = within_budget(settings, SMALL, clip).execution.pairs_per_batch
    assert peak(settings, clip, chosen) <= budget
    assert chosen == most_pairs or peak(settings, clip, chosen + 1) > budget


def test_the_smallest_budget_named_in_the_error_is_sufficient() -> None:
    clip = frames(6, 144, 256)
    with pytest.raises(SettingsError) as refused:
        within_budget(budgeted(10**8), SMALL, clip)
    least = peak(budgeted(1), clip, 1)
    assert f"Give {least} or more" in refused.value.remedy
    assert within_budget(budgeted(least), SMALL, clip).execution.pairs_per_batch == 1


def test_without_a_budget_nothing_changes() -> None:
    settings = Settings().completed(WeightDefaults())
    assert within_budget(settings, SMALL, frames(6, 144, 256)) == settings


def test_running_out_of_memory_still_halves_what_a_budget_chose() -> None:
    """The device may have less than the budget says: the ladder goes on below it."""
    clip = frames(6, 144, 256)
    settings = budgeted(peak(budgeted(1), clip, 6))
    first, chosen = ClipSize.of(settings, clip), []
    for size in takewhile(lambda size: size.window == first.window, sizes_to_try(first)):
        smaller = size.settings(settings, first)
        chosen.append(within_budget(smaller, SMALL, clip).execution.pairs_per_batch)
    assert chosen == [6, 4, 2, 1]


@pytest.mark.parametrize(
    ("name", "size", "settings"),
    [
        ("nano", (16, 72, 96), {}),
        ("linear", (6, 144, 256), {"motion": {"cue": "flow"}}),
        ("small", (4, 112, 192), {"execution": {"memory_budget_bytes": 400_000_000}}),
    ],
    ids=["nano", "linear head, flow", "dpt head, budget"],
)
def test_the_measured_peak_is_below_the_projected(
    name: str, size: tuple[int, int, int], settings: dict[str, Any]
) -> None:
    probe = probed(name, size, settings | FEW_STEPS)
    budget = settings.get("execution", {}).get("memory_budget_bytes", probe.projected_bytes)
    assert budget <= probe.projected_bytes  # it lowers the pairs in flight
    assert budget / 2.5 < probe.peak_bytes <= budget


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_the_measured_peak_of_a_gpu_is_below_the_projected() -> None:
    probe = probed("published", (16, 288, 512), FEW_STEPS | {"execution": {"device": "cuda"}})
    assert probe.peak_bytes <= probe.projected_bytes


class HeldBytes(TorchDispatchMode):
    """The most that new tensors hold at once, fake ones too; what was there before is free."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._held: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for tensor in tensors([args, kwargs]):
            self._note(tensor.untyped_storage(), 0)
        result = func(*args, **(kwargs or {}))
        for tensor in tensors(result):
            storage = tensor.untyped_storage()
            self._note(storage, storage.nbytes())
        self.peak = max(self.peak, sum(self._held.values()))
        return result

    def _note(self, storage: torch.UntypedStorage, size: int) -> None:
        key = storage._cdata
        if key not in self._held:
            self._held[key] = size
            weakref.finalize(storage, self._held.pop, key, None)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_projections_of_the_published_size_bound_its_tensors(precision: str) -> None:
    """On fake tensors: the sizes of the real ones, none of their memory."""
    settings = Settings(model=ModelSettings.model_validate({"precision": precision}))
    clip = ClipWork.of(ModelConfig.published(), settings, 8, 288, 512)
    memory, edges = ClipMemory(clip, uses_flow=True), clip.graph.edges[: clip.pairs_per_batch]
    last = SimpleNamespace()

    def held(run: Callable[[], object]) -> int:
        with HeldBytes() as counted:
            last.result = run()
        return counted.peak

    with FakeTensorMode():
        network = DUSt3R(clip.config).in_precision(clip.precision)
        images = torch.empty(clip.frames, 3, clip.height, clip.width)
        moving = torch.ones(clip.frames, clip.tokens, dtype=torch.bool)
        with inference(settings):
            encoding = held(lambda: network.encode(images))
            features = last.result
            decoding = held(lambda: network.key_means(features, edges))
            predicting = held(lambda: network.predict(features, edges, moving))
    in_flight = clip.pairs_per_batch
    assert encoding <= memory.encoding_bytes <= 2 * encoding
    most = in_flight * memory.decoding_bytes + memory.embedded_bytes
    assert decoding <= most <= 2 * decoding
    most = memory.predicting_bytes + memory.embedded_bytes
    assert predicting <= most <= 2.2 * predicting
