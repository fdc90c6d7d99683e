"""From light to stored pixels: exposure, blur, noise, compression. Geometry is never touched."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float32, Float64, UInt8
from torch import Tensor

from easi3r.synthetic.object_motion import Curve, constant, wave
from easi3r.synthetic.scene_settings import SensorSettings


@dataclass(frozen=True)
class Sensor:
    """A camera's image formation.

    Attributes:
        log_gain: logarithm of the gain over time, one axis.
        readout_seconds: from the first row's exposure to the last's, around the frame's time; only
            the gain follows it, all rows show the scene at the frame's time.
        shutter_seconds: an exposure lasts so long and is the mean of `instants` instants (odd).
        vignetting: share of light lost in the corners.
        noise: standard deviation, grey levels of 255.
        jpeg_quality: of the compression, OpenCV's scale; None compresses nothing.
    """

    log_gain: Curve
    readout_seconds: float
    shutter_seconds: float
    instants: int
    vignetting: float
    noise: float
    jpeg_quality: int | None

    def instants_of(
        self, times: Float64[np.ndarray, " frames"]
    ) -> Float64[np.ndarray, "frames instants"]:
        """Instants that each exposure averages; the middle one is the frame's time."""
        steps = (np.arange(self.instants) - self.instants // 2) / self.instants
        return times[:, None] + self.shutter_seconds * steps

    def gain(
        self, times: Float64[np.ndarray, " frames"], rows: int
    ) -> Float64[np.ndarray, "frames rows"]:
        """Factor on the light of every row of every frame."""
        delay = self.readout_seconds * ((np.arange(rows) + 0.5) / rows - 0.5)
        read = (times[:, None] + delay).reshape(-1)
        return np.exp(self.log_gain.at(read)[:, 0]).reshape(len(times), rows)


def draw_sensor(rng: np.random.Generator, settings: SensorSettings, frame_seconds: float) -> Sensor:
    """A sensor; blurred, rolling and compressing ones in the shares that the settings name."""
    blurred, rolling, compressed = rng.random(3) < [settings.blur, settings.rolling, settings.jpeg]
    readout = rng.uniform(0.005, 0.03) if rolling else 0.0
    shutter = rng.uniform(*settings.shutter) * frame_seconds
    low, high = settings.jpeg_quality
    quality = int(rng.integers(low, high + 1))
    return Sensor(
        log_gain=_log_gain(rng, settings),
        readout_seconds=readout,
        shutter_seconds=shutter if blurred else 0.0,
        instants=settings.instants if blurred else 1,
        vignetting=float(rng.uniform(*settings.vignetting)),
        noise=float(rng.uniform(*settings.noise)),
        jpeg_quality=quality if compressed else None,
    )


def _log_gain(rng: np.random.Generator, settings: SensorSettings) -> Curve:
    """A slow drift, and flicker of tens of hertz, which frames see as jitter and rows as bands."""
    drift, jitter = rng.uniform(*settings.gain_drift), rng.uniform(*settings.gain_jitter)
    level = constant([rng.uniform(np.log(0.85), np.log(1.7))])
    phases = rng.uniform(0, 2 * np.pi, size=(3, 1))
    slow = wave([drift], rng.uniform(0.5, 3.0), phases[0])
    flicker = [
        wave([jitter / np.sqrt(2)], rate, phase)
        for rate, phase in zip(rng.uniform(60, 700, size=2), phases[1:], strict=True)
    ]
    return level + slow + flicker[0] + flicker[1]


def develop(
    light: Float32[Tensor, "frames height width 3"],
    sensor: Sensor,
    times: Float64[np.ndarray, " frames"],
    noise: torch.Generator,
) -> UInt8[np.ndarray, "frames height width 3"]:
    """Stored frames of the mean light of each exposure, 1 = white before gain."""
    _, height, width, _ = light.shape
    gain = torch.from_numpy(sensor.gain(times, height)).float().to(light.device)
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height, device=light.device),
        torch.linspace(-1, 1, width, device=light.device),
        indexing="ij",
    )
    falloff = 1 - sensor.vignetting * (x * x + y * y) / 2
    colour = light * (255 * gain[:, :, None] * falloff)[..., None]
    colour += sensor.noise * torch.randn(colour.shape, generator=noise, device=light.device)
    images = colour.round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()
    if sensor.jpeg_quality is None:
        return images
    return np.stack([_compressed(image, sensor.jpeg_quality) for image in images])


def _compressed(image: np.ndarray, quality: int) -> np.ndarray:
    bgr = np.ascontiguousarray(image[..., ::-1])
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    return np.ascontiguousarray(decoded[..., ::-1])
