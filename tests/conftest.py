"""Fixtures and options for all tests."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import nullcontext

import pytest
from hypothesis import settings

import skips
from contract.cloud import environment_of, run_moto
from hanging import Failures, limited

# Hypothesis draws the same examples on any machine. With HYPOTHESIS_PROFILE=exploring it draws new ones.
# Without a deadline, because on a busy machine any example may take longer than Hypothesis' 200 ms.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("exploring", derandomize=False, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that ``make test`` and ``make test-servers`` use."""
    parser.addoption("--limit", type=float, default=0, help="the seconds that a phase of a test may take")
    parser.addoption("--endpoint", help="the URL of a server that stands for AWS, in place of moto's")
    parser.addoption("--emulator", help="the program that stands for Lambda, see servers/emulator.py")


@pytest.hookimpl(trylast=True)  # after pytest has made its reporter
def pytest_configure(config: pytest.Config) -> None:
    """Print failures at once."""
    if reporter := config.pluginmanager.get_plugin("terminalreporter"):
        config.pluginmanager.register(Failures(reporter))


def _limit(item: pytest.Item) -> Generator[None]:
    with limited(item.config.getoption("--limit")):
        return (yield)


pytest_runtest_setup = pytest.hookimpl(_limit, wrapper=True)
pytest_runtest_call = pytest.hookimpl(_limit, wrapper=True)
pytest_runtest_teardown = pytest.hookimpl(_limit, wrapper=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, fail a test that is skipped without permission; see ``skips``."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2]
        if skips.are_enforced() and not skips.is_allowed(report.nodeid, reason):
            report.outcome = "failed"
            report.longrepr = f"{reason}. With CI=true, only what tests/skips.py allows may be skipped."
    return report


@pytest.fixture(scope="session")
def aws(request: pytest.FixtureRequest) -> Iterator[None]:
    """Send all AWS calls of this process and its children to moto's server.

    With ``--endpoint``, send them to the server with this URL instead.
    """
    endpoint = request.config.getoption("--endpoint")
    server = nullcontext(environment_of(endpoint)) if endpoint else run_moto()
    with server as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.delenv("AWS_PROFILE", raising=False)
        yield
