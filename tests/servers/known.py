"""A pytest plugin for tests that fail because a server differs from AWS.

``--server NAME`` chooses the server that stands for AWS. If a test fails in one of the ways below, pytest
reports an expected failure. Any other failure counts.
"""

from __future__ import annotations

import traceback
from collections.abc import Generator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import Phase, settings

# Don't shrink failing examples: if a server can't do something at all, shrinking takes minutes.
settings.register_profile("servers", phases=(Phase.explicit, Phase.generate), report_multiple_bugs=False)
settings.load_profile("servers")


@dataclass(frozen=True)
class Known:
    """One known failure of a test, caused by a server's difference from AWS."""

    test: str
    """The pattern of the names of the tests that fail."""
    says: str
    """A part of the exception's text."""
    reason: str


KNOWN: dict[str, list[Known]] = {
    "dynalite": [
        Known("*", "(UnknownOperationException)", "dynalite has no transactions"),
    ],
    "emulator": [],
    "rgw": [
        Known(
            "test_only_one_of_many_threads_that_replace_the_same_object_succeeds*",
            "PutObject failed: no reason given (UnknownError)",
            "the loser of a race gets status 500 until botocore gives up",
        ),
        Known(
            "test_the_store_reads_and_changes_the_newest_versions_of_a_versioned_bucket",
            "Conflict: 'a' changed since it was read",
            "in a versioned bucket, If-Match never holds in this version of the gateway",
        ),
        Known(
            "test_purge_deletes_older_versions_and_delete_markers",
            "Conflict: 'a' changed since it was read",
            "in a versioned bucket, If-Match never holds in this version of the gateway",
        ),
        Known(
            "test_objects_in_an_encrypted_bucket_can_be_read_listed_replaced_and_deleted*",
            "(InvalidArgument) when calling the PutBucketEncryption",
            "no service that keeps keys is set up",
        ),
        Known(
            "test_reading_an_archived_object_raises_an_error_with_instructions*",
            "(InvalidArgument) when calling the PutObject",
            "it has one storage class and no archive",
        ),
    ],
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option ``--server``, the name of the server that stands for AWS."""
    parser.addoption("--server", choices=KNOWN)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a known failure into an expected one."""
    report = yield
    if report.failed and call.excinfo:
        said = "".join(traceback.format_exception(call.excinfo.value))
        for known in KNOWN[item.config.getoption("--server")]:
            if fnmatchcase(item.name, known.test) and known.says in said:
                expected: Any = report
                expected.outcome, expected.wasxfail = "skipped", known.reason
    return report
