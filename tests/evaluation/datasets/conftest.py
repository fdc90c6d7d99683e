"""Replicas of the data sets, written once for all tests of the readers."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from easi3r.synthetic import RenderedClip
from tests.replicas import write_replica


@dataclass(frozen=True)
class Replica:
    """A folder in a data set's layout, and the scenes in it; not to be changed."""

    root: Path
    clips: dict[str, RenderedClip]


def written(dataset: str, factory: pytest.TempPathFactory) -> Replica:
    root = factory.mktemp(dataset)
    return Replica(root, write_replica(dataset, root))


@pytest.fixture(scope="session")
def davis(tmp_path_factory: pytest.TempPathFactory) -> Replica:
    return written("davis", tmp_path_factory)


@pytest.fixture(scope="session")
def tum(tmp_path_factory: pytest.TempPathFactory) -> Replica:
    return written("tum", tmp_path_factory)


@pytest.fixture(scope="session")
def adt(tmp_path_factory: pytest.TempPathFactory) -> Replica:
    return written("adt", tmp_path_factory)


@pytest.fixture(scope="session")
def dycheck(tmp_path_factory: pytest.TempPathFactory) -> Replica:
    return written("dycheck", tmp_path_factory)


@pytest.fixture(scope="session")
def sintel(tmp_path_factory: pytest.TempPathFactory) -> Replica:
    return written("sintel", tmp_path_factory)


@pytest.fixture(scope="session")
def bonn(tmp_path_factory: pytest.TempPathFactory) -> Replica:
    return written("bonn", tmp_path_factory)
