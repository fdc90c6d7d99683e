"""Refinement of motion masks by a tracker of objects (docs/masks.md).

The names exported here import no torch; the tracker itself is in `easi3r.masks.sam2`.
"""

from easi3r.masks.packages import require_refiner
from easi3r.masks.refinement import MaskTracker, RefinerMemory, refine_masks

__all__ = ["MaskTracker", "RefinerMemory", "refine_masks", "require_refiner"]
