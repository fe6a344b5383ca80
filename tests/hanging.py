"""A limit for tests that hang, and their names at once.

One test that waits for ever would hold the whole run. A run that is ended from outside prints no summary, so
its output would not say which test it was.
"""

from __future__ import annotations

import faulthandler
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Fail the running test if the block takes longer than this.

    Print where each thread was. After each further ``seconds``, fail again: what a test does at its end may
    hang, too. Only the main thread is interrupted; pytest runs tests in it. 0 is no limit.
    """

    def fail(_number: int, _frame: object) -> None:
        faulthandler.dump_traceback(file=2)
        pytest.fail(f"this takes longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Failures:
    """A plugin of pytest that prints a line for each failure when it happens."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print the name of a failed test, the phase, and the first line of the reason."""
        if report.failed:
            reason = getattr(getattr(report.longrepr, "reprcrash", None), "message", report.longreprtext)
            first = reason.strip().partition("\n")[0]
            self._reporter.ensure_newline()
            self._reporter.write_line(f"{report.nodeid}: {report.when} failed: {first}")
