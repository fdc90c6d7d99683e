"""Images and exact ground truth of a scene."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int16, UInt8

from easi3r.synthetic.scene import Scene
from easi3r.synthetic.sensor import develop
from easi3r.synthetic.shading import shade
from easi3r.synthetic.trace import ROOM_FACES, trace

_RAYS_PER_PASS = 2**16  # what one pass touches then stays within a CPU's cache
_RAYS_PER_GPU_PASS = 2**22


@dataclass(frozen=True)
class RenderedClip:
    """Frames and their truth. World = camera of the first frame; OpenCV axes; metres; seconds.

    Truth is that of the middle of each exposure, whatever blur, noise or compression do to images.

    Attributes:
        depth: z in the camera; finite everywhere, the sky is the far wall of a large room.
        point_map: world coordinates of each pixel's surface at its own time.
        intrinsics: pixels, pixel centres at integers, principal point (W/2, H/2).
        dynamic_mask: True on solids that move. A solid moves in all frames of a clip or in none,
            so a mask never depends on how far a solid came between two frames.
        solid: which solid a pixel shows, -1 for the room and what is built into it.
        solid_to_world: of every solid an affine map, with its stretch: what carries its points
            from frame a to frame b is `solid_to_world[b] @ inv(solid_to_world[a])`.
        moving: which solids move.
        object_id: which object each solid is a piece of.
    """

    images: UInt8[np.ndarray, "frames height width 3"]
    depth: Float32[np.ndarray, "frames height width"]
    point_map: Float32[np.ndarray, "frames height width 3"]
    camera_to_world: Float64[np.ndarray, "frames 4 4"]
    intrinsics: Float64[np.ndarray, "frames 3 3"]
    dynamic_mask: Bool[np.ndarray, "frames height width"]
    solid: Int16[np.ndarray, "frames height width"]
    solid_to_world: Float64[np.ndarray, "frames solids 4 4"]
    moving: Bool[np.ndarray, " solids"]
    object_id: Int16[np.ndarray, " solids"]
    times: Float64[np.ndarray, " frames"]

    def __len__(self) -> int:
        return len(self.times)


def render(scene: Scene, device: str | torch.device = "cpu") -> RenderedClip:
    """Ray-casts every frame on a device; results are on the host.

    The same scene gives the same clip, noise included, on the same kind of device.
    """
    device = torch.device(device)
    height, width = scene.settings.height, scene.settings.width
    instants = scene.sensor.instants_of(scene.times)
    middle = instants.shape[1] // 2
    per_frame = instants.shape[1] * height * width
    rays = _RAYS_PER_PASS if device.type == "cpu" else _RAYS_PER_GPU_PASS
    frames = max(1, rays // per_frame)
    noise = torch.Generator(device).manual_seed(scene.seed)
    images: list[np.ndarray] = []
    depths: list[np.ndarray] = []
    surfaces: list[np.ndarray] = []
    for start in range(0, len(scene), frames):
        part = instants[start : start + frames]
        hits = trace(scene, part.reshape(-1), device)
        light = shade(scene, hits).reshape(*part.shape, height, width, 3).mean(dim=1)
        images.append(develop(light, scene.sensor, scene.times[start : start + frames], noise))
        for gathered, every in ((depths, hits.depth), (surfaces, hits.surface)):
            gathered.append(every.reshape(*part.shape, height, width)[:, middle].cpu().numpy())
    return _with_truth(
        scene, np.concatenate(images), np.concatenate(depths), np.concatenate(surfaces)
    )


def _with_truth(
    scene: Scene, images: np.ndarray, depth: np.ndarray, surface: np.ndarray
) -> RenderedClip:
    solid = (surface - ROOM_FACES - len(scene.structures)).clip(min=-1).astype(np.int16)
    camera_to_room = scene.camera_to_room
    to_world = np.linalg.inv(camera_to_room[0])
    camera_to_world = to_world @ camera_to_room
    camera_to_world[0] = np.eye(4)
    poses = [to_world @ item.to_room(scene.times) for item in scene.solids]
    return RenderedClip(
        images=images,
        depth=depth,
        point_map=back_project(depth, scene.intrinsics, camera_to_world),
        camera_to_world=camera_to_world,
        intrinsics=np.repeat(scene.intrinsics[None], len(scene), axis=0),
        dynamic_mask=np.append(scene.moving, False)[solid],
        solid=solid,
        solid_to_world=np.stack(poses, 1) if poses else np.zeros((len(scene), 0, 4, 4)),
        moving=scene.moving,
        object_id=np.array([item.object_id for item in scene.solids], dtype=np.int16),
        times=scene.times,
    )


def back_project(
    depth: Float32[np.ndarray, "frames height width"],
    intrinsics: Float64[np.ndarray, "3 3"],
    camera_to_world: Float64[np.ndarray, "frames 4 4"],
) -> Float32[np.ndarray, "frames height width 3"]:
    """World points of pixels at integer centres, by a pinhole without skew."""
    height, width = depth.shape[1:]
    x = (np.arange(width) - intrinsics[0, 2]) / intrinsics[0, 0]
    y = (np.arange(height) - intrinsics[1, 2]) / intrinsics[1, 1]
    ray = np.stack(
        [np.broadcast_to(x, (height, width)), np.broadcast_to(y[:, None], (height, width))], -1
    )
    ray = np.concatenate([ray, np.ones((height, width, 1))], -1).astype(np.float32)
    pose = camera_to_world.astype(np.float32)
    turned = ray[None] @ pose[:, None, :3, :3].transpose(0, 1, 3, 2)
    return turned * depth[..., None] + pose[:, None, None, :3, 3]
