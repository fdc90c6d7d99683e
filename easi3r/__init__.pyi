from .config import Settings
from .errors import Easi3RError
from .single_video import VideoAnnotation, annotate, load_model
from .store import ClipWindows, Dataset, Window, open_dataset, query
from .store.torch_windows import torch_windows

__all__ = [
    "ClipWindows",
    "Dataset",
    "Easi3RError",
    "Settings",
    "VideoAnnotation",
    "Window",
    "annotate",
    "load_model",
    "open_dataset",
    "query",
    "torch_windows",
]
