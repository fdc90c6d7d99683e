"""Images and exact ground truth of a scene."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int16, UInt8
from torch import Tensor

from easi3r.synthetic.scene import Scene
from easi3r.synthetic.textures import atlas
from easi3r.synthetic.trace import ROOM_FACES, Hits, trace

_RAYS_PER_PASS = 2**16  # what one pass touches then stays within a CPU's cache


@dataclass(frozen=True)
class RenderedClip:
    """Frames and their truth. World = camera of the first frame; OpenCV axes; metres; seconds.

    Attributes:
        depth: z in the camera.
        point_map: world coordinates of each pixel's surface at its own time.
        intrinsics: pixels, pixel centres at integers, principal point (W/2, H/2).
        dynamic_mask: True on solids that move. A solid moves in all frames of a clip or in none,
            so a mask never depends on how far a solid came between two frames.
        solid: which solid a pixel shows, -1 for the room.
        solid_to_world: pose of every solid.
        moving: which solids move.
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
    times: Float64[np.ndarray, " frames"]

    def __len__(self) -> int:
        return len(self.times)


def render(scene: Scene) -> RenderedClip:
    """Ray-casts every frame; the same scene gives the same clip, noise included."""
    settings = scene.settings
    shape = (settings.height, settings.width)
    per_pass = max(1, _RAYS_PER_PASS // (shape[0] * shape[1]))
    noise = torch.Generator().manual_seed(scene.seed)
    images, depths, solids = [], [], []
    for start in range(0, len(scene), per_pass):
        part = scene.select(list(range(start, min(start + per_pass, len(scene)))))
        hits = trace(part)
        images.append(_shade(part, hits, noise).reshape(-1, *shape, 3).numpy())
        depths.append(hits.depth.reshape(-1, *shape).numpy())
        solids.append((hits.surface - ROOM_FACES).clamp(min=-1).reshape(-1, *shape).numpy())
    depth, solid = np.concatenate(depths), np.concatenate(solids).astype(np.int16)
    to_world = np.linalg.inv(scene.camera_to_room[0])
    camera_to_world = to_world @ scene.camera_to_room
    camera_to_world[0] = np.eye(4)
    poses = [to_world @ item.to_room for item in scene.solids]
    return RenderedClip(
        images=np.concatenate(images),
        depth=depth,
        point_map=back_project(depth, scene.intrinsics, camera_to_world),
        camera_to_world=camera_to_world,
        intrinsics=np.repeat(scene.intrinsics[None], len(scene), axis=0),
        dynamic_mask=np.append(scene.moving, False)[solid],
        solid=solid,
        solid_to_world=np.stack(poses, 1) if poses else np.zeros((len(scene), 0, 4, 4)),
        moving=scene.moving,
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


def _shade(scene: Scene, hits: Hits, noise: torch.Generator) -> UInt8[Tensor, "rays 3"]:
    """Textured Lambert surfaces under one point light, then exposure, noise and rounding."""
    albedo = _albedo(scene, hits)
    pixels = scene.settings.height * scene.settings.width
    frame = torch.arange(len(scene)).repeat_interleave(pixels)
    to_light = torch.from_numpy(scene.light).float() - _room_points(scene, hits)
    cosine = (to_light * hits.normal).sum(1) / to_light.norm(dim=1).clamp(min=1e-3)
    light = scene.ambient + (1 - scene.ambient) * cosine.clamp(min=0)
    gain = torch.from_numpy(scene.exposure).float()[frame] * light
    colour = 255 * albedo * gain[:, None]
    colour += scene.noise_level * torch.randn(colour.shape, generator=noise)
    return colour.round_().clamp_(0, 255).to(torch.uint8)


def _room_points(scene: Scene, hits: Hits) -> Float32[Tensor, "rays 3"]:
    settings = scene.settings
    points = back_project(
        hits.depth.reshape(-1, settings.height, settings.width).numpy(),
        scene.intrinsics,
        scene.camera_to_room,
    )
    return torch.from_numpy(points).reshape(-1, 3)


def _albedo(scene: Scene, hits: Hits) -> Float32[Tensor, "rays 3"]:
    """Texture of the plane that the normal points at most, finer or coarser with distance."""
    materials = scene.materials
    axis = hits.local_normal.abs().argmax(dim=1)
    density = torch.from_numpy(materials.texels_per_metre).float()[hits.surface]
    offset = torch.from_numpy(materials.offset).float()[hits.surface]
    across = hits.local.gather(1, ((axis + 1) % 3)[:, None])[:, 0] * density + offset[:, 0]
    down = hits.local.gather(1, ((axis + 2) % 3)[:, None])[:, 0] * density + offset[:, 1]
    level = torch.log2(hits.depth * density / float(scene.intrinsics[0, 0]))
    texture = torch.from_numpy(materials.texture)[hits.surface]
    mix = atlas().sample(texture, across, down, level)
    dark = torch.from_numpy(materials.dark).float()[hits.surface]
    bright = torch.from_numpy(materials.bright).float()[hits.surface]
    return torch.lerp(dark, bright, mix[:, None])
