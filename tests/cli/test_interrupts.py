import signal

import pytest

from easi3r.cli.interrupts import interrupts_told


def test_the_first_interrupt_is_told_and_raised_and_the_handler_put_back() -> None:
    before, told = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt), interrupts_told(lambda: told.append("stopping")):
        signal.raise_signal(signal.SIGINT)
    assert told == ["stopping"]
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_interrupt_is_the_system_s_own() -> None:
    with interrupts_told(lambda: None):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
