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
        """The sizes that settings ask for, and that frames have been decoded at."""
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

    def settings(self, given: Settings, asked: "ClipSize") -> Settings:
        """The given settings, which ask for a size, changed to ask for this one."""
        values = given.model_dump()
        for group, name, _, done in self._differences(asked):
            values[group][name] = done
        return Settings.parse(values)

    def degraded_from(self, asked: "ClipSize") -> tuple[str, ...]:
        """What is smaller than asked for, as `setting asked -> done`."""
        differences = self._differences(asked)
        return tuple(f"{group}.{name} {was} -> {done}" for group, name, was, done in differences)

    def _differences(self, asked: "ClipSize") -> Iterator[tuple[str, str, int | None, int | None]]:
        for group, name, was, done in [
            ("execution", "pairs_per_batch", asked.pairs_per_batch, self.pairs_per_batch),
            ("graph", "window", asked.window, self.window),
            ("video", "long_side_px", asked.long_side_px, self.long_side_px),
        ]:
            if was != done:
                yield group, name, was, done


def sizes_to_try(size: ClipSize) -> Iterator[ClipSize]:
    """A size, and every smaller one: fewer pairs, then a smaller window, then smaller frames.

    In this order because the first costs time, the second accuracy and the third detail. It ends
    where nothing is left to halve.
    """
    smaller: ClipSize | None = size
    while smaller is not None:
        yield smaller
        smaller = smaller._halved()
