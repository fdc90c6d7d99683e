"""SAM 2 as a tracker of masks: the video model of transformers, without its processors.

The processors need torchvision; what they do is resizing and normalising, done here. transformers
itself is imported when weights are loaded: it is an extra, and takes seconds.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from torch import Tensor
from torch.nn import functional

from easi3r.errors import CheckpointError
from easi3r.masks.refinement import RefinerMemory

if TYPE_CHECKING:
    from transformers import Sam2VideoModel

MODEL_TYPE = "sam2_video"
OBJECT = 1
"""Id of the one object: all that moves."""

# Numbers held at once, for the bound of `Sam2Tracker.memory`.
ENCODER_NUMBERS = 16  # of a token at the finest level: the stream, and an MLP of four times it
PYRAMID_NUMBERS = 6  # of a token at the finest level: features of all levels, their positions
MEMORY_NUMBERS = 12  # of a token of a prompted frame: keys, values, rotations and their copies

IMAGE_MEAN, IMAGE_SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the images that SAM 2 was trained on, RGB in 0..1."""


@dataclass(frozen=True)
class Sam2Tracker:
    """SAM 2's video model on its device, in float32."""

    model: "Sam2VideoModel"

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return torch.device(self.model.device)

    @property
    def side_px(self) -> int:
        """Both sides of the squares that the model sees, whatever a frame's shape."""
        return int(self.model.config.image_size)

    @torch.inference_mode()
    def track(
        self,
        images: UInt8[np.ndarray, "frames height width 3"],
        prompts: Mapping[int, Bool[np.ndarray, "height width"]],
    ) -> dict[int, Bool[np.ndarray, "height width"]]:
        """See `MaskTracker`: logits over 0, after every prompt is in the model's memory."""
        from transformers import Sam2VideoInferenceSession

        height, width = images.shape[1:3]
        device = self.device
        session = Sam2VideoInferenceSession(
            video_height=height,
            video_width=width,
            inference_device=device,
            inference_state_device=device,
            video_storage_device=device,
            dtype=torch.float32,
        )
        session.processed_frames = _Pictures(self, images)
        index = session.obj_id_to_idx(OBJECT)
        for number in sorted(prompts):
            session.add_mask_inputs(index, number, self._prompt(prompts[number]))
            session.obj_with_new_inputs = [OBJECT]
            self.model(session, frame_idx=number)
        masks = {}
        for number in range(len(images)):
            if number not in prompts:
                logits = self.model(session, frame_idx=number).pred_masks
                masks[number] = _over_zero(logits, height, width)
        return masks

    def picture(self, image: UInt8[np.ndarray, "height width 3"]) -> Float32[Tensor, "3 side side"]:
        """An image as the model takes it: square, whatever its shape, and normalised."""
        pixels = torch.from_numpy(image).to(self.device).permute(2, 0, 1) / 255
        mean, spread = (
            torch.tensor(values, device=self.device)[:, None, None]
            for values in (IMAGE_MEAN, IMAGE_SPREAD)
        )
        return (_resized(pixels[None], self.side_px, self.side_px)[0] - mean) / spread

    def _prompt(self, mask: Bool[np.ndarray, "height width"]) -> Float32[Tensor, "1 1 side side"]:
        whole = torch.from_numpy(mask).to(self.device, torch.float32)[None, None]
        return (_resized(whole, self.side_px, self.side_px) >= 0.5).float()

    def memory(self, frames: int) -> RefinerMemory:
        """See `MaskTracker`; how far above the measured peak it lies: docs/masks.md."""
        config = self.model.config
        backbone = config.vision_config.backbone_config
        pixels, hidden = self.side_px**2, config.vision_config.fpn_hidden_size
        finest = pixels // (backbone.patch_stride[0] * backbone.patch_stride[1])
        coarsest = finest // 16
        channels = backbone.embed_dim_per_stage[0]
        encoding = finest * (ENCODER_NUMBERS * channels + PYRAMID_NUMBERS * hidden)
        prompted = -(-frames // 2) * coarsest * MEMORY_NUMBERS * config.memory_attention_hidden_size
        kept = frames * (2 * pixels + 2 * coarsest * config.memory_encoder_output_channels)
        tensors = [*self.model.parameters(), *self.model.buffers()]
        return RefinerMemory(
            held_bytes=sum(one.nbytes for one in tensors),
            working_bytes=4 * (encoding + prompted + kept),
        )


class _Pictures(Mapping[int, Tensor]):
    """A clip's frames as the model takes them, each made when it is asked for: 12 MB at 1024 px."""

    def __init__(
        self, tracker: Sam2Tracker, images: UInt8[np.ndarray, "frames height width 3"]
    ) -> None:
        self._tracker = tracker
        self._images = images

    def __getitem__(self, number: int) -> Tensor:
        return self._tracker.picture(self._images[number])

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self._images)))

    def __len__(self) -> int:
        return len(self._images)


def _resized(images: Tensor, height: int, width: int) -> Tensor:
    """Bilinear, antialiased where it shrinks, as SAM 2's own resizing is."""
    return functional.interpolate(
        images, (height, width), mode="bilinear", align_corners=False, antialias=True
    )


def _over_zero(logits: Tensor, height: int, width: int) -> Bool[np.ndarray, "height width"]:
    """The mask of the object at the frames' size, from logits at the model's."""
    at_frame = functional.interpolate(
        logits.float(), (height, width), mode="bilinear", align_corners=False
    )
    mask: Bool[np.ndarray, "height width"] = (at_frame[0, 0] > 0).cpu().numpy()
    return mask


def load_sam2(location: str, folder: Path, device: torch.device) -> Sam2Tracker:
    """SAM 2 from a folder as on Hugging Face.

    Args:
        location: what an error is about.
        folder: holds `config.json` and `model.safetensors`.

    Raises:
        CheckpointError: it is another network, damaged, or its tensors do not fit its config.
    """
    from transformers import Sam2VideoModel

    remedy = "Give a folder or repository of SAM 2 for video, such as facebook/sam2.1-hiera-large"
    try:
        kind = json.loads((folder / "config.json").read_text()).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(location, f"no config.json in it ({error})", remedy) from error
    if kind != MODEL_TYPE:
        raise CheckpointError(location, f"a model of type {kind!r}, not {MODEL_TYPE}", remedy)
    try:
        with _quiet():
            model, report = Sam2VideoModel.from_pretrained(
                folder, local_files_only=True, output_loading_info=True, dtype=torch.float32
            )
    except Exception as error:  # transformers has an error of its own for each kind of damage
        problem = f"transformers cannot load it ({type(error).__name__}: {error})"
        raise CheckpointError(location, problem[:500], remedy) from error
    wrong = [name for kind in ("missing_keys", "mismatched_keys") for name in report[kind]]
    if wrong:
        problem = f"{len(wrong)} tensors are missing or of another shape, {wrong[0]} among them"
        raise CheckpointError(location, problem, remedy)
    return Sam2Tracker(model.to(device).eval().requires_grad_(False))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bars and remarks: a run has its own."""
    from transformers.utils import logging

    verbosity, shows_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shows_bars:
            logging.enable_progress_bar()
