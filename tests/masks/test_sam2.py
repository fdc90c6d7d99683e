"""SAM 2 refines masks: the real classes of transformers, tiny and random."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import easi3r
from easi3r.config import Settings
from easi3r.cost.memory import within_budget
from easi3r.errors import CheckpointError, SettingsError
from easi3r.executor import InProcess
from easi3r.masks import refine_masks
from easi3r.method.refiner import refiner_memory, refiner_of
from easi3r.model import load_checkpoint
from easi3r.model.locations import file_sha256
from easi3r.pipeline import examine_frames
from easi3r.run.collection import annotate_collection, prepare
from easi3r.run.run import Run
from easi3r.store import audit
from easi3r.types import Frames
from tests.masks.tiny_sam2 import SIDE, save_tiny_sam2
from tests.scenes import write_scenes

pytest.importorskip("transformers", reason="the extra `sam2` is not installed")

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_sam2(tmp_path_factory.mktemp("sam2"))


def chosen(weights: Path, **groups: Any) -> Settings:
    base = {
        "video": {"long_side_px": 64},
        "sampling": {"clip_frames": 4},
        "alignment": {"max_steps": 2},
        "execution": {"device": "cpu"},
        "masks": {"refine": "sam2", "refiner_weights": str(weights)},
    }
    return Settings.parse({**base, **groups})


def moving_square(frames: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Images and masks of a bright square that moves to the right."""
    images = np.random.default_rng(0).integers(0, 90, (frames, 48, 64, 3), dtype=np.uint8)
    masks = np.zeros((frames, 48, 64), bool)
    for number in range(frames):
        masks[number, 10:26, 5 + 8 * number : 21 + 8 * number] = True
    images[masks] = 230
    return images, masks


def test_every_frame_that_is_not_prompted_is_tracked_and_always_the_same(weights: Path) -> None:
    refiner = refiner_of(chosen(weights).masks, CPU)
    assert refiner is not None
    images, masks = moving_square()
    prompts = {1: masks[1], 3: masks[3]}
    tracked = refiner.tracker.track(images, prompts)
    again = refiner.tracker.track(images, prompts)
    assert sorted(tracked) == [0, 2, 4]
    for number, mask in tracked.items():
        assert (mask.shape, mask.dtype) == ((48, 64), bool)
        np.testing.assert_array_equal(mask, again[number])
    other = refiner.tracker.track(images, {1: masks[0], 3: ~masks[3]})
    assert any((other[number] != mask).any() for number, mask in tracked.items())
    refined = refine_masks(images, masks, refiner.tracker)
    assert refined[masks].all()


def test_frames_reach_the_network_as_its_processor_would_give_them(weights: Path) -> None:
    refiner = refiner_of(chosen(weights).masks, CPU)
    assert refiner is not None
    images = np.full((1, 48, 64, 3), (124, 116, 104), np.uint8)  # ImageNet's mean
    picture = refiner.tracker.picture(images[0])
    assert picture.shape == (3, SIDE, SIDE)
    assert picture.abs().max() < 0.02
    white = refiner.tracker.picture(np.full((48, 64, 3), 255, np.uint8))
    expected = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(white.amax((1, 2)), expected)


def test_a_run_stores_both_masks_and_names_results_by_the_refiner(
    weights: Path, tmp_path: Path
) -> None:
    write_scenes(tmp_path / "videos", count=1, frames=4)
    dataset = str(tmp_path / "out.zarr")
    run = Run.of(str(tmp_path / "videos"), dataset, chosen(weights))
    assert annotate_collection(run).succeeded
    (clip_id,) = easi3r.open_dataset(dataset)
    clip = easi3r.open_dataset(dataset)[clip_id].load()
    mask, unrefined = clip.dynamic_mask.values, clip.dynamic_mask_unrefined.values
    assert mask[unrefined].all()
    sha256 = file_sha256(weights / "model.safetensors")
    provenance = clip.attrs["provenance"]
    assert provenance["refiner_sha256"] == sha256
    assert provenance["refiner_name"] == f"sam2 {weights.name}"
    pinned = prepare(run, InProcess())
    assert pinned.settings.masks.refiner_sha256 == sha256
    assert clip.attrs["result_id"] == pinned.result_id_of(clip_id, None)
    assert clip.attrs["seconds_by_stage"]["refinement"] > 0
    assert audit(dataset).clean
    assert annotate_collection(run).clips["skipped"] == 1

    moved = shutil.copytree(weights, tmp_path / "moved")  # the same weights, elsewhere
    assert annotate_collection(replace(run, settings=chosen(moved))).clips["skipped"] == 1
    other = save_tiny_sam2(tmp_path / "other", seed=1)
    assert annotate_collection(replace(run, settings=chosen(other))).clips["committed"] == 1
    plain = chosen(weights, masks={})
    assert annotate_collection(replace(run, settings=plain)).clips["committed"] == 1
    assert len(easi3r.open_dataset(dataset).results) == 3
    assert audit(dataset).clean


def test_from_python_the_cameras_stay_as_they_are(weights: Path, tmp_path: Path) -> None:
    (video,) = write_scenes(tmp_path, count=1, frames=4)
    refined = easi3r.annotate(video, settings=chosen(weights))
    plain = easi3r.annotate(video, settings=chosen(weights, masks={}))
    np.testing.assert_array_equal(refined.camera_to_world, plain.camera_to_world)
    np.testing.assert_array_equal(refined.clips[0].unrefined_mask, plain.dynamic_mask)
    assert refined.dynamic_mask[plain.dynamic_mask].all()
    assert plain.clips[0].unrefined_mask is None
    assert plain.clips[0].provenance.settings_digest == chosen(weights, masks={}).digest


def test_an_examination_scores_the_refined_masks(weights: Path) -> None:
    images, _ = moving_square(4)
    frames = Frames(images, np.arange(4) / 10, np.arange(4), np.eye(3))
    model = load_checkpoint("nano")
    refined = examine_frames(frames, model, chosen(weights)).masks
    plain = examine_frames(frames, model, chosen(weights, masks={})).masks
    assert bool(refined.mask[plain.mask].all())


def test_its_memory_is_part_of_the_budget(weights: Path) -> None:
    images, _ = moving_square(4)
    frames = Frames(images, np.arange(4) / 10, np.arange(4), np.eye(3))
    settings, config = chosen(weights), load_checkpoint("nano").config
    memory = refiner_memory(settings.masks, CPU, frames)
    assert memory is not None
    assert memory.held_bytes > 4 * 300_000
    assert memory.working_bytes > 0
    assert refiner_memory(Settings().masks, CPU, frames) is None
    tight = settings.model_copy(
        update={
            "execution": settings.execution.model_copy(update={"memory_budget_bytes": 2 * 10**9})
        }
    ).completed(load_checkpoint("nano").defaults)
    assert within_budget(tight, config, frames, memory)
    with pytest.raises(SettingsError, match="memory_budget_bytes"):
        within_budget(tight, config, frames, replace(memory, working_bytes=2 * 10**9))


def broken(weights: Path, folder: Path, kind: str) -> Path:
    copy = shutil.copytree(weights, folder / kind)
    config = json.loads((copy / "config.json").read_text())
    match kind:
        case "another network":
            (copy / "config.json").write_text(json.dumps({"model_type": "bert"}))
        case "no config":
            (copy / "config.json").unlink()
        case "damaged":
            (copy / "model.safetensors").write_bytes(b"\0" * 100)
        case "other shapes":
            config["mask_decoder_config"]["mlp_dim"] = 48
            (copy / "config.json").write_text(json.dumps(config))
    return copy


@pytest.mark.parametrize("kind", ["another network", "no config", "damaged", "other shapes"])
def test_weights_that_cannot_be_used_are_one_line(
    weights: Path, tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = chosen(broken(weights, tmp_path, kind))
    with pytest.raises(CheckpointError) as caught:
        refiner_of(settings.masks, CPU)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_the_weights_of_the_network_are_no_refiner() -> None:
    masks = Settings.parse({"masks": {"refine": "sam2", "refiner_weights": "nano"}}).masks
    with pytest.raises(CheckpointError, match=r"nano: nano\.safetensors is not a folder"):
        refiner_of(masks, CPU)


def test_missing_weights_stop_a_run_before_it_begins(weights: Path, tmp_path: Path) -> None:
    write_scenes(tmp_path / "videos", count=1, frames=3)
    masks = {"refine": "sam2", "refiner_weights": str(tmp_path / "nothing")}
    run = Run.of(str(tmp_path / "videos"), str(tmp_path / "out.zarr"), chosen(weights, masks=masks))
    with pytest.raises(CheckpointError, match="nothing"):
        annotate_collection(run)
    pinned = run.with_refiner("0" * 64)
    other = replace(
        pinned,
        settings=chosen(
            weights, masks={**masks, "refiner_sha256": "0" * 64, "refiner_weights": str(weights)}
        ),
    )
    with pytest.raises(CheckpointError, match="SHA-256"):
        annotate_collection(other)
    assert not (tmp_path / "out.zarr").exists()
