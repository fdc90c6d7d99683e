"""Speed and memory of annotating a clip on this machine, stage by stage."""

import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from os import cpu_count
from pathlib import Path

import torch
from torch import Tensor, nn

from easi3r.config import Precision, Settings
from easi3r.cost.memory import ClipMemory, needs_flow, within_budget
from easi3r.cost.operations import ClipWork
from easi3r.method.refiner import refiner_memory
from easi3r.method.steps import StageClock
from easi3r.model import DUSt3R, LoadedModel, ModelConfig
from easi3r.model.catalogue import defaults_of
from easi3r.pipeline import annotate_decoded, decode_clip, frame_size
from easi3r.store import prepare_dataset, write_clip
from easi3r.store.encode import clip_arrays, clip_attributes, encode_clip
from easi3r.synthetic import SceneSettings, render, sample_scene
from easi3r.synthetic import write_clip as write_video
from easi3r.types import ClipAnnotation, ClipSpec
from easi3r.video import plan_clips, probe

_CLIP_LIBRARIES = (
    "av",
    "roma",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.special",
    "skimage.filters",
    "skimage.segmentation",
    "sklearn.cluster",
    "zarr",
)

# What the clock calls a stage, and the parts of `ClipWork` that run in it.
NETWORK_STAGES = {
    "encoder": ("encoder",),
    "pass 1": ("pass 1", "heads of pass 1"),
    "pass 2": ("pass 2", "heads"),
}


@dataclass(frozen=True)
class StageFigures:
    """One stage of one clip.

    Attributes:
        flops: operations of the network, at most (`easi3r.cost`); None where it does not run.
        share: of the clip's time, 0..1.
    """

    stage: str
    seconds: float
    share: float
    flops: int | None

    @property
    def flops_per_second(self) -> float | None:
        """Operations a second that the stage achieves."""
        return None if self.flops is None else self.flops / self.seconds


@dataclass(frozen=True)
class BenchFigures:
    """Time, operations and memory of one clip on this machine.

    Attributes:
        machine, weights: in words.
        frames, height, width, pairs: of the clip.
        pairs_per_batch: in flight, as the memory budget left them.
        stages: in the order in which they run; medians over the repeats.
        peak_bytes: the most memory that the process (on a GPU: the device) took, its weights
            included, beyond what it held before they were loaded.
        projected_bytes: as `easi3r.cost.memory` has it.
    """

    machine: str
    weights: str
    frames: int
    height: int
    width: int
    pairs: int
    pairs_per_batch: int
    stages: tuple[StageFigures, ...]
    peak_bytes: int
    projected_bytes: int

    @property
    def seconds(self) -> float:
        """Of the whole clip."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def network_seconds(self) -> float:
        """Of the stages in which the network runs, and k-means and the masks between them."""
        names = {*NETWORK_STAGES, "segmentation"}
        return sum(stage.seconds for stage in self.stages if stage.stage in names)

    @property
    def network_flops(self) -> int:
        """Of the whole clip."""
        return sum(stage.flops or 0 for stage in self.stages)


@dataclass(frozen=True)
class BenchClip:
    """A rendered clip in a folder, and where its results go."""

    spec: ClipSpec
    folder: Path

    @classmethod
    def rendered(cls, settings: Settings, long_side_px: int, folder: Path) -> "BenchClip":
        """A moving scene of 16:9 with `sampling.clip_frames` frames, as a video."""
        height = round(long_side_px * 9 / 16 / 2) * 2
        frames = settings.sampling.clip_frames
        scene = sample_scene(0, SceneSettings(frames=frames, height=height, width=long_side_px))
        video = write_video(render(scene), folder, "bench")
        (spec,) = plan_clips(probe(str(video)), settings.sampling, settings.video)
        return cls(spec, folder)

    def seconds_by_stage(
        self, model: LoadedModel, settings: Settings, attempt: int
    ) -> tuple[dict[str, float], ClipAnnotation]:
        """Decode, annotate, encode and write it once."""
        clock = StageClock(model.device)
        with clock.stage("decode"):
            frames = decode_clip(self.spec, model, settings)
        annotation = annotate_decoded(self.spec, frames, model, settings, clock=clock)
        with clock.stage("encode"):
            arrays = clip_arrays(annotation, settings.store)
            encode_clip(arrays, clip_attributes(annotation, settings.store), settings.store)
        destination = str(self.folder / f"{attempt}.zarr")
        prepare_dataset(destination, settings.model_dump_json())
        start = time.perf_counter()
        write_clip(destination, annotation, settings.store)
        # It encodes as well, which has been counted.
        writing = time.perf_counter() - start - clock.seconds["encode"]
        return clock.seconds | {"write, verify, commit": max(writing, 0.0)}, annotation


def bench(
    model: LoadedModel, settings: Settings, attempts: Iterable[int], memory_before_bytes: int
) -> BenchFigures:
    """Annotate a rendered clip several times; the first attempt warms up and is not counted.

    Args:
        model: on its device.
        attempts: numbers; at least two. An iterable, so that a caller can show how far it is.
        memory_before_bytes: `memory_before_clips`, of before the weights were loaded.

    Raises:
        Easi3RError: the clip cannot be annotated.
    """
    settings = settings.completed(model.defaults)
    long_side = frame_size(model, settings).long_side_px
    with tempfile.TemporaryDirectory() as folder:
        clip = BenchClip.rendered(settings, long_side, Path(folder))
        runs = [clip.seconds_by_stage(model, settings, attempt) for attempt in attempts]
        frames = decode_clip(clip.spec, model, settings)
    count, height, width = frames.images.shape[:3]
    refiner = refiner_memory(settings.masks, model.device, frames)
    settings = within_budget(settings, model.config, frames, refiner)
    work = ClipWork.of(model.config, settings, count, height, width)
    flops = {stage.stage: stage.flops for stage in work.stages()}
    counted = [seconds for seconds, _ in runs[1:]]
    seconds = {stage: statistics.median(run[stage] for run in counted) for stage in counted[0]}
    total = sum(seconds.values())
    return BenchFigures(
        machine=machine(model.device),
        weights=model.name,
        frames=count,
        height=height,
        width=width,
        pairs=work.pairs,
        pairs_per_batch=settings.execution.pairs_per_batch,
        stages=tuple(
            StageFigures(stage, spent, spent / total, _flops(stage, flops))
            for stage, spent in seconds.items()
        ),
        peak_bytes=peak_memory_bytes(model.device) - memory_before_bytes,
        projected_bytes=ClipMemory(work, needs_flow(settings), refiner).peak_bytes,
    )


def random_model(
    config: ModelConfig, device: torch.device, precision: Precision | None
) -> LoadedModel:
    """A network of random weights for benchmarks, whose predictions show a wall.

    Args:
        precision: None: as published weights of that size recommend.
    """
    network, licence = random_network(config), "none: random numbers"
    name, recommended = f"random {config.head}", defaults_of(config)
    model = LoadedModel(network, config, name, "0" * 64, licence, recommended)
    model = model.on(device, precision)
    return replace(model, network=seeing_a_wall(model.network))


def random_network(config: ModelConfig) -> DUSt3R:
    """Random weights, the same in every run."""
    torch.manual_seed(0)
    return DUSt3R(config).eval().requires_grad_(False)


def seeing_a_wall(network: DUSt3R) -> DUSt3R:
    """A network with random weights, whose predictions can be aligned.

    What random weights predict has no geometry; so a wall at depth 1 with bumps takes the place of
    what the heads give, once they have done their work.
    """
    for head in (network.downstream_head1, network.downstream_head2):
        head.register_forward_hook(_wall)
    return network.eval().requires_grad_(False)


def memory_before_clips(device: torch.device) -> int:
    """`peak_memory_bytes` with every library imported, so that growth from it is of clips alone."""
    import_clip_libraries()
    return peak_memory_bytes(device)


def import_clip_libraries() -> None:
    """Import what the first calls of a clip import, so that they are not timed with it."""
    for library in _CLIP_LIBRARIES:
        import_module(library)


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory that a GPU has handed out, or, on a CPU, that this process has taken."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def machine(device: torch.device) -> str:
    """The machine in words: its processor, or GPU, and torch."""
    name = f"{platform.machine()}, {cpu_count()} cores, {torch.get_num_threads()} threads"
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    return f"{name}, torch {torch.__version__}"


def _flops(stage: str, flops: dict[str, int]) -> int | None:
    parts = NETWORK_STAGES.get(stage)
    return None if parts is None else sum(flops.get(part, 0) for part in parts)


def _wall(head: nn.Module, inputs: tuple[object, ...], raw: Tensor) -> Tensor:
    """A head's raw output, replaced by that of a bumpy wall in front of the camera."""
    height, width = raw.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=raw.device) - height / 2,
        torch.arange(width, device=raw.device) - width / 2,
        indexing="ij",
    )
    depth = 1 + 0.1 * torch.sin(x / 7) * torch.cos(y / 5)
    points = torch.stack([x / width, y / width, torch.ones_like(x)]) * depth
    distance = points.norm(dim=0)
    wall = torch.cat([points / distance * distance.log1p(), torch.zeros_like(points[:1])])
    return wall.to(raw.dtype).expand_as(raw) + 1e-3 * raw.tanh()
