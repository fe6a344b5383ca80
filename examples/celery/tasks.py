"""A task for each picture: ``celery -A tasks worker``."""

import os
from functools import cache
from pathlib import Path

from celery import Celery

import renditions

app = Celery("tasks", broker=os.environ.get("BROKER_URL", "memory://"))
FILE = Path(__file__).with_name("renditions.toml")


@cache
def pipeline_of(_process: int) -> renditions.OpenPipeline:
    """Open the pipeline in each process of a worker, after it was forked."""
    return renditions.open(FILE, workers=1, unattended=True)


@app.task(bind=True, acks_late=True, max_retries=None)
def process(self, name: str) -> str:
    """Bring one picture's renditions up to date.

    Call this task after a picture was saved, replaced or deleted. Repeated and late calls do no harm, because
    Renditions compares the picture with its record.
    """
    outcome = pipeline_of(os.getpid()).process(name)
    if outcome.again_after:
        raise self.retry(countdown=outcome.again_after.total_seconds())
    return outcome.result


@app.task
def sync() -> dict[str, int]:
    """Process the pictures that no task was sent for. Schedule this once an hour."""
    return dict(pipeline_of(os.getpid()).sync().results)
