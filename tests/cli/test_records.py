"""How the command ``show`` prints a record for people."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from renditions.cli.reasons import print_next_attempt
from renditions.cli.records import print_record
from renditions.core.outcome import MAX_ATTEMPTS
from renditions.model.lease import Lease
from renditions.model.recipe import Focus
from renditions.model.record import Record
from renditions.model.wishes import Wishes

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def show(record: Record, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the printed lines, with single blanks."""
    print_record(record, "image_name")
    return [re.sub(" +", " ", line.strip()) for line in capsys.readouterr().out.splitlines()]


def test_show_prints_wishes_and_history(capsys: pytest.CaptureFixture[str]) -> None:
    wishes = Wishes(Focus(x=10, y=20.5), ("zoom", "banner"))
    record = Record("a.jpg", "processing", NOW, wishes=wishes, lease=Lease("me", NOW))
    record = record.with_event(NOW, "processing", "it was renamed from [old].jpg")
    lines = show(record.with_event(NOW + timedelta(seconds=1), "done", ""), capsys)
    assert "focus 10 % from the left, 20.5 % from the top" in lines
    assert "demanded zoom, banner" in lines
    assert "lease until 2026-03-04T05:06:07.000000Z, held by process me" in lines
    assert lines[-3:] == [
        "history status why",
        "2026-03-04 05:06:07 UTC processing it was renamed from [old].jpg",
        "2026-03-04 05:06:08 UTC done",
    ]


@pytest.mark.parametrize(
    ("attempts", "then"),
    [
        (1, "The next sync tries it again."),
        (MAX_ATTEMPTS, "Renditions gave it up, so syncs skip it. To try again: renditions retry 'my a.jpg'"),
    ],
)
def test_show_says_how_a_failed_picture_is_tried_again(
    capsys: pytest.CaptureFixture[str], attempts: int, then: str
) -> None:
    print_next_attempt(Record("my a.jpg", "failed", NOW, goal="g", attempts=attempts))
    assert capsys.readouterr().out.strip() == then


def test_show_leaves_out_wishes_and_history_that_do_not_exist(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = show(Record("a.jpg", "done", NOW), capsys)
    assert not [line for line in lines if line.startswith(("focus", "demanded", "history", "lease"))]
