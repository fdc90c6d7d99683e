import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from easi3r.errors import SettingsError
from easi3r.model import DUSt3R, ModelConfig, explicit_attention, normalise
from easi3r.tensors import FrameFeatures, PairPrediction
from tests.golden import REFERENCE
from tests.golden.network import size_of
from tests.model.sizes import EDGES, TINY, build, images


@pytest.fixture(scope="module")
def network() -> DUSt3R:
    return build(TINY).requires_grad_(False)


@pytest.fixture(scope="module")
def features(network: DUSt3R) -> FrameFeatures:
    return network.encode(normalise(images(48, 80)))


def all_outputs(prediction: PairPrediction) -> torch.Tensor:
    points = torch.cat([prediction.points_1, prediction.points_2], dim=-1)
    confidence = torch.stack([prediction.confidence_1, prediction.confidence_2], dim=-1)
    return torch.cat([points, confidence], dim=-1)


@pytest.mark.parametrize(
    ("file", "heads"),
    [
        ("dust3r_vitl_512_dpt_state_dict.json", None),
        ("tiny_dpt_state_dict.json", (4, 12)),
        ("tiny_linear_state_dict.json", (4, 12)),
    ],
)
def test_names_and_shapes_of_the_published_state_dicts(
    file: str, heads: tuple[int, int] | None
) -> None:
    reference = json.loads((REFERENCE / file).read_text())
    config = size_of(reference, *heads) if heads else ModelConfig.published()
    with torch.device("meta"):
        state = DUSt3R(config).state_dict()
    assert {name: list(tensor.shape) for name, tensor in state.items()} == reference


def test_normalise_spans_minus_one_to_one() -> None:
    pixels = torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8)
    expected = torch.tensor([-1.0, -0.6, 1.0]).reshape(1, 3, 1, 1)
    torch.testing.assert_close(normalise(pixels), expected)


@pytest.mark.parametrize("head", ["linear", "dpt"])
@pytest.mark.parametrize("patch", [8, 16])
@pytest.mark.parametrize(("rows", "columns"), [(3, 5), (5, 3), (1, 4), (4, 4)])
def test_any_grid_of_patches_gives_a_point_per_pixel(
    head: str, patch: int, rows: int, columns: int
) -> None:
    network = build(replace(TINY, head=head, patch_size=patch)).requires_grad_(False)
    height, width = rows * patch, columns * patch
    features = network.encode(normalise(images(height, width)))
    prediction, key_means = network.predict(features, EDGES)
    assert features.tokens.shape == (3, rows * columns, 32)
    assert all_outputs(prediction).shape == (3, height, width, 8)
    assert torch.isfinite(all_outputs(prediction)).all()
    assert (prediction.confidence_1 > 1).all()
    assert (prediction.confidence_2 > 1).all()
    assert key_means.decoder_2.shape == (3, rows, columns, 4 * 3)


def test_a_side_that_is_no_multiple_of_the_patch_is_refused(network: DUSt3R) -> None:
    with pytest.raises(SettingsError, match="90x48"):
        network.encode(normalise(images(48, 90)))


def test_features_of_a_frame_do_not_depend_on_its_batch(
    network: DUSt3R, features: FrameFeatures
) -> None:
    alone = network.encode(normalise(images(48, 80)[1:2]))
    torch.testing.assert_close(alone.tokens[0], features.tokens[1])


def test_a_pair_does_not_depend_on_its_batch(network: DUSt3R, features: FrameFeatures) -> None:
    masks = torch.rand(3, 15, generator=torch.Generator().manual_seed(1)) < 0.4
    together, means = network.predict(features, EDGES, masks)
    for index in range(len(EDGES)):
        alone, own_means = network.predict(features, EDGES[index : index + 1], masks)
        torch.testing.assert_close(all_outputs(alone)[0], all_outputs(together)[index])
        torch.testing.assert_close(own_means.decoder_2[0], means.decoder_2[index])


def test_the_order_of_a_pair_matters(network: DUSt3R, features: FrameFeatures) -> None:
    prediction, _ = network.predict(features, EDGES)
    assert not torch.allclose(prediction.points_1[0], prediction.points_2[1], atol=1e-3)


def test_key_means_are_the_means_of_the_explicit_logits(
    network: DUSt3R, features: FrameFeatures
) -> None:
    key_means = network.key_means(features, EDGES)
    layers = list(network.decode(features, EDGES))
    logits_1 = torch.cat([layer.decoder_1.scores.logits() for layer in layers], dim=1)
    logits_2 = torch.cat([layer.decoder_2.scores.logits() for layer in layers], dim=1)
    grid = (3, 3, 5, 4 * 3)
    expected_1 = logits_1.mean(dim=2).transpose(1, 2).reshape(grid)
    expected_2 = logits_2.mean(dim=2).transpose(1, 2).reshape(grid)
    torch.testing.assert_close(key_means.decoder_1, expected_1)
    torch.testing.assert_close(key_means.decoder_2, expected_2)
    assert expected_1.std() > 1e-3


def test_predict_gives_the_key_means_of_its_own_pass(
    network: DUSt3R, features: FrameFeatures
) -> None:
    masks = torch.rand(3, 15, generator=torch.Generator().manual_seed(2)) < 0.4
    _, plain = network.predict(features, EDGES)
    _, reweighted = network.predict(features, EDGES, masks)
    torch.testing.assert_close(plain.decoder_1, network.key_means(features, EDGES).decoder_1)
    again = network.key_means(features, EDGES, masks)
    torch.testing.assert_close(reweighted.decoder_1, again.decoder_1)
    first_layer = slice(0, 3)
    torch.testing.assert_close(
        plain.decoder_1[..., first_layer], reweighted.decoder_1[..., first_layer]
    )
    assert not torch.allclose(plain.decoder_1, reweighted.decoder_1, atol=1e-4)


def test_empty_masks_give_the_unweighted_pass(network: DUSt3R, features: FrameFeatures) -> None:
    plain, _ = network.predict(features, EDGES)
    masks = torch.zeros(3, 15, dtype=torch.bool)
    masks[0] = True  # never image 2 of the pairs below
    edges = np.array([[0, 1], [0, 2]])
    expected, _ = network.predict(features, edges)
    reweighted, _ = network.predict(features, edges, masks)
    assert torch.equal(all_outputs(reweighted), all_outputs(expected))
    nothing, _ = network.predict(features, EDGES, torch.zeros(3, 15, dtype=torch.bool))
    assert torch.equal(all_outputs(nothing), all_outputs(plain))


def test_the_layer_after_the_last_scores_is_never_computed(
    network: DUSt3R, features: FrameFeatures
) -> None:
    calls = []
    handles = [
        block.mlp.register_forward_hook(lambda *_: calls.append(1)) for block in network.dec_blocks
    ]
    network.key_means(features, EDGES)
    for handle in handles:
        handle.remove()
    assert len(calls) == TINY.decoder_depth - 1


def test_both_kernels_agree(network: DUSt3R, features: FrameFeatures) -> None:
    explicit = DUSt3R(TINY, kernel=explicit_attention).eval().requires_grad_(False)
    explicit.load_state_dict(network.state_dict())
    masks = torch.rand(3, 15, generator=torch.Generator().manual_seed(3)) < 0.4
    expected, _ = network.predict(features, EDGES, masks)
    prediction, _ = explicit.predict(explicit.encode(normalise(images(48, 80))), EDGES, masks)
    torch.testing.assert_close(all_outputs(prediction), all_outputs(expected))


def test_every_parameter_in_use_gets_a_gradient() -> None:
    network = build(TINY)
    features = network.encode(normalise(images(48, 80)))
    layers = list(network.decode(features, EDGES))
    prediction = network.regress(features, EDGES, layers)
    match = layers[1].decoder_1.scores.logits()[:, 0].log_softmax(dim=-1)
    (all_outputs(prediction).square().mean() + match.square().mean()).backward()
    without = {name for name, p in network.named_parameters() if p.grad is None}
    unused = {
        f"downstream_head{head}.dpt.scratch.refinenet4.resConfUnit1.conv{conv}.{kind}"
        for head in (1, 2)
        for conv in (1, 2)
        for kind in ("weight", "bias")
    }
    assert without == unused | {"mask_token"}


def test_heads_and_key_means_stay_in_float32_under_autocast(
    network: DUSt3R, features: FrameFeatures
) -> None:
    expected, _ = network.predict(features, EDGES)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half_features = network.encode(normalise(images(48, 80)))
        prediction, key_means = network.predict(half_features, EDGES)
    assert half_features.tokens.dtype == torch.float32
    assert key_means.decoder_1.dtype == torch.float32
    assert prediction.points_1.dtype == torch.float32
    error = (all_outputs(prediction) - all_outputs(expected)).abs().max()
    assert 0 < error < 0.2 * all_outputs(expected).std()


def test_lower_precision_rounds_only_the_blocks(network: DUSt3R, features: FrameFeatures) -> None:
    lower = network.in_precision("bfloat16")
    rounded = {name for name, t in lower.state_dict().items() if t.dtype == torch.bfloat16}
    assert rounded
    assert not any("norm" in name or "head" in name or "patch" in name for name in rounded)
    for name, tensor in network.state_dict().items():
        same = lower.state_dict()[name].data_ptr() == tensor.data_ptr()
        assert same == (name not in rounded)
    lower_features = lower.encode(normalise(images(48, 80)))
    prediction, key_means = lower.predict(lower_features, EDGES)
    assert lower_features.tokens.dtype == torch.float32
    assert key_means.decoder_1.dtype == torch.float32
    assert prediction.points_1.dtype == torch.float32
    expected, _ = network.predict(features, EDGES)
    error = (all_outputs(prediction) - all_outputs(expected)).abs().max()
    assert 0 < error < 0.2 * all_outputs(expected).std()


def test_precision_is_converted_once_and_cannot_be_restored(network: DUSt3R) -> None:
    assert network.in_precision("float32") is network
    lower = network.in_precision("bfloat16")
    assert lower.in_precision("bfloat16") is lower
    with pytest.raises(SettingsError, match="rounded"):
        lower.in_precision("float32")
