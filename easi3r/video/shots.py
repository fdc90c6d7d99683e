"""Shot detection: the cuts of a video, by PySceneDetect."""

import av
import cv2
import numpy as np
from jaxtyping import UInt8
from scenedetect.common import FrameTimecode
from scenedetect.detector import SceneDetector
from scenedetect.detectors import AdaptiveDetector, ContentDetector

from easi3r.config import ShotSettings

_LONG_SIDE_PX = 256  # what PySceneDetect's thresholds are meant for, and cheap
# Detectors count frames; the constant rate is only for their time codes, which are not used.
_FRAME_RATE = 25.0


class CutFinder:
    """Detects the cuts of a video from its frames, one after the other."""

    def __init__(self, settings: ShotSettings) -> None:
        self._detector = _detector(settings)
        self._cuts: list[int] = []
        self._seen = 0

    def see(self, frame: av.VideoFrame) -> None:
        """Process the next frame, in presentation order."""
        place = FrameTimecode(self._seen, _FRAME_RATE)
        self._cuts += (cut.frame_num for cut in self._detector.process_frame(place, _small(frame)))
        self._seen += 1

    def cuts(self) -> tuple[int, ...]:
        """Frames that begin a shot, ascending, without frame 0; to call after the last frame."""
        last = FrameTimecode(max(self._seen - 1, 0), _FRAME_RATE)
        late = [cut.frame_num for cut in self._detector.post_process(last)]
        return tuple(sorted({*self._cuts, *late} - {0}))


def _detector(settings: ShotSettings) -> SceneDetector:
    """Every cut counts, however close to the one before: what is too short is for planning."""
    if settings.detector == "content":
        threshold = 27.0 if settings.threshold is None else settings.threshold
        return ContentDetector(threshold=threshold, min_scene_len=1)
    threshold = 3.0 if settings.threshold is None else settings.threshold
    return AdaptiveDetector(adaptive_threshold=threshold, min_scene_len=1)


def _small(frame: av.VideoFrame) -> UInt8[np.ndarray, "height width 3"]:
    """The frame in BGR, shrunk to a long side of 256 pixels if it is larger."""
    image = frame.to_ndarray(format="bgr24")
    scale = _LONG_SIDE_PX / max(image.shape[:2])
    if scale >= 1:
        return image
    width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
