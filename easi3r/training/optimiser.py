"""Initial weights, optimisers and learning rates."""

import torch
from torch import nn

from easi3r.model import DUSt3R
from easi3r.training.losses import MotionReader
from easi3r.training.training_settings import TrainingSettings

_HEAD_STD = 0.02


def initialise(network: DUSt3R, seed: int) -> None:
    """Weights from the seed: Xavier matrices, residual outputs shrunk by depth, points ahead.

    Cross-attention starts with keys like queries, so that alike tokens find each other: matching
    then has something to sharpen. The heads start at the point (0, 0, 1.7): in front of the
    camera, where every scene is.
    """
    generator = torch.Generator().manual_seed(seed)
    blocks = network.config.encoder_depth + network.config.decoder_depth
    tensors = dict(network.named_parameters())
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(tensors[f"{name}.weight"], generator=generator)
            nn.init.zeros_(tensors[f"{name}.bias"])
            if name.endswith((".proj", ".fc2")):
                tensors[f"{name}.weight"].data.mul_((2 * blocks) ** -0.5)
    for name, tensor in tensors.items():
        if "cross_attn.projk" in name:
            tensor.data.copy_(tensors[name.replace("projk", "projq")])
    embedding = tensors["patch_embed.proj.weight"]
    nn.init.xavier_uniform_(embedding.view(len(embedding), -1), generator=generator)
    nn.init.zeros_(tensors["patch_embed.proj.bias"])
    for head in ("downstream_head1", "downstream_head2"):
        nn.init.normal_(tensors[f"{head}.proj.weight"], std=_HEAD_STD, generator=generator)
        tensors[f"{head}.proj.bias"].data.view(4, -1)[2].fill_(1.0)
    network.mask_token.requires_grad_(False)


def make_optimisers(
    network: DUSt3R, reader: MotionReader, settings: TrainingSettings
) -> tuple[torch.optim.Muon, torch.optim.AdamW]:
    """Muon for the matrices of the blocks, AdamW for everything else."""
    trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
    matrices = [
        p
        for part in ("enc_blocks.", "dec_blocks.", "dec_blocks2.", "decoder_embed.")
        for name, p in trained.items()
        if p.ndim == 2 and name.startswith(part)
    ]
    matrix_ids = {id(matrix) for matrix in matrices}
    rest = [p for p in trained.values() if id(p) not in matrix_ids]
    muon = torch.optim.Muon(
        matrices,
        lr=settings.matrix_rate,
        weight_decay=settings.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    adamw = torch.optim.AdamW(
        [*rest, *reader.parameters()], lr=settings.other_rate, betas=(0.9, 0.98), weight_decay=0.0
    )
    return muon, adamw


def rate_factor(step: int, settings: TrainingSettings) -> float:
    """Linear warm-up, constant, linear cool-down over the last share of the steps."""
    left = (settings.steps - step) / max(1.0, settings.cooldown * settings.steps)
    return min(1.0, (step + 1) / settings.warmup_steps, max(0.0, left))
