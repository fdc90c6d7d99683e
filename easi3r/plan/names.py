"""Names of the results that a run makes of planned clips, many at a time."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from easi3r.config import Settings
from easi3r.errors import SettingsError
from easi3r.store import result_names


def planned_names(
    packed_ids: np.ndarray, known_digests: Sequence[str | None], settings: Settings
) -> np.ndarray:
    """`result_name` of many clips, packed (`S24`), in their order.

    Args:
        packed_ids: packed clip ids (`S16`).
        known_digests: `ClipSpec.known_digest` of each.
        settings: with the weights' hash pinned.

    Raises:
        SettingsError: no weights' hash.
    """
    sha256 = settings.model.sha256
    if sha256 is None:
        problem = "is not set, and results are named by it"
        raise SettingsError("model.sha256", problem, "Pin the weights first (`prepare`)")
    places: dict[str | None, list[int]] = defaultdict(list)
    for place, known_digest in enumerate(known_digests):
        places[known_digest].append(place)
    names = np.empty(len(packed_ids), "S24")
    for known_digest, some in places.items():
        settings_digest = settings.result_digest(known_digest)
        names[some] = result_names(packed_ids[some], sha256, settings_digest)
    return names
