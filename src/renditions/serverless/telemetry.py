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
from dataclasses import dataclass
from typing import Any, Literal

Unit = Literal["Count", "Seconds", "Bytes"]
NAMESPACE = "Renditions"


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that the function reports to CloudWatch."""

    unit: Unit
    dimensions: str
    meaning: str


_BY_RESULT = "FunctionName, Result"
METRICS: Mapping[str, Metric] = {
    "Pictures": Metric("Count", _BY_RESULT, "Pictures that a call processed, by their result."),
    "Seconds": Metric(
        "Seconds", _BY_RESULT, "How long a picture took, without its wait for memory and a core."
    ),
    "OriginalBytes": Metric("Bytes", _BY_RESULT, "The size of a picture that is done or rejected."),
    "OutputBytes": Metric("Bytes", _BY_RESULT, "The size of a picture's renditions, if it has any."),
    "RefusedMessages": Metric(
        "Count", "FunctionName", "Messages that aren't understood, or aren't about this pipeline."
    ),
    "Superseded": Metric(
        "Count",
        "FunctionName",
        "Calls that the catalog refused: it uses another version, or belongs to another pipeline.",
    ),
    "InvalidationsFailed": Metric(
        "Count", "FunctionName", "Calls after which CloudFront may serve former outputs."
    ),
    "RemovalsHeld": Metric("Count", "FunctionName", "Missing pictures whose removal waits for permission."),
    "OutputsHeld": Metric("Count", "FunctionName", "Pictures whose missing outputs wait for permission."),
    "CatalogLost": Metric(
        "Count", "FunctionName", "Unknown outputs that a tick found after the catalog was lost."
    ),
}
"""Every metric, by its name."""

HELD: Mapping[str, str] = {"removals": "RemovalsHeld", "output": "OutputsHeld", "catalog": "CatalogLost"}
"""The metric of each kind of work that a tick holds back. Each metric counts something else."""


class JsonLines(logging.Handler):
    """A log handler that writes each record as one line of JSON to stdout.

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
    """Make this package write log records as JSON to stdout, from level INFO up."""
    logger = logging.getLogger("renditions")
    logger.handlers = [JsonLines()]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def metrics(dimensions: Mapping[str, str], values: Mapping[str, float]) -> dict[str, Any]:
    """Return the log fields from which CloudWatch makes metrics.

    ``dimensions`` has the value of each dimension, by name. ``values`` has the numbers to report, by their
    names in ``METRICS``; it may leave out others.
    """
    return {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [list(dimensions)],
                    "Metrics": [{"Name": name, "Unit": METRICS[name].unit} for name in values],
                }
            ],
        },
        **dimensions,
        **values,
    }
