"""Tests of the tasks: ``python -m pytest test_tasks.py``.

They have a real worker and a broker in memory.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery.contrib.testing.worker import start_worker
from PIL import Image
from tasks import app, pipeline_of, process, sync

HERE = Path(__file__).parent


@pytest.fixture(scope="module", autouse=True)
def worker() -> Iterator[None]:
    """Run a worker in a thread of this process."""
    with start_worker(app, pool="threads", concurrency=2, perform_ping_check=False):
        yield


def draw(name: str) -> Path:
    """Save a plain picture as an original."""
    path = HERE / "originals" / name
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (900, 600), "teal").save(path)
    return path


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a task has done something."""
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("the task didn't end")


def test_tasks_make_renditions_and_remove_those_of_a_deleted_picture() -> None:
    """The file was just written, so Celery tries the task again after a second."""
    path, thumb = draw("boat.jpg"), HERE / "images" / "boat.jpg" / "thumb.jpg"
    process.delay("boat.jpg")
    wait_for(thumb.exists)
    path.unlink()
    process.delay("boat.jpg")
    wait_for(lambda: not thumb.exists())


def test_sync_makes_the_renditions_of_a_picture_for_which_no_task_was_sent() -> None:
    """The test starts ``sync`` itself. In production, Celery's beat starts it."""
    draw("forgotten.jpg")
    time.sleep(1.1)  # [source] settle
    sync.delay()
    wait_for((HERE / "images" / "forgotten.jpg" / "photo-640.jpg").exists)


def test_a_task_records_a_damaged_picture_as_rejected() -> None:
    """The file contains no picture, so the task isn't tried again."""
    (HERE / "originals" / "bad.jpg").write_bytes(b"text")
    process.delay("bad.jpg")
    pipeline = pipeline_of(os.getpid())
    wait_for(lambda: (record := pipeline.record("bad.jpg")) and record.status == "rejected")
