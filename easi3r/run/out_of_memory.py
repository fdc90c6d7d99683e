"""Out of memory on the device: the sizes of a clip to try, one after the other, until one fits."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from easi3r.config import Settings
from easi3r.types import Frames

SMALLEST_SHORT_SIDE_PX = 64  # below twice that, frames are not halved: little would be left to see


@dataclass(frozen=True)
class ClipSize:
    """The sizes that may be halved when a device runs out of memory.

    Attributes:
        pairs_per_batch: pairs in flight; decides speed, not the result.
        window: offsets of the pair graph; None where the graph has no window.
        long_side_px, short_side_px: of the frames.
    """

    pairs_per_batch: int
    window: int | None
    long_side_px: int
    short_side_px: int

    @classmethod
    def of(cls, settings: Settings, frames: Frames) -> "ClipSize":
        """The full size: that of the settings, and of the decoded frames."""
        short, long = sorted(frames.images.shape[1:3])
        return cls(
            pairs_per_batch=settings.execution.pairs_per_batch,
            window=settings.graph.window if settings.graph.kind == "window" else None,
            long_side_px=settings.video.long_side_px or long,
            short_side_px=short,
        )

    def _halved(self) -> "ClipSize | None":
        if self.pairs_per_batch > 1:
            return replace(self, pairs_per_batch=self.pairs_per_batch // 2)
        if self.window is not None and self.window > 1:
            return replace(self, window=self.window // 2)
        if self.short_side_px >= 2 * SMALLEST_SHORT_SIDE_PX:
            halves = {"long_side_px": self.long_side_px // 2}
            return replace(self, **halves, short_side_px=self.short_side_px // 2)
        return None

    def settings(self, original: Settings, full: "ClipSize") -> Settings:
        """Settings whose size is `full`, changed to this size."""
        values = original.model_dump()
        for group, name, _, actual in self._differences(full):
            values[group][name] = actual
        return Settings.parse(values)

    def degraded_from(self, full: "ClipSize") -> tuple[str, ...]:
        """Differences from the full size, as `setting full -> actual`."""
        differences = self._differences(full)
        return tuple(f"{group}.{name} {was} -> {now}" for group, name, was, now in differences)

    def _differences(self, full: "ClipSize") -> Iterator[tuple[str, str, int | None, int | None]]:
        for group, name, was, now in [
            ("execution", "pairs_per_batch", full.pairs_per_batch, self.pairs_per_batch),
            ("graph", "window", full.window, self.window),
            ("video", "long_side_px", full.long_side_px, self.long_side_px),
        ]:
            if was != now:
                yield group, name, was, now


def sizes_to_try(size: ClipSize) -> Iterator[ClipSize]:
    """A size, and every smaller one: fewer pairs, then a smaller window, then smaller frames.

    In this order because the first costs time, the second accuracy and the third detail. It ends
    where nothing is left to halve.
    """
    smaller: ClipSize | None = size
    while smaller is not None:
        yield smaller
        smaller = smaller._halved()
