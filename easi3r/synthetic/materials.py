"""Materials of surfaces: colours, textures, highlights."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from easi3r.synthetic.families import TEXELS
from easi3r.synthetic.scene_settings import MaterialSettings
from easi3r.synthetic.textures import CLOUDS, TEXTURES

ROOM_FACES = 6
FLOOR = 3  # the face at +y


@dataclass(frozen=True)
class Materials:
    """A table of looks; its first six rows are the room's faces (-x, +x, -y, +y, -z, +z).

    Attributes:
        texture: index into the atlas.
        texels_per_metre, offset: where a surface point falls in its texture.
        dark, bright: the two colours that a texture mixes, 0..1.
        glow: 1 where a surface looks the same however the light falls (the sky), else 0.
        shine: strength of the highlights, 0..1; `gloss` is the exponent, which narrows them.
    """

    texture: Int64[np.ndarray, " materials"]
    texels_per_metre: Float64[np.ndarray, " materials"]
    offset: Float64[np.ndarray, "materials 2"]
    dark: Float64[np.ndarray, "materials 3"]
    bright: Float64[np.ndarray, "materials 3"]
    glow: Float64[np.ndarray, " materials"]
    shine: Float64[np.ndarray, " materials"]
    gloss: Float64[np.ndarray, " materials"]


def draw_materials(
    rng: np.random.Generator, settings: MaterialSettings, count: int, outdoor: bool
) -> Materials:
    """Two colours of a hue each, mostly apart in brightness; some surfaces are nearly plain."""
    saturation = rng.uniform(0.0, 0.8, size=(count, 1))
    colours = []
    for _ in range(2):
        colour = rng.random((count, 3))
        grey = colour.mean(axis=1, keepdims=True)
        colours.append(grey + saturation * (colour - grey))
    dark, bright = 0.05 + 0.5 * colours[0], 0.3 + 0.65 * colours[1]
    plain = rng.random((count, 1)) < settings.plain
    contrast = np.where(plain, rng.uniform(0.0, 0.15, (count, 1)), rng.uniform(0.4, 1, (count, 1)))
    bright = dark + contrast * (bright - dark)
    low, high = np.log(settings.texels_per_metre)
    density = np.exp(rng.uniform(low, high, size=count))
    shine = np.where(rng.random(count) < settings.shiny, rng.uniform(0.15, 0.7, size=count), 0.0)
    texture = rng.integers(TEXTURES, size=count)
    glow = np.zeros(count)
    if outdoor:
        sky = np.arange(count) < ROOM_FACES
        sky[FLOOR] = False
        texture[sky] = rng.choice(CLOUDS)
        dark[sky], bright[sky] = _sky_colours(rng)
        density[sky] = np.exp(rng.uniform(np.log(0.4), np.log(2.0)))  # tens of metres a texture
        glow[sky] = 1.0
        shine[sky] = 0.0
    return Materials(
        texture=texture,
        texels_per_metre=density,
        offset=rng.uniform(0, TEXELS, size=(count, 2)),
        dark=dark,
        bright=bright,
        glow=glow,
        shine=shine,
        gloss=np.exp(rng.uniform(np.log(8), np.log(60), size=count)),
    )


def _sky_colours(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """From blue to overcast, with faint clouds."""
    cover = rng.random()
    colour = (1 - cover) * np.array([0.3, 0.5, 0.85]) + cover * np.array([0.85, 0.85, 0.85])
    colour *= rng.uniform(0.45, 0.9) * rng.uniform(0.9, 1.1, size=3)
    return colour, colour + rng.uniform(0.0, 0.5) * (0.9 - colour)
