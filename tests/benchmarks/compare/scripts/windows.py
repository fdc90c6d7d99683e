"""Random windows of 8 frames of a dataset: `python windows.py DATASET`, with either side's easi3r.

Prints milliseconds a window; where the dataset is opened and first read is not counted.
"""

import json
import random
import sys
import time

import easi3r

WINDOWS, FRAMES = 300, 8


def main(url: str) -> None:
    """Read the windows and print the figure."""
    dataset = easi3r.open_dataset(url)
    lengths = {clip_id: dataset[clip_id].sizes["time"] for clip_id in dataset}
    draw = random.Random(0)
    windows = easi3r.ClipWindows(dataset)
    for clip_id in lengths:
        windows.read(clip_id, 0, FRAMES)
    start = time.perf_counter()
    for _ in range(WINDOWS):
        clip_id = draw.choice(sorted(lengths))
        first = draw.randint(0, lengths[clip_id] - FRAMES)
        windows.read(clip_id, first, first + FRAMES)
    milliseconds = 1000 * (time.perf_counter() - start) / WINDOWS
    print(json.dumps({"ms a window": milliseconds}))


if __name__ == "__main__":
    main(sys.argv[1])
