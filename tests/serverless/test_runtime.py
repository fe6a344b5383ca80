"""The handler in AWS's own runtime client, behind a small Runtime API server."""

from __future__ import annotations

from pathlib import Path

from serverless.runtime_api import start_function
from serverless.test_lambda import put, queue

TESTS = Path(__file__).parent.parent


def test_the_lambda_runtime_receives_answers_exceptions_and_json_log_lines(tmp_path: Path) -> None:
    environ = {"PYTHONPATH": str(TESTS)}
    with start_function(
        TESTS / "serverless", "memory_app.lambda_handler", tmp_path / "log", environ
    ) as function:
        throttled = function.call(put("first.jpg"))
        assert throttled.error["errorType"] == "Failed"
        assert throttled.error["errorMessage"] == "first.jpg: no space left on the device"
        assert function.call(queue(put("first.jpg"), put("bad.jpg"))).value == {"batchItemFailures": []}
        late = function.call(queue(put("first.jpg"), put("bad.jpg")), limit_seconds=0.5)
        assert late.value == {"batchItemFailures": [{"itemIdentifier": "0"}, {"itemIdentifier": "1"}]}
        results = [line["Result"] for line in function.log_lines() if "Result" in line]
    assert sorted(results) == ["done", "failed", "rejected"]


def test_a_function_that_can_not_start_reports_the_reason(tmp_path: Path) -> None:
    with start_function(TESTS / "serverless", "no_such_module.handler", tmp_path / "log", {}) as function:
        error = function.ended.get(timeout=60).error
    assert error["errorType"] == "Runtime.ImportModuleError"
