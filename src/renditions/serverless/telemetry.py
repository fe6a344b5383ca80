"""Log lines in JSON for CloudWatch, some of them with metrics.

A line with the field ``_aws`` has CloudWatch's Embedded Metric Format. CloudWatch keeps the line and turns
the fields that ``_aws`` names into metrics. The function calls no service for that.
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
    """Writes each log record as one line of JSON to stdout.

    ``extra={"fields": {…}}`` adds fields.
    """

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
    """Make this package write each log record once, as JSON, to stdout."""
    logger = logging.getLogger("renditions")
    logger.handlers = [JsonLines()]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def metrics(dimensions: Mapping[str, str], values: Mapping[str, tuple[float, Unit]]) -> dict[str, Any]:
    """Return the log fields from which CloudWatch makes metrics.

    They have the values by name, and their dimensions.
    """
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
