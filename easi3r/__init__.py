"""4D annotation of video: what moves, where the camera is, and where every pixel lies.

`easi3r.open_dataset(url)` reads what a run has committed, `easi3r.ClipWindows` few frames of many
clips, `easi3r.query(url, expression)` finds clips in its index; `easi3r.pipeline.annotate_clip` is
the whole method on one page.
"""

from easi3r.config import Settings
from easi3r.store import ClipWindows, Dataset, Window, open_dataset, query

__all__ = ["ClipWindows", "Dataset", "Settings", "Window", "open_dataset", "query"]
