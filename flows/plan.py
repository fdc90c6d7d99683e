"""Plan a collection: the flow that deployments run to see what a run would do before it is paid."""

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from easi3r.config import Settings
from easi3r.plan import PlanState
from easi3r.run.collection import absolute_location
from easi3r.run.engine import load_engine
from easi3r.store import committed_set, quarantined_set
from tasks.annotate import plan_collection, prepare
from tasks.cluster import Cluster, LocalDask, open_executor
from tasks.watching import PrefectWatcher, open_progress_artifact


@flow(name="plan-collection", validate_parameters=True)
def plan(
    source: str,
    destination: str,
    settings: Settings = Settings(),  # noqa: B008  frozen, so sharing it is safe
    cluster: Cluster = LocalDask(),  # noqa: B008
) -> PlanState:
    """Probe every video of `source`, keep the plan under `destination`, and say what is pending.

    Args:
        source: a video, a folder, a glob or a manifest (.csv, .jsonl, .parquet), on any fsspec URL.
        destination: the dataset, on any fsspec URL; created if need be.
        settings: what a run would compute and how.
        cluster: where videos are probed.
    """
    source, destination = absolute_location(source), absolute_location(destination)
    watcher = PrefectWatcher(get_run_logger(), open_progress_artifact())
    with open_executor(cluster) as executor:
        pinned = prepare(source, destination, settings, executor, load_engine)
        made = plan_collection(source, destination, pinned, executor, watcher)
    watcher.planned(made)
    state = made.state(committed_set(destination), quarantined_set(destination), pinned)
    figures = {**made.counts.model_dump(), **state.model_dump(), **made.reasons()}
    rows = "\n".join(f"| {name} | {figure} |" for name, figure in figures.items())
    create_markdown_artifact(f"# {source}\n\n|  |  |\n|---|---|\n{rows}", key="plan-collection")
    return state
