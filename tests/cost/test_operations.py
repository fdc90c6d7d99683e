"""Operations in closed form equal those counted while the network runs."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from easi3r.config import ModelSettings, Settings
from easi3r.cost.operations import ClipWork, StageCost
from easi3r.method.passes import attention_pass, encode, inference, reweighted_pass
from easi3r.model import DUSt3R, ModelConfig
from easi3r.types import Frames
from tests.counting import Counter
from tests.model.sizes import TINY, build

REFERENCE_TFLOP = 731.5  # of a clip of 32 frames at 512x288, counted in the released code
PUBLISHED_CLIP = ClipWork.of(ModelConfig.published(), Settings(), 32, 288, 512)


def stage(clip: ClipWork, *names: str) -> StageCost:
    chosen = [one for one in clip.stages() if one.stage in names]
    assert len(chosen) == len(names)
    flops, moved = sum(one.flops for one in chosen), sum(one.bytes_moved for one in chosen)
    return StageCost(" + ".join(names), flops, moved)


def assert_counted(expected: StageCost, run: Callable[[], object], tolerance: float) -> None:
    with Counter() as counted, torch.no_grad():
        run()
    assert counted.flops == pytest.approx(expected.flops, rel=tolerance)
    assert counted.bytes_moved == pytest.approx(expected.bytes_moved, rel=tolerance)


@pytest.mark.parametrize(
    ("config", "frames", "height", "width", "batch"),
    [
        (TINY, 5, 48, 80, 8),  # an odd grid of tokens
        (replace(TINY, head="linear"), 4, 64, 32, 3),
        (replace(TINY, patch_size=8), 3, 32, 64, 1),
    ],
    ids=["dpt", "linear", "patch 8"],
)
def test_operations_of_every_stage_of_a_small_clip_equal_the_counted_ones(
    config: ModelConfig, frames: int, height: int, width: int, batch: int
) -> None:
    settings = Settings.parse({"execution": {"pairs_per_batch": batch}})
    clip = ClipWork.of(config, settings, frames, height, width)
    graph, execution = clip.graph, settings.execution
    network = build(config).requires_grad_(False)
    images = np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), np.uint8)
    decoded = Frames(images, np.arange(frames) / 10, np.arange(frames), np.eye(3))
    features = encode(network, decoded, execution)
    moving = torch.ones(frames, height, width, dtype=torch.bool)
    assert_counted(stage(clip, "encoder"), lambda: encode(network, decoded, execution), 0)
    assert_counted(
        stage(clip, "pass 1"), lambda: attention_pass(network, features, graph, execution), 0
    )
    assert_counted(
        stage(clip, "pass 2", "heads"),
        lambda: reweighted_pass(network, features, graph, execution, moving),
        0,
    )


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 0), ("bfloat16", 0.05)])
def test_operations_of_the_published_size_equal_the_counted_ones(
    precision: str, tolerance: float
) -> None:
    """On fake tensors, all pairs in one batch."""
    clip = replace(PUBLISHED_CLIP, pairs_per_batch=270, precision=precision)
    edges = clip.graph.edges
    assert len(edges) == 270
    settings = Settings(model=ModelSettings.model_validate({"precision": precision}))
    with FakeTensorMode():
        network = DUSt3R(clip.config).in_precision(settings.model.precision or "float32")
        images = torch.empty(clip.frames, 3, clip.height, clip.width)
        moving = torch.ones(clip.frames, clip.tokens, dtype=torch.bool)
        with inference(settings):
            features = network.encode(images)
            encoder = stage(clip, "encoder")
            assert_counted(encoder, lambda: network.encode(images), tolerance)
            first = stage(clip, "pass 1")
            assert_counted(first, lambda: network.key_means(features, edges), tolerance)
            assert_counted(
                stage(clip, "pass 2", "heads"),
                lambda: network.predict(features, edges, moving),
                tolerance,
            )


def test_a_clip_costs_little_over_a_third_of_the_reference() -> None:
    assert PUBLISHED_CLIP.reference_flops / 1e12 == pytest.approx(REFERENCE_TFLOP, abs=0.1)
    assert PUBLISHED_CLIP.network_flops / 1e12 <= 0.37 * REFERENCE_TFLOP


@pytest.mark.parametrize("config", [TINY, replace(TINY, head="linear"), ModelConfig.published()])
def test_all_parameters_are_counted(config: ModelConfig) -> None:
    with torch.device("meta"):
        parameters = DUSt3R(config).parameters()
    clip = ClipWork.of(config, Settings(), 2, config.patch_size, config.patch_size)
    assert clip.parameters == sum(one.numel() for one in parameters)


def test_cues_of_geometry_cost_the_heads_in_both_passes() -> None:
    combined = replace(PUBLISHED_CLIP, cue="combined")
    assert stage(combined, "heads of pass 1").flops == stage(PUBLISHED_CLIP, "heads").flops
    assert combined.network_flops > PUBLISHED_CLIP.network_flops


def test_cost_of_a_kmeans_step_is_proportional_to_the_clusters() -> None:
    settings = Settings.parse({"segmentation": {"clusters": 128}})
    many = ClipWork.of(ModelConfig.published(), settings, 32, 288, 512)
    step = "segmentation, a step"
    assert stage(many, step).flops == 2 * stage(PUBLISHED_CLIP, step).flops
