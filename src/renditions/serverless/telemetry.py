"""Log lines in JSON, with metrics in them, for CloudWatch.

A line with ``_aws`` is a line of CloudWatch's Embedded Metric Format: CloudWatch keeps the line and makes
metrics of the fields that ``_aws`` names, without a call to any service.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from typing import Any, Literal

Unit = Literal["Count", "Seconds", "Bytes"]
NAMESPACE = "Renditions"


class JsonLines(logging.Handler):
    """Writes each log record as one line of JSON to stdout; ``extra={"fields": {…}}`` adds fields."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record."""
        line: dict[str, Any] = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03}Z",
            "level": record.levelname,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = logging.Formatter().formatException(record.exc_info)
        # One write, so that lines of several threads never mix.
        sys.stdout.write(json.dumps(line, default=str) + "\n")
        sys.stdout.flush()


def log_to_stdout() -> None:
    """Write all log records of this package as JSON, each once."""
    logger = logging.getLogger("renditions")
    logger.handlers = [JsonLines()]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def metrics(dimensions: Mapping[str, str], values: Mapping[str, tuple[float, Unit]]) -> dict[str, Any]:
    """Return the fields that make a log line a metric: each value under its name, by these dimensions."""
    return {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [list(dimensions)],
                    "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in values.items()],
                }
            ],
        },
        **dimensions,
        **{name: value for name, (value, _) in values.items()},
    }
