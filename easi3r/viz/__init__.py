"""Pictures of annotated clips. Start with `draw_clip`; `contact_sheet` draws what is in memory."""

from easi3r.viz.draw import draw_clip, recorded_frames, save_sheet
from easi3r.viz.sheet import contact_sheet
from easi3r.viz.style import overlay_masks
from easi3r.viz.truth_sheet import TruthRow, truth_sheet

__all__ = [
    "TruthRow",
    "contact_sheet",
    "draw_clip",
    "overlay_masks",
    "recorded_frames",
    "save_sheet",
    "truth_sheet",
]
