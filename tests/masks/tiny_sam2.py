"""SAM 2's real classes at a tiny size, with random weights."""

from pathlib import Path

import torch

SIDE = 128
WIDTH, MEMORY = 128, 64  # transformers builds memories of no other width, narrower than the rest


def save_tiny_sam2(folder: Path, seed: int = 0) -> Path:
    """A folder as on Hugging Face, of 1.2 M parameters that see 128x128 pixels."""
    from transformers import Sam2VideoConfig, Sam2VideoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "image_size": [SIDE, SIDE],
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 2],
        "window_size_per_stage": [4, 4, 4, 4],
        "global_attention_blocks": [3],
    }
    config = Sam2VideoConfig(
        image_size=SIDE,
        vision_config={
            "backbone_config": backbone,
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[SIDE // 4] * 2, [SIDE // 8] * 2, [SIDE // 16] * 2],
            "fpn_hidden_size": WIDTH,
        },
        prompt_encoder_config={"hidden_size": WIDTH, "image_size": SIDE},
        mask_decoder_config={
            "hidden_size": WIDTH,
            "mlp_dim": 64,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 32,
        },
        memory_attention_hidden_size=WIDTH,
        memory_attention_num_layers=2,
        memory_attention_feed_forward_hidden_size=64,
        memory_attention_rope_feat_sizes=[SIDE // 16, SIDE // 16],
        memory_encoder_hidden_size=WIDTH,
        memory_encoder_output_channels=MEMORY,
        mask_downsampler_embed_dim=WIDTH,
        memory_fuser_embed_dim=WIDTH,
        memory_fuser_intermediate_dim=64,
    )
    torch.manual_seed(seed)
    Sam2VideoModel(config).save_pretrained(folder)
    return folder
