"""The plan of a collection: which clips its videos give, stored as Parquet under the dataset.

`plan_collection` lists, probes and writes it, in parallel and restartable; `Plan.batches` streams
the clips that are pending. See docs/decisions/006-plan-on-disk.md.
"""

from easi3r.plan.outdated import outdated_results
from easi3r.plan.parts import PartSummary
from easi3r.plan.plan import Plan, plan_ids, planned_clips, read_plan
from easi3r.plan.planner import PlanWatcher, plan_collection, plan_part
from easi3r.plan.records import OutdatedResults, PlanCounts, PlanState
from easi3r.plan.videos import VideoPlan, plan_video

__all__ = [
    "OutdatedResults",
    "PartSummary",
    "Plan",
    "PlanCounts",
    "PlanState",
    "PlanWatcher",
    "VideoPlan",
    "outdated_results",
    "plan_collection",
    "plan_ids",
    "plan_part",
    "plan_video",
    "planned_clips",
    "read_plan",
]
