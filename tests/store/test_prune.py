"""Superseded results go, record first; all others stay whole."""

import pytest

from easi3r.config import StoreSettings
from easi3r.errors import StoreError
from easi3r.store import (
    CommitRecord,
    Kind,
    audit,
    made_by,
    open_dataset,
    prune,
    superseded,
    write_clip,
)
from easi3r.store.files import Files, files_at
from tests.store.annotations import make_annotation

SETTINGS = StoreSettings()


def write(url: str, seed: int, weights: str) -> CommitRecord:
    annotation = make_annotation(2, 16, 16, seed=seed, weights_sha256=weights * 64)
    return write_clip(url, annotation, SETTINGS).record


def names(records: object) -> set[str]:
    return {record.name for record in records}  # type: ignore[attr-defined]


def test_all_but_the_newest_result_of_each_clip_goes(dataset_url: str) -> None:
    old = [write(dataset_url, 0, weights) for weights in "ac"]
    staying = [write(dataset_url, 0, "b"), write(dataset_url, 1, "a")]
    assert names(superseded(dataset_url)) == names(old)
    assert names(open_dataset(dataset_url).results) == names([*old, *staying])
    assert names(prune(dataset_url, superseded(dataset_url))) == names(old)
    assert names(open_dataset(dataset_url).results) == names(staying)
    report = audit(dataset_url, older_than_seconds=0.0)
    assert report.findings == ()
    assert report.read_whole == 2


def test_results_of_chosen_weights_and_settings_stay(dataset_url: str) -> None:
    first = {weights: write(dataset_url, 0, weights) for weights in "abc"}
    write(dataset_url, 1, "b")
    assert names(superseded(dataset_url, made_by(["aaaa"]))) == names([first["b"], first["c"]])
    assert names(superseded(dataset_url, made_by(["a", "c"]))) == names([first["b"]])
    assert names(superseded(dataset_url, made_by([], ["bbb"]))) == set()
    # No clip has a result of these weights: nothing supersedes anything.
    assert names(superseded(dataset_url, made_by(["a"], ["ccc"]))) == set()


def test_killed_between_record_and_attempt_it_leaves_an_orphan(
    local_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write(local_url, 0, "a")
    write(local_url, 0, "b")

    def killed(self: Files, folder: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(files_at(local_url)), "delete_folder", killed)
        with pytest.raises(KeyboardInterrupt):
            list(prune(local_url, superseded(local_url)))
    (finding,) = audit(local_url, older_than_seconds=0.0).findings
    assert (finding.kind, finding.path) == (Kind.ORPHAN, old.path)


def test_a_damaged_record_stops_pruning(local_url: str) -> None:
    record = write(local_url, 0, "a")
    write(local_url, 0, "b")
    files_at(local_url).put(record.commit_path, b"torn")
    with pytest.raises(StoreError, match=record.commit_path):
        list(superseded(local_url))
