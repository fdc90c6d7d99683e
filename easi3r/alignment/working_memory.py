"""Working memory of an alignment, beside its inputs."""

from easi3r.alignment.initial_state import REGISTERED_POINTS, START_PIXELS
from easi3r.alignment.maps import BLOCK
from easi3r.alignment.stages import CACHED_MAP_PIXELS, COARSE_PIXELS
from easi3r.alignment.unknowns import MOTION

DEPTH_COPIES = 8
"""Float32 maps of every frame: depths of the initial state, the prior, a state and its trial;
confidence, and what is returned."""

BLOCK_FLOATS = 48
"""Of each map pixel of a block: its point before and in the camera, distances, forces, flow."""

FLOW_BYTES = 6
"""Of each pixel of each flow: whether it may take part, and which of its components do, in these
steps and in those before."""

REGISTERED_BYTES = 320
"""Of each point registered: both its places and their products in float64."""

NUMBERS = 11 * MOTION
"""Unknowns a frame at ten pairs each way: 7 of its own and 7 of each pair."""


def alignment_working_bytes(frames: int, pairs: int, height: int, width: int) -> int:
    """Upper bound of what `align` holds at a time on a CPU, inputs and libraries aside, in bytes.

    Depth maps of every frame, the few pixels of every map for the initial state and the curvature,
    six bytes for each pixel of each flow, the band of the normal equations, blocks of fixed size,
    and a copy of the maps up to a fixed size: nothing else grows with pairs times pixels.
    """
    pixels = height * width
    per_frame = 4 * DEPTH_COPIES * frames * pixels
    few = 2 * pairs * min(pixels, 2 * START_PIXELS) * 16
    coarse = 2 * pairs * min(pixels, 2 * COARSE_PIXELS) * 3 * 16
    flow = FLOW_BYTES * pairs * pixels
    unknowns = MOTION * (frames + pairs)
    band = 4 * 8 * unknowns * min(unknowns, 12 * NUMBERS)
    points = 2 * pairs * min(pixels, 2 * START_PIXELS)
    blocks = 4 * BLOCK_FLOATS * min(BLOCK, 2 * pairs * pixels)
    blocks += REGISTERED_BYTES * min(REGISTERED_POINTS, points)
    copied = 16 * min(CACHED_MAP_PIXELS, 2 * pairs * pixels)
    return per_frame + few + coarse + flow + band + blocks + copied
