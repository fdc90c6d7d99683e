"""The whole method on frames in memory: shapes, invariances, and failures as our own errors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from easi3r.alignment import FlowTerm
from easi3r.config import Settings, WeightDefaults
from easi3r.errors import OutOfMemoryError, SettingsError
from easi3r.knowledge import KnownCameras
from easi3r.method.passes import PassResult
from easi3r.method.steps import ClipSteps, PassMotion, StageClock
from easi3r.model import DUSt3R, load_checkpoint
from easi3r.motion.cues import FEATURES
from easi3r.pipeline import (
    annotate_clip,
    annotate_frames,
    decode_clip,
    examine_frames,
    select_device,
)
from easi3r.store import open_dataset, prepare_dataset, write_clip
from easi3r.tensors import DynamicMasks
from easi3r.types import Frames, OpticalFlow, Padding, Reconstruction
from easi3r.video import plan_clips, probe
from easi3r.viz import recorded_frames
from tests.scenes import write_scenes
from tests.video.encoding import Recipe, encode

FRAMES = 5


def chosen(**groups: dict) -> Settings:
    groups.setdefault("alignment", {"max_steps": 20})
    return Settings.parse(groups)


@pytest.fixture(scope="module")
def network() -> DUSt3R:
    return load_checkpoint("nano").network


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    from easi3r.video import decode

    (path,) = write_scenes(tmp_path_factory.mktemp("scenes"), count=1, frames=FRAMES)
    settings = Settings()
    (spec,) = plan_clips(probe(str(path)), settings.sampling, settings.video)
    return decode(spec, long_side_px=96, patch_size=16)


def test_every_output_fits_the_frames(network: DUSt3R, frames: Frames) -> None:
    masks, reconstruction = annotate_frames(frames, network, chosen())
    size = frames.images.shape[:3]
    assert masks.mask.shape == size
    assert 0 <= masks.score.min() <= masks.score.max() <= 1
    assert reconstruction.depth.shape == reconstruction.confidence.shape == size
    assert (reconstruction.depth > 0).all()
    np.testing.assert_allclose(reconstruction.camera_to_world[0], np.eye(4), atol=1e-9)
    rotation = reconstruction.camera_to_world[:, :3, :3]
    identities = np.tile(np.eye(3), (FRAMES, 1, 1))
    np.testing.assert_allclose(rotation @ rotation.mT, identities, atol=1e-6)


def test_batches_of_pairs_do_not_change_results(network: DUSt3R, frames: Frames) -> None:
    one_masks, one = annotate_frames(frames, network, chosen(execution={"pairs_per_batch": 1}))
    all_masks, all_at_once = annotate_frames(
        frames, network, chosen(execution={"pairs_per_batch": 99})
    )
    assert (one_masks.mask == all_masks.mask).float().mean() > 0.99
    np.testing.assert_allclose(one.loss_history[-1], all_at_once.loss_history[-1], rtol=1e-2)


def test_the_same_call_gives_the_same_result(network: DUSt3R, frames: Frames) -> None:
    first_masks, first = annotate_frames(frames, network, chosen())
    second_masks, second = annotate_frames(frames, network, chosen())
    assert torch.equal(first_masks.mask, second_masks.mask)
    np.testing.assert_array_equal(first.depth, second.depth)
    np.testing.assert_array_equal(first.camera_to_world, second.camera_to_world)


def test_lower_precision_stays_close(network: DUSt3R, frames: Frames) -> None:
    """Depths by the rounding; scores loosely: at 96 tokens a frame, clusters of attention tip over,
    and which of them do depends on the processor's bfloat16 (correlation 0.75 to 0.93 over scenes).
    """
    exact_masks, exact = annotate_frames(frames, network, chosen())
    lower_masks, lower = annotate_frames(frames, network, chosen(model={"precision": "bfloat16"}))
    assert np.median(np.abs(np.log(lower.depth / exact.depth))) < 0.03
    scores = np.corrcoef(exact_masks.score.flatten(), lower_masks.score.flatten())
    assert scores[0, 1] > 0.5


def test_known_cameras_are_kept(network: DUSt3R, frames: Frames) -> None:
    height, width = frames.images.shape[1:3]
    intrinsics = np.array([[90.0, 0, width / 2], [0, 90.0, height / 2], [0, 0, 1]])
    known = KnownCameras(intrinsics=np.tile(intrinsics, (FRAMES, 1, 1)))
    _, reconstruction = annotate_frames(replace(frames, known=known), network, chosen())
    np.testing.assert_allclose(reconstruction.intrinsics, known.intrinsics)


def test_known_masks_replace_those_of_the_method_or_are_united_with_them(
    network: DUSt3R, frames: Frames
) -> None:
    moving = np.zeros(frames.images.shape[:3], bool)
    moving[:, 20:40, 30:60] = True
    known = replace(frames, moving=moving)
    for cue in ("attention", "flow"):
        alone, unaware = annotate_frames(frames, network, chosen(motion={"cue": cue}))
        replaced, aware = annotate_frames(known, network, chosen(motion={"cue": cue}))
        np.testing.assert_array_equal(replaced.mask.numpy(), moving)
        assert not np.array_equal(aware.depth, unaware.depth)  # they steer pass 2 as well
        unite = {"cue": cue, "known_masks": "unite"}
        united, _ = annotate_frames(known, network, chosen(motion=unite))
        assert (united.mask.numpy() >= moving).all()
        assert united.score.shape == alone.score.shape


def test_the_second_pass_is_steered_by_known_masks(
    network: DUSt3R, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the flow term leaves them out."""
    moving = np.zeros(frames.images.shape[:3], bool)
    moving[:, 20:40, 30:60] = True
    steering, static = [], []

    def second_pass(self: ClipSteps, masks: DynamicMasks, *rest: object) -> PassResult:
        steering.append(masks.mask.numpy())
        return original(self, masks, *rest)

    def flow_term(flow: OpticalFlow, still: np.ndarray) -> FlowTerm:
        static.append(still)
        return FlowTerm(flow, still)

    original = ClipSteps.second_pass
    monkeypatch.setattr(ClipSteps, "second_pass", second_pass)
    monkeypatch.setattr("easi3r.method.steps.FlowTerm", flow_term)
    for cue in ("attention", "flow"):
        annotate_frames(replace(frames, moving=moving), network, chosen(motion={"cue": cue}))
        np.testing.assert_array_equal(steering[-1], moving)
        np.testing.assert_array_equal(static[-1], ~moving)


def test_known_arrays_are_part_of_a_results_identity(tmp_path: Path, frames: Frames) -> None:
    (path,) = write_scenes(tmp_path, count=1, frames=3)
    settings = chosen(video={"long_side_px": 64})
    (spec,) = plan_clips(probe(str(path)), settings.sampling, settings.video)
    model = load_checkpoint("nano")
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, 0, 3] = [0, 0.1, 0.2]
    annotations = [
        annotate_clip(spec, model, settings, known)
        for known in (None, KnownCameras(camera_to_world=poses))
    ]
    plain, known = (annotation.provenance for annotation in annotations)
    assert (plain.settings_digest, plain.known_digest) == (settings.digest, None)
    assert known.settings_digest == settings.result_digest(known.known_digest) != settings.digest


CALIBRATION = {
    "coefficients": (0.5,) * FEATURES,
    "intercept": -3.0,
    "threshold": 0.3,
    "certain": 0.6,
}


@pytest.mark.parametrize("cue", ["flow", "match", "combined"])
def test_cues_of_geometry_mask_pixels(network: DUSt3R, frames: Frames, cue: str) -> None:
    motion = {"cue": cue, "calibration": CALIBRATION, "match_layers": (0, 1), "match_heads": (0,)}
    masks, reconstruction = annotate_frames(frames, network, chosen(motion=motion))
    assert masks.mask.shape == masks.score.shape == frames.images.shape[:3]
    assert 0 <= masks.score.min() <= masks.score.max() <= 1
    assert (reconstruction.depth > 0).all()


def test_the_combined_cue_asks_for_its_calibration(network: DUSt3R, frames: Frames) -> None:
    with pytest.raises(SettingsError, match="calibration"):
        annotate_frames(frames, network, chosen(motion={"cue": "combined"}))


def test_an_examination_holds_what_an_annotation_does(frames: Frames) -> None:
    model = replace(load_checkpoint("nano"), recommended=WeightDefaults())
    settings = chosen(motion={"calibration": CALIBRATION})
    masks, reconstruction = annotate_frames(frames, model.network, settings)
    found = examine_frames(frames, model, settings)
    assert torch.equal(found.masks.mask, masks.mask)
    np.testing.assert_array_equal(found.reconstruction.depth, reconstruction.depth)
    assert [one.name for one in found.cues] == ["attention", "flow", "match", "combined"]
    assert torch.equal(found.cues[0].masks.mask, masks.mask)
    assert found.first_reconstruction.depth.shape == reconstruction.depth.shape
    uncalibrated = examine_frames(frames, model, chosen())
    assert [one.name for one in uncalibrated.cues] == ["attention", "flow", "match"]


def test_the_second_alignment_starts_where_the_first_ended(network: DUSt3R, frames: Frames) -> None:
    settings = chosen(motion={"cue": "flow"}).completed(WeightDefaults())
    _, found = annotate_frames(frames, network, settings)
    clip = ClipSteps.begin(frames, network, settings)
    first = clip.first_pass()
    earlier = clip.reconstruct(first)
    steering = PassMotion(clip, first, earlier).masks()
    second = clip.second_pass(steering, first)
    np.testing.assert_array_equal(clip.reconstruct(second, steering, earlier).depth, found.depth)
    afresh = clip.reconstruct(second, steering)
    assert found.quality["start_objective"] < afresh.quality["start_objective"]


def test_what_settings_leave_open_is_as_the_weights_recommend(frames: Frames) -> None:
    advice = WeightDefaults(cue="flow", flow_weight=1.0)
    model = replace(load_checkpoint("nano"), recommended=advice)
    flow = chosen(motion={"cue": "flow"}, alignment={"max_steps": 20, "flow_weight": 1.0})
    recommended = examine_frames(frames, model, chosen())
    asked_for = examine_frames(frames, replace(model, recommended=WeightDefaults()), flow)
    assert torch.equal(recommended.masks.score, asked_for.masks.score)
    np.testing.assert_array_equal(recommended.reconstruction.depth, asked_for.reconstruction.depth)


def test_an_annotation_says_where_it_comes_from(tmp_path: Path) -> None:
    (path,) = write_scenes(tmp_path, count=1, frames=FRAMES)
    settings = chosen(video={"long_side_px": 96})
    model = load_checkpoint("nano")
    (spec,) = plan_clips(probe(str(path)), settings.sampling, settings.video)
    annotation = annotate_clip(spec, model, settings)
    patch = model.config.patch_size
    tokens = (FRAMES, *(side // patch for side in annotation.images_shape))
    assert annotation.dynamic_score.shape == tokens
    assert annotation.provenance.weights_sha256 == model.sha256
    assert annotation.provenance.settings_digest == settings.digest
    completed = settings.completed(model.defaults)
    assert Settings.model_validate_json(annotation.provenance.settings_json) == completed
    assert annotation.frame_index.tolist() == list(spec.frame_index)
    assert {"decode", "encoder", "pass 1", "pass 2", "alignment"} <= set(
        annotation.seconds_by_stage
    )


@pytest.mark.parametrize("cue", ["attention", "flow"])
def test_padding_never_moves_and_has_no_confidence(tmp_path: Path, cue: str) -> None:
    """Nor is it taken for part of the video where the clip is drawn."""
    path = tmp_path / "a.mp4"
    path.write_bytes(encode(Recipe(width=96, height=52, frames=FRAMES)))
    settings = chosen(video={"long_side_px": 96, "fit": "pad"}, motion={"cue": cue})
    (spec,) = plan_clips(probe(str(path)), settings.sampling, settings.video)
    annotation = annotate_clip(spec, load_checkpoint("nano"), settings)
    assert annotation.images_shape == (56, 96)
    assert annotation.padding == (0, 2, 0, 2)
    picture = annotation.padding.picture(56, 96)
    assert not annotation.dynamic_mask[:, ~picture].any()
    assert not annotation.reconstruction.confidence[:, ~picture].any()
    assert (annotation.reconstruction.confidence[:, picture] > 0).mean() > 0.5
    assert (annotation.reconstruction.depth > 0).all()
    dataset = str(tmp_path / "out.zarr")
    prepare_dataset(dataset, "{}")
    write_clip(dataset, annotation, settings.store)
    clip = open_dataset(dataset)[spec.clip_id]
    assert clip.attrs["padding"] == [0, 2, 0, 2]
    np.testing.assert_array_equal(
        recorded_frames(clip).images, decode_clip(spec, load_checkpoint("nano"), settings).images
    )


def test_padding_takes_next_to_no_part_in_the_alignment(network: DUSt3R, frames: Frames) -> None:
    """Other predictions in the padding, the same cameras."""
    padded = replace(frames, padding=Padding(0, 8, 0, 8))
    settings = chosen(alignment={"max_steps": 60, "flow_weight": 0})
    settings = settings.completed(WeightDefaults())
    clip = ClipSteps.begin(padded, network, settings)
    first = clip.first_pass()
    aligned = clip.reconstruct(first)
    beside = ~padded.padding.picture(*frames.images.shape[1:3])
    wrong = first.prediction.points_1.clone()
    wrong[:, beside] += 0.5 * wrong[:, beside].abs().mean()
    prediction = replace(first.prediction, points_1=wrong)
    disturbed = clip.reconstruct(replace(first, prediction=prediction))
    unpadded = ClipSteps.begin(frames, network, settings)
    believed = unpadded.reconstruct(replace(first, prediction=prediction))
    assert distance(disturbed, aligned) < 0.1 * distance(believed, aligned)


def distance(one: Reconstruction, other: Reconstruction) -> float:
    """Between the paths of two cameras."""
    return float(np.abs(one.camera_to_world - other.camera_to_world).max())


def test_stages_add_up() -> None:
    clock = StageClock()
    for _ in range(2):
        with clock.stage("a"):
            pass
    assert list(clock.seconds) == ["a"]
    assert clock.seconds["a"] >= 0


def test_out_of_memory_is_a_transient_error_that_names_the_device(
    network: DUSt3R, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise torch.OutOfMemoryError("no more")

    monkeypatch.setattr(network, "encode", exhausted)
    with pytest.raises(OutOfMemoryError, match="cpu: out of memory with 8 pairs in flight"):
        annotate_frames(frames, network, chosen())


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "tpu"])
def test_an_unknown_device_is_a_settings_error(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        select_device(name)


def test_the_cpu_is_a_device() -> None:
    assert select_device("cpu").type == "cpu"
    assert select_device("auto").type in {"cpu", "cuda"}
