"""The camera trajectory of a clip, seen from above."""

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from easi3r.viz.style import ACCENT, INK, LABEL_SIZE, MUTED, TITLE_SIZE

_FRUSTUM_SHARE = 0.16  # of the drawn square's side
_MARGIN = 1.25
_SMALLEST_SPAN = 0.02  # of the scene's depth: a still camera's jitter should look like it


def draw_camera_path(
    axes: Axes,
    camera_to_world: Float64[np.ndarray, "frames 4 4"],
    intrinsics: Float64[np.ndarray, "frames 3 3"],
    width_px: int,
    scene_depth: float,
    sampled: list[int],
    unit: str,
) -> None:
    """Path in the plane of the first camera's right and forward axes, view cones where sampled.

    Args:
        width_px: of the images that `intrinsics` belong to, for the cones' opening.
        scene_depth: a typical depth, > 0; a path much shorter than it is drawn small.
        sampled: frames whose view cones are drawn.
        unit: of the poses, for the labels.
    """
    right, forward = camera_to_world[:, 0, 3], camera_to_world[:, 2, 3]
    span = max(np.ptp(right), np.ptp(forward), _SMALLEST_SPAN * scene_depth)
    side = _MARGIN * span / (1 - _FRUSTUM_SHARE)
    for frame in sampled:
        cone = _view_cone(
            camera_to_world[frame], intrinsics[frame], width_px, _FRUSTUM_SHARE * side
        )
        axes.fill(*cone.T, facecolor=(*ACCENT, 0.14), edgecolor=ACCENT, linewidth=0.9, zorder=2)
    axes.plot(right, forward, color=INK, linewidth=1.3, zorder=3, solid_capstyle="round")
    axes.scatter(right[sampled], forward[sampled], s=9, color=ACCENT, zorder=4, linewidths=0)
    for frame, face, name in ((0, "white", "first"), (len(right) - 1, INK, "last")):
        axes.scatter(
            right[frame], forward[frame], s=34, color=face, edgecolors=INK, zorder=5, label=name
        )

    centre = (np.median([right.min(), right.max()]), np.median([forward.min(), forward.max()]))
    # The cones point forward: leave them room above the path.
    lift = 0.5 * _FRUSTUM_SHARE * side
    axes.set_xlim(centre[0] - side / 2, centre[0] + side / 2)
    axes.set_ylim(centre[1] - side / 2 + lift, centre[1] + side / 2 + lift)
    axes.set_aspect("equal")
    axes.set_title("Camera path from above", fontsize=TITLE_SIZE, color=INK, loc="left")
    axes.set_xlabel(f"right ({unit})", fontsize=LABEL_SIZE, color=MUTED)
    axes.set_ylabel(f"forward ({unit})", fontsize=LABEL_SIZE, color=MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.02, 0.985),  # beside the title, where no path runs
        ncols=2,
        fontsize=LABEL_SIZE,
        labelcolor=MUTED,
        frameon=False,
        handletextpad=0.1,
        columnspacing=0.8,
    )


def _view_cone(
    pose: Float64[np.ndarray, "4 4"],
    intrinsics: Float64[np.ndarray, "3 3"],
    width_px: int,
    length: float,
) -> Float64[np.ndarray, "3 2"]:
    """Corners (right, forward) of what a camera sees, seen from above."""
    edges = (np.array([0, width_px]) - intrinsics[0, 2]) / intrinsics[0, 0]
    rays = np.stack([edges, np.zeros(2), np.ones(2)], axis=1) @ pose[:3, :3].T
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    apex = pose[[0, 2], 3]
    return np.stack([apex, *(apex + length * rays[:, [0, 2]])])
