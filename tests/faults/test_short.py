"""A dozen of the faults of `make faults`, one or two of each kind that takes no minutes."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.disks import CannotMountError, small_disk
from tests.faults.kills import kill_faults
from tests.faults.network import object_store
from tests.faults.proxy import Action
from tests.faults.races import race_faults
from tests.faults.report import rows
from tests.faults.trial import Arena, Fault


def find(faults: Sequence[Fault], kind: str, name: str) -> Fault:
    """The first fault of a kind at a step or request whose name holds `name`."""
    return next(f for f in faults if f.kind.endswith(kind) and name in f.name)


def hold_all(arena: Arena, faults: Sequence[Fault]) -> None:
    """Every fault happens, and no clip comes to harm."""
    undisturbed = arena.undisturbed()
    assert len(undisturbed.committed) == 2
    assert sorted(undisturbed.quarantined.values()) == ["degenerate_geometry", "not_a_video"]
    trials = [arena.hold(fault, undisturbed) for fault in faults]
    assert [trial for trial in trials if not trial.inflicted or not trial.sound] == []
    *_, whole = rows(trials)
    assert whole.sound
    assert whole.faults == len(faults)


def test_killed_at_steps_of_the_writer_and_the_committer(tmp_path: Path) -> None:
    arena = Arena(tmp_path, str(tmp_path / "data"))
    faults = list(kill_faults(arena))
    assert len(faults) > 100
    chosen = [
        find(faults, "before a step", "os.link zarr.json"),
        find(faults, "before a step", "os.link commits/"),
        find(faults, "before a step", "os.remove commits/"),
        find(faults, "before a step", "os.rename quarantine/"),
        find(faults, "half-way through a write", "fsync clips/"),
        find(faults, "half-way through a write", "fsync commits/"),
    ]
    hold_all(arena, chosen)


def test_overtaken_between_the_write_and_the_commit(tmp_path: Path) -> None:
    arena = Arena(tmp_path, str(tmp_path / "data"))
    faults = list(race_faults(arena))
    overtaken = find(faults, "overtaken by the other", "os.link commits/")
    hold_all(arena, [overtaken, find(faults, "started together", "race")])


def test_a_store_that_cuts_and_refuses(tmp_path: Path) -> None:
    with object_store(tmp_path) as store:
        faults = list(store.faults())
        chosen = [
            find(faults, Action.LOSE_ANSWER, "/commits/"),
            find(faults, Action.SLOW_DOWN, "/commits/"),
            find(faults, "SIGKILL at a request", "/commits/"),
        ]
        hold_all(store.arena, chosen)


def test_a_store_without_exclusive_writes_is_refused(tmp_path: Path) -> None:
    with object_store(tmp_path) as store:
        run = store.arena.new_run()
        assert store.inflict(run, lambda number, request: Action.NOT_EXCLUSIVE)
        assert "accepts a create-only write of an object that exists" in run.output.read_text()
        assert not store.arena.read(run).committed


def test_a_full_disk(tmp_path: Path) -> None:
    try:
        with small_disk(tmp_path) as disk:
            faults = list(disk.faults())
            hold_all(disk.arena, [faults[len(faults) // 20], find(faults, "read-only", "commits/")])
    except CannotMountError as error:
        pytest.skip(f"a tmpfs cannot be mounted here: {error}")
