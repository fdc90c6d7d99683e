"""What a Dask worker shows of its work: metrics over HTTP, by itself."""

import hashlib
import urllib.request
from pathlib import Path

from distributed import Client

from easi3r.run.run import Run
from easi3r.run.worker import annotate_batch
from easi3r.store import prepare_dataset
from easi3r.types import ClipSpec, Outcome
from tasks.cluster import local_cluster
from tests.engines import NullEngine, null_settings


def test_a_worker_serves_our_metrics_beside_dasks(tmp_path: Path) -> None:
    video, destination = tmp_path / "video.mp4", str(tmp_path / "out.zarr")
    video.write_bytes(b"not decoded here")
    fingerprint = hashlib.sha256(video.read_bytes()).hexdigest()
    spec = ClipSpec(str(video), fingerprint, (0, 1), (0.0, 0.1), 0, 2)
    settings = null_settings()
    prepare_dataset(destination, settings.model_dump_json())
    with local_cluster(workers=1, gpus=0) as cluster, Client(cluster) as client:
        run = client.submit(annotate_batch, (spec,), Run("", destination, settings, NullEngine))
        (report,) = run.result()
        (worker,) = client.scheduler_info()["workers"].values()
        port = worker["services"]["dashboard"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
    assert report.outcome is Outcome.COMMITTED
    assert 'easi3r_clips_total{outcome="committed",reason=""} 1.0' in lines
    assert f"easi3r_written_bytes_total {float(report.bytes_written)}" in lines
    assert any(line.startswith("dask_worker_") for line in lines)
