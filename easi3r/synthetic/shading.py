"""Light that surfaces send to the camera."""

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from easi3r.synthetic.scene import Scene
from easi3r.synthetic.textures import atlas
from easi3r.synthetic.trace import ROOM_FACES, Hits
from easi3r.synthetic.vectors import dot, main_axis, unit

_GRAZING = 0.05  # least cosine that coarsens textures


def shade(scene: Scene, hits: Hits) -> Float32[Tensor, "rays 3"]:
    """Textured Lambert surfaces, some with highlights (Blinn), under one point light.

    1 is the light of a white surface that faces the light.
    """
    device = hits.depth.device
    numbers = [solid.material for solid in scene.structures + scene.solids]
    table = torch.tensor([*range(ROOM_FACES), *numbers], device=device)
    material = table[hits.surface]
    pixels = scene.settings.height * scene.settings.width
    point = hits.origin.T.repeat_interleave(pixels, dim=1) + hits.direction * hits.depth
    to_light = torch.from_numpy(scene.light.position).float().to(device)[:, None] - point
    to_light = unit(to_light)
    to_camera = -unit(hits.direction)
    facing = dot(to_camera, hits.normal).clamp(min=_GRAZING)
    lambert = dot(to_light, hits.normal).clamp(min=0)
    light = scene.light.ambient + (1 - scene.light.ambient) * lambert
    glow = torch.from_numpy(scene.materials.glow).float().to(device)[material]
    light = torch.lerp(light, torch.ones_like(light), glow)
    colour = _albedo(scene, hits, material, facing) * light[:, None]
    return colour + _highlights(scene, hits, material, to_light + to_camera, lambert)[:, None]


def _highlights(
    scene: Scene,
    hits: Hits,
    material: Int64[Tensor, " rays"],
    halfway: Float32[Tensor, "3 rays"],
    lambert: Float32[Tensor, " rays"],
) -> Float32[Tensor, " rays"]:
    device = hits.depth.device
    shine = torch.from_numpy(scene.materials.shine).float().to(device)[material]
    gloss = torch.from_numpy(scene.materials.gloss).float().to(device)[material]
    cosine = dot(unit(halfway), hits.normal).clamp(min=0)
    return torch.where(lambert > 0, shine * cosine**gloss, 0.0)


def _albedo(
    scene: Scene,
    hits: Hits,
    material: Int64[Tensor, " rays"],
    facing: Float32[Tensor, " rays"],
) -> Float32[Tensor, "rays 3"]:
    """Texture of the plane that the normal points at most, finer or coarser with distance."""
    device = hits.depth.device
    looks = scene.materials
    axis = main_axis(hits.local_normal)[None]
    density = torch.from_numpy(looks.texels_per_metre).float().to(device)[material]
    offset = torch.from_numpy(looks.offset).float().to(device)[material]
    across = hits.local.gather(0, (axis + 1) % 3)[0] * density + offset[:, 0]
    down = hits.local.gather(0, (axis + 2) % 3)[0] * density + offset[:, 1]
    # Texels under a pixel: many more along the line of sight than across it where that grazes.
    texels = hits.depth * density / hits.enlargement / float(scene.intrinsics[0, 0])
    level = torch.log2(texels / facing.sqrt())
    texture = torch.from_numpy(looks.texture).to(device)[material]
    mix = atlas(scene.settings.vocabulary, device).sample(texture, across, down, level)
    dark = torch.from_numpy(looks.dark).float().to(device)[material]
    bright = torch.from_numpy(looks.bright).float().to(device)[material]
    return torch.lerp(dark, bright, mix[:, None])
