"""Plan a collection: the flow that deployments run to see what a run would do before it is paid."""

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from easi3r.config import Settings
from easi3r.knowledge import KnownInputs
from easi3r.plan import PlanState
from easi3r.run.collection import plan_run, prepare
from easi3r.run.pending import Backlog
from easi3r.run.run import Run
from tasks.annotate import repeatable
from tasks.cluster import Cluster, LocalDask, open_executor
from tasks.watching import PrefectWatcher, open_progress_artifact


@flow(name="plan-collection", validate_parameters=True)
def plan(
    source: str,
    destination: str,
    settings: Settings = Settings(),  # noqa: B008  frozen, so sharing it is safe
    cluster: Cluster = LocalDask(),  # noqa: B008
    known: KnownInputs | None = None,
) -> PlanState:
    """Probe every video of `source`, write the plan under `destination`, return what is pending.

    Args:
        source: a video, a folder, a glob or a manifest (.csv, .jsonl, .parquet), on any fsspec URL.
        destination: the dataset, on any fsspec URL; created if need be.
        settings: what a run would compute and how.
        cluster: where videos are probed.
        known: cameras and masks of the videos, as `easi3r plan` takes them; empty: none but those
            that a manifest names.
    """
    watcher = PrefectWatcher(get_run_logger(), open_progress_artifact())
    with open_executor(cluster) as executor:
        run = repeatable(prepare)(Run.of(source, destination, settings, known=known), executor)
        made = repeatable(plan_run)(run, executor, watcher)
    watcher.planned(made)
    backlog = Backlog.read(made, run)
    state = backlog.state()
    figures = {**made.counts.model_dump(), **state.model_dump(), **made.reasons()}
    figures["outdated_results"] = str(backlog.outdated())
    rows = "\n".join(f"| {name} | {figure} |" for name, figure in figures.items())
    create_markdown_artifact(f"# {run.source}\n\n|  |  |\n|---|---|\n{rows}", key="plan-collection")
    return state
