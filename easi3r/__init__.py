"""4D annotation of video: what moves, where the camera is, and where every pixel lies.

`easi3r.open_dataset(url)` reads what a run has committed; `easi3r.pipeline.annotate_clip` is the
whole method on one page.
"""

from easi3r.config import Settings
from easi3r.store import Dataset, open_dataset

__all__ = ["Dataset", "Settings", "open_dataset"]
