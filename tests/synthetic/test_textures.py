"""Atlases: two vocabularies of different textures, the same in every process."""

import numpy as np
import torch

from easi3r.synthetic.families import HELD_OUT_FAMILIES, TEXELS, TRAINING_FAMILIES, noise, stretch
from easi3r.synthetic.scene_settings import Vocabulary
from easi3r.synthetic.textures import CLOUDS, TEXTURES, Atlas, atlas

CPU = torch.device("cpu")


def whole(source: Atlas, texture: int) -> np.ndarray:
    """A texture at its finest level."""
    v, u = torch.meshgrid(*[torch.arange(TEXELS) + 0.5] * 2, indexing="ij")
    which = torch.full((TEXELS**2,), texture)
    level = torch.zeros(TEXELS**2)
    return source.sample(which, u.reshape(-1), v.reshape(-1), level).numpy()


def test_vocabularies_share_no_texture_and_two_families_or_more_are_held_out() -> None:
    assert not set(TRAINING_FAMILIES) & set(HELD_OUT_FAMILIES)
    assert len(set(HELD_OUT_FAMILIES)) >= 2
    ours, theirs = (
        np.stack([whole(atlas(vocabulary, CPU), k) for k in range(TEXTURES)])
        for vocabulary in Vocabulary
    )
    nearest = [np.abs(ours - texture).mean(axis=1).min() for texture in theirs[::8]]
    assert min(nearest) > 0.02


def test_every_family_is_periodic_and_has_contrast() -> None:
    rng = np.random.default_rng(0)
    for family in (*TRAINING_FAMILIES, *HELD_OUT_FAMILIES):
        texture = stretch(family(rng))
        assert texture.shape == (TEXELS, TEXELS)
        assert 0.08 < texture.std() <= 0.5, family
        inner = np.abs(np.diff(texture, axis=0)).mean(axis=1)
        seam = np.abs(texture[0] - texture[-1]).mean()
        assert seam < 1.2 * inner.max() + 0.05, family


def test_clouds_are_noise() -> None:
    rng = np.random.default_rng(20260101)
    np.testing.assert_allclose(
        whole(atlas(Vocabulary.TRAINING, CPU), CLOUDS[0]),
        stretch(noise(rng)).reshape(-1),
        atol=1e-5,
    )


def test_coarser_levels_are_means_of_finer_ones() -> None:
    source = atlas(Vocabulary.TRAINING, CPU)
    fine = whole(source, 7).reshape(TEXELS // 4, 4, TEXELS // 4, 4).mean(axis=(1, 3))
    v, u = torch.meshgrid(*[torch.arange(TEXELS // 4) * 4 + 2.0] * 2, indexing="ij")
    which = torch.full((u.numel(),), 7)
    coarse = source.sample(which, u.reshape(-1), v.reshape(-1), torch.full((u.numel(),), 2.0))
    np.testing.assert_allclose(coarse.numpy().reshape(fine.shape), fine, atol=1e-5)
