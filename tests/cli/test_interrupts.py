import signal

import pytest

from easi3r.cli.interrupts import on_first_interrupt


def test_the_first_interrupt_calls_back_and_the_old_handler_returns() -> None:
    before, lines = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt), on_first_interrupt(lambda: lines.append("stopping")):
        signal.raise_signal(signal.SIGINT)
    assert lines == ["stopping"]
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_interrupt_is_the_systems_own() -> None:
    with on_first_interrupt(lambda: None):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
