"""Image formation: what each effect does, and that it does nothing else."""

import numpy as np
import pytest
import torch

from easi3r.synthetic import (
    CameraKind,
    CameraSettings,
    SceneSettings,
    SensorSettings,
    render,
    sample_scene,
)
from easi3r.synthetic.object_motion import constant, wave
from easi3r.synthetic.sensor import Sensor, develop, draw_sensor

PLAIN = {
    "blur": 0,
    "rolling": 0,
    "gain_drift": (0, 0),
    "gain_jitter": (0, 0),
    "vignetting": (0, 0),
    "noise": (0, 0),
    "jpeg": 0,
}
TIMES = np.arange(6) / 12


def images(seed: int = 3, **effects: object) -> np.ndarray:
    sensor = SensorSettings.model_validate({**PLAIN, **effects})
    pan = CameraSettings(kinds=(CameraKind.PAN,), turn_rate=(60, 60))
    settings = SceneSettings(frames=4, height=48, width=64, sensor=sensor, camera=pan)
    return render(sample_scene(seed, settings)).images.astype(float)


def grey(sensor: Sensor) -> np.ndarray:
    light = torch.full((len(TIMES), 40, 60, 3), 0.4)
    return develop(light, sensor, TIMES, torch.Generator().manual_seed(0)).astype(float)


def sensor(**changes: object) -> Sensor:
    ideal: dict[str, object] = {
        "log_gain": constant([0.0]),
        "readout_seconds": 0.0,
        "shutter_seconds": 0.0,
        "instants": 1,
        "vignetting": 0.0,
        "noise": 0.0,
        "jpeg_quality": None,
    }
    return Sensor(**{**ideal, **changes})  # type: ignore[arg-type]


def test_an_ideal_sensor_rounds_light() -> None:
    assert (grey(sensor()) == 102).all()


def test_gain_drifts_over_frames_and_over_the_rows_of_a_rolling_shutter() -> None:
    drift = wave([0.2], 6.0, [0.0])
    whole, rolling = (
        grey(sensor(log_gain=drift)),
        grey(sensor(log_gain=drift, readout_seconds=0.03)),
    )
    np.testing.assert_allclose(whole[:, 0, 0, 0], 102 * np.exp(0.2 * np.sin(6 * TIMES)), atol=1)
    assert (np.ptp(whole, axis=1) == 0).all()
    assert np.ptp(rolling[0, :, 0, 0]) >= 3
    assert (np.ptp(rolling, axis=2) == 0).all()


def test_vignetting_darkens_corners() -> None:
    image = grey(sensor(vignetting=0.3))[0, ..., 0]
    assert image[0, 0] == pytest.approx(0.7 * 102, abs=1)
    assert image[20, 30] == pytest.approx(102, abs=1)


def test_noise_has_the_strength_of_the_settings() -> None:
    assert grey(sensor(noise=3.0)).std() == pytest.approx(3.0, abs=0.2)


def test_compression_leaves_blocks() -> None:
    clean = images()
    poor, fine = (np.abs(clean - images(jpeg=1, jpeg_quality=(q, q))).mean() for q in (10, 98))
    assert 0 < fine < 5  # colour has half the resolution at any quality
    assert 1.5 * fine < poor < 25


def test_blur_smooths_what_moves_and_keeps_the_middle() -> None:
    """Frames of a turning camera lose detail and keep their place."""
    sharp, blurred = images(), images(blur=1, shutter=(0.9, 0.9))
    detail = [np.abs(np.diff(image, axis=2)).mean() for image in (sharp, blurred)]
    assert detail[1] < 0.95 * detail[0]
    shifted = [np.abs(np.roll(sharp, step, axis=2) - blurred).mean() for step in (-2, 0, 2)]
    assert np.argmin(shifted) == 1


def test_exposures_are_centred_on_their_frames() -> None:
    instants = sensor(shutter_seconds=0.05, instants=5).instants_of(TIMES)
    np.testing.assert_array_equal(instants[:, 2], TIMES)
    np.testing.assert_allclose(instants.mean(axis=1), TIMES)
    np.testing.assert_allclose(np.ptp(instants, axis=1), 0.04)


def test_effects_occur_in_the_shares_of_the_settings() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_sensor(rng, SensorSettings(), 1 / 12) for _ in range(600)]
    shares = [
        np.mean([item.instants > 1 for item in drawn]),
        np.mean([item.readout_seconds > 0 for item in drawn]),
        np.mean([item.jpeg_quality is not None for item in drawn]),
    ]
    np.testing.assert_allclose(shares, [0.15, 0.3, 0.35], atol=0.05)
