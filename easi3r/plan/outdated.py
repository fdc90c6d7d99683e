"""Pending clips of a plan that have results, but by other weights, settings or methods."""

import numpy as np

from easi3r.config import Settings
from easi3r.plan.plan import Plan
from easi3r.plan.records import OutdatedResults
from easi3r.store import ResultSet, unpack_clip_ids
from easi3r.store.outdated_reasons import reasons_of

CLIPS_EXAMINED = 1000  # their commit records take object storage about a second


def outdated_results(
    plan: Plan, committed: ResultSet, quarantined: ResultSet, settings: Settings
) -> OutdatedResults:
    """How many pending clips have results under another result id, and why these do not count.

    Reads the clip ids of the plan, and the commit records of the first 1000 such clips.

    Args:
        settings: with the weights' hash pinned; planned with the same planning settings.

    Raises:
        As `Plan.batches`.
    """
    clips = 0
    examined = np.empty(0, "S16")
    known: dict[str, str] = {}
    for clip_ids, digests in plan.pending_clips(committed | quarantined, settings):
        outdated = committed.contains_clips(clip_ids)
        clips += int(outdated.sum())
        more = np.flatnonzero(outdated)[: CLIPS_EXAMINED - len(examined)]
        examined = np.concatenate([examined, clip_ids[more]])
        pairs = zip(unpack_clip_ids(clip_ids[more]), digests[more], strict=True)
        known |= {clip_id: known_digest for clip_id, known_digest in pairs if known_digest}
    counts = reasons_of(plan.destination, committed.of_clips(examined), settings, known)
    return OutdatedResults(clips=clips, examined=counts.total(), reasons=dict(counts.most_common()))
