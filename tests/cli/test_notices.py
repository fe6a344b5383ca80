"""Notices that a topic refuses, seen on the command line.

The topic is missing on moto at first.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from commands import draw, run, write_pipeline
from contract.cloud import CLIENTS, name_of
from renditions.cli.unsent import print_groups
from renditions.local.sqlite import SqliteCatalog
from renditions.model.notices import MOST_SENDINGS
from renditions.runtime.status import UnsentGroup

pytestmark = pytest.mark.usefixtures("aws")

THUMB = '[renditions.thumb]\nwidth = 40\nkey = "{key}"\n'


@pytest.fixture
def topic(tmp_path: Path) -> str:
    """Write a pipeline that sends its notices to a topic, and return the topic's ARN.

    The topic doesn't exist yet.
    """
    arn = f"arn:aws:sns:eu-west-1:123456789012:{name_of(tmp_path)}"
    events = '["done", "rejected", "failed", "removed"]'
    write_pipeline(tmp_path, THUMB, f'[[notify]]\non = {events}\nto = "sns:{arn}"\n')
    return arn


def create(topic: str) -> None:
    CLIENTS.sns.create_topic(Name=topic.rpartition(":")[2])


@pytest.mark.parametrize(("most", "shown"), [(4, "{}+ notices"), (5, "{} notice")])
def test_each_count_gets_a_plus_sign_if_more_notices_may_wait_than_were_read(
    capsys: pytest.CaptureFixture[str], most: int, shown: str
) -> None:
    groups = [UnsentGroup(f"sns:{n}", "no topic", given_up=False, collected=False, count=n) for n in (1, 3)]
    print_groups(groups, most)
    printed = capsys.readouterr().err
    assert all(f"{shown.format(each.count)}" in printed for each in groups)
    assert ("+" in printed) == (most == 4)


def test_a_refused_notice_is_counted_listed_and_sent_again(tmp_path: Path, topic: str) -> None:
    for number in range(3):
        draw(tmp_path / "inbox" / f"{number}.jpg")
    first = run(tmp_path, "sync")
    assert (first.code, first.out) == (0, "3 pictures processed: 3 done.\n")
    assert f"not sent: 3 notices to sns:{topic}" in first.err
    assert "renditions notices --resend" in first.err
    again = run(tmp_path, "sync")
    assert (again.code, again.out) == (0, "Nothing to do: 3 pictures checked, 3 done.\n")
    assert run(tmp_path, "sync", "--strict").code == 0
    listed = run(tmp_path, "notices")
    assert listed.out.count("tried again after") == 3
    shown = run(tmp_path, "show", "1.jpg")
    assert f"notice not sent done of 1.jpg to sns:{topic}" in shown.out
    (unsent,) = run(tmp_path, "show", "1.jpg", "--json").data["unsent_notices"]
    assert (unsent["event"], unsent["target"], unsent["given_up"]) == ("done", f"sns:{topic}", False)
    assert run(tmp_path, "notices", "--failed", "--json").data == []
    (group,) = run(tmp_path, "status", "--json").data["unsent_notices"]
    assert (group["target"], group["given_up"], group["count"]) == (f"sns:{topic}", False, 3)
    assert f"not sent: 3 notices to sns:{topic}" in run(tmp_path, "status").err
    refused = run(tmp_path, "notices", "--resend")
    assert (refused.code, refused.err) == (1, "Notices to send again: 3; still not sent: 3\n")
    assert refused.out.count(f"to sns:{topic}: ") == 3
    create(topic)
    sent = run(tmp_path, "notices", "--resend")
    assert (sent.out, sent.err) == ("", "Notices to send again: 3\n")
    assert run(tmp_path, "notices", "--json").data == []
    assert run(tmp_path, "sync").err == ""


def test_a_notice_that_was_given_up_and_is_refused_again_is_listed(tmp_path: Path, topic: str) -> None:
    draw(tmp_path / "inbox" / "a.jpg")
    draw(tmp_path / "inbox" / "b.jpg")
    assert run(tmp_path, "sync").code == 0
    with SqliteCatalog(tmp_path / "renditions.db") as catalog:
        (first, _) = catalog.unsent_notices()
        catalog.keep_notice(replace(first, again_at=None, attempts=MOST_SENDINGS))
    ended = run(tmp_path, "notices", "--failed", "--resend")
    assert (ended.code, ended.err) == (1, "Notices to send again: 1; still not sent: 1\n")
    assert ended.out.startswith(f"done of {first.name} to sns:{topic}: ")
    create(topic)
    ended = run(tmp_path, "notices", "--resend", "--json")
    assert (ended.code, ended.data) == (0, [])


def test_a_refused_notice_about_a_removal_is_kept_after_the_record_is_deleted(
    tmp_path: Path, topic: str
) -> None:
    write_pipeline(tmp_path, THUMB, f'[[notify]]\non = ["removed"]\nto = "sns:{topic}"\n')
    draw(tmp_path / "inbox" / "a.jpg")
    assert run(tmp_path, "sync").err == ""
    (tmp_path / "inbox" / "a.jpg").unlink()
    ended = run(tmp_path, "sync", "a.jpg")
    assert (ended.code, ended.out) == (0, "1 picture processed: 1 removed.\n")
    assert run(tmp_path, "list", "--json").data == []
    (unsent,) = run(tmp_path, "notices", "--json").data
    assert (unsent["event"], unsent["name"], unsent["deleted"]) == ("removed", "a.jpg", ["a.jpg"])


def test_a_changed_rule_that_affects_no_picture_logs_no_notice_of_a_done_picture(tmp_path: Path) -> None:
    notify = '[[notify]]\non = ["done", "rejected"]\nto = "log:"\n'
    write_pipeline(tmp_path, THUMB, notify)
    draw(tmp_path / "inbox" / "a.jpg")
    (tmp_path / "inbox" / "b.jpg").write_text("no picture")
    assert run(tmp_path, "sync").code == 1
    write_pipeline(tmp_path, THUMB, f'[accept]\nmax_bytes = "40 MB"\n{notify}')
    ended = run(tmp_path, "sync")
    assert ended.out.startswith("2 pictures processed")
    assert "is done" not in ended.err
