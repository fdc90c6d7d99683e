import json
from dataclasses import replace

import pytest

from easi3r.errors import SettingsError
from easi3r.model import ModelConfig
from tests.model.sizes import TINY


@pytest.mark.parametrize("config", [TINY, ModelConfig.published()])
def test_json_round_trip(config: ModelConfig) -> None:
    assert ModelConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"encoder_depth": 0}, "encoder_depth"),
        ({"patch_size": 16.5}, "patch_size"),
        ({"decoder_heads": 5}, "decoder_heads"),
        ({"decoder_heads": 24}, "decoder_heads"),
        ({"head": "conv"}, "head"),
        ({"dpt_hook_channels": (8, 8)}, "dpt_hook_channels"),
        ({"rope_base": -1.0}, "rope_base"),
    ],
)
def test_impossible_sizes_are_named_in_the_error(change: dict, named: str) -> None:
    values = TINY.to_json() | change
    with pytest.raises(SettingsError, match=named):
        ModelConfig.from_json(values)


def test_unknown_and_missing_keys_are_named_in_the_error() -> None:
    with pytest.raises(SettingsError, match="colour"):
        ModelConfig.from_json(TINY.to_json() | {"colour": 3})
    values = TINY.to_json()
    del values["encoder_depth"]
    with pytest.raises(SettingsError, match="encoder_depth"):
        ModelConfig.from_json(values)


def test_changed_config_is_checked_too() -> None:
    with pytest.raises(SettingsError, match="encoder_heads"):
        replace(TINY, encoder_heads=7)
