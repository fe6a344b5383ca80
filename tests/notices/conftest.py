"""A queue that receives the notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.cloud import CLIENTS, name_of


@pytest.fixture
def queue(tmp_path: Path) -> str:
    """Make a queue; return its URL."""
    return str(CLIENTS.sqs.create_queue(QueueName=name_of(tmp_path))["QueueUrl"])
