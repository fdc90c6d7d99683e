"""Settings as commands take them: a file, with the options given on the command line on top."""

import json
from pathlib import Path
from typing import Any

from easi3r.config import Settings
from easi3r.errors import SettingsError


def chosen_settings(file: Path | None, options: dict[str, dict[str, Any]]) -> Settings:
    """Settings of a file with options on top; an option that is None was not given.

    Raises:
        SettingsError: the file is no JSON object, or a setting is out of its range.
    """
    values = {} if file is None else _read(file)
    for group, given in options.items():
        given = {name: value for name, value in given.items() if value is not None}
        if given:
            values[group] = {**values.get(group, {}), **given}
    # One clip a batch unless the file says otherwise: each is shown as soon as it is committed.
    values["execution"] = {"clips_per_batch": 1, **values.get("execution", {})}
    return Settings.parse(values)


def _read(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        remedy = "Give a JSON file such as `easi3r settings > settings.json` writes"
        raise SettingsError(str(file), f"cannot be read as JSON ({error})", remedy) from error
    if not isinstance(values, dict):
        raise SettingsError(str(file), "is not a JSON object", "See `easi3r settings`")
    return values
