"""The job that a worker gets with each picture.

The files that its recipes name are sent only if the last job had other files.
"""

from __future__ import annotations

from contextlib import suppress

from renditions.errors import WorkerDied
from renditions.local.workers.messages import Job, JobReceiver, JobSender
from renditions.local.workers.pool import RenderPool
from renditions.model.fields import Attachment
from renditions.model.pipeline import Accept, Analyze, Limits
from renditions.model.recipe import Rendition, Watermark

FONT, LOGO = Attachment("a.otc", b"font" * 100_000), Attachment("logo.png", b"logo" * 100_000)


def job_with(*files: Attachment) -> Job:
    recipes = {
        str(number): Rendition(watermark=Watermark(image=file, size=5.0)) for number, file in enumerate(files)
    }
    return Job(Accept(), recipes, Analyze(), Limits())


def test_attachments_are_sent_only_if_the_last_job_had_different_attachments() -> None:
    sender, receiver = JobSender(), JobReceiver()
    sent = []
    for files in ((FONT,), (FONT,), (FONT, LOGO, FONT), (FONT, LOGO), (LOGO,), (), (), (LOGO,)):
        content, parts = sender.encode(job_with(*files), b"picture")
        assert receiver.decode(content, parts) == (job_with(*files), b"picture")
        sent.append(sum(map(len, parts)) // 400_000)
    assert sent == [1, 0, 2, 0, 1, 0, 0, 1]


def test_a_job_with_a_part_of_a_font_has_the_fingerprint_of_the_whole_font() -> None:
    part = job_with(Attachment("a.otc", b"part", FONT.digest))
    received, _ = JobReceiver().decode(*JobSender().encode(part, b""))
    assert received == part
    assert received.recipes["0"].fingerprint() == job_with(FONT).recipes["0"].fingerprint()


def test_a_new_worker_gets_the_attachments_again() -> None:
    recipes = job_with(LOGO).recipes
    with RenderPool(1, 60, "local.workers.pool_jobs:act") as pool:
        for _ in range(2):
            for _ in range(2):
                assert pool(b"logo", Accept(), recipes).made["0"].content == LOGO.content
            with suppress(WorkerDied):
                pool(b"exit 3", Accept(), recipes)
