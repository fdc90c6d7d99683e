"""Windows of a dataset's clips as tensors, for `torch.utils.data.DataLoader`."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset as TorchDataset

from easi3r.errors import SettingsError
from easi3r.store.read import Dataset
from easi3r.store.windows import PER_FRAME, ClipWindows


@dataclass(frozen=True)
class TorchWindows(TorchDataset[tuple[torch.Tensor, ...]]):
    """Every window of some clips, map-style: shuffle and batch as you like.

    Items are tuples of tensors in the order of `variables` (shapes, units and types as in
    `easi3r.store.Window`), so batches of clips of one size collate. Workers of a
    `DataLoader`, forked or spawned, connect to storage by themselves.

    Attributes:
        reader: of the dataset.
        clip_ids: 32 hex digits each, as `S32`.
        first: the number of each clip's first window, and of all windows at the end.
        frames: of a window.
        stride: frames from the start of a window to that of the next.
        variables: names of array attributes of `Window`.
    """

    reader: ClipWindows
    clip_ids: np.ndarray
    first: np.ndarray
    frames: int
    stride: int
    variables: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.first[-1])

    def __getitem__(self, number: int) -> tuple[torch.Tensor, ...]:
        """As `ClipWindows.read`.

        Raises:
            IndexError: there are not so many windows.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"window {number} of {len(self)}")
        clip = int(np.searchsorted(self.first, number, side="right")) - 1
        start = int(number - self.first[clip]) * self.stride
        clip_id = self.clip_ids[clip].decode()
        window = self.reader.read(clip_id, start, start + self.frames, self.variables)
        return tuple(torch.from_numpy(getattr(window, name)) for name in self.variables)


def torch_windows(
    dataset: Dataset,
    frames: int,
    *,
    stride: int = 1,
    variables: tuple[str, ...] = ("dynamic_mask", "camera_to_world", "point_map"),
    clips: Iterable[tuple[str, int]] | None = None,
) -> TorchWindows:
    """Every window of `frames` frames, `stride` apart, that lies whole in a clip.

    Args:
        clips: (clip id, its frames), for instance from `easi3r.query`; None for every clip, which
            reads every commit record first.

    Raises:
        SettingsError: frames, stride or a variable is out of range, or there is no such window.
    """
    if frames < 1 or stride < 1 or not PER_FRAME.issuperset(variables):
        remedy = f"Choose frames and stride of 1 or more, variables from {sorted(PER_FRAME)}"
        raise SettingsError("windows", f"frames {frames}, stride {stride}, {variables}", remedy)
    if clips is None:
        clips = ((record.clip_id, record.frames) for record in dataset.clips)
    long_enough = [(clip_id, length) for clip_id, length in clips if length >= frames]
    if not long_enough:
        remedy = "Take shorter windows, or annotate longer clips"
        raise SettingsError("windows", f"no clip of {dataset.url} has {frames} frames", remedy)
    windows = [(length - frames) // stride + 1 for _, length in long_enough]
    return TorchWindows(
        reader=ClipWindows(Dataset(dataset.url, dataset.attributes)),
        clip_ids=np.array([clip_id for clip_id, _ in long_enough], "S32"),
        first=np.concatenate([[0], np.cumsum(windows)]),
        frames=frames,
        stride=stride,
        variables=variables,
    )
