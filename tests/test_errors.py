"""Every error is permanent or transient, survives pickling and has a reason of its own."""

import pickle

import pytest

from easi3r import errors


def leaves(kind: type[errors.Easi3RError]) -> list[type[errors.Easi3RError]]:
    below = [leaf for child in kind.__subclasses__() for leaf in leaves(child)]
    return below or [kind]


@pytest.mark.parametrize("kind", leaves(errors.Easi3RError), ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling_with_its_message(kind: type[errors.Easi3RError]) -> None:
    error = kind("a.mp4", "is empty", "Copy it again")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error) == "a.mp4: is empty. Copy it again."
    assert isinstance(error, errors.PermanentError) != isinstance(error, errors.TransientError)


def test_reasons_are_distinct() -> None:
    reasons = [kind.reason for kind in leaves(errors.Easi3RError)]
    assert len(set(reasons)) == len(reasons)
