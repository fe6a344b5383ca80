"""The fields of ``[[notify]]``: filters, and templates for people."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import run, write_pipeline

THUMB = '[renditions.thumb]\nwidth = 40\nkey = "{key}"\n'
SNS = 'to = "sns:arn:aws:sns:eu-west-1:123456789012:t"\n'


def check(folder: Path, fields: str) -> tuple[int, str]:
    write_pipeline(folder, THUMB, f'[[notify]]\non = ["done"]\n{fields}\n')
    ended = run(folder, "check")
    return ended.code, ended.err


@pytest.mark.parametrize(
    "fields",
    [
        'to = "log:"\nprefix = "shop/"\nrenditions = ["thumb"]\ntext = "{name}: {reason} {{}}"',
        f'{SNS}subject = "[shop] {{summary}}"\ntext = """\n{{message}}\n\n{{details}} {{count}}\n"""',
    ],
)
def test_check_accepts_valid_filters_and_templates_of_notices(tmp_path: Path, fields: str) -> None:
    assert check(tmp_path, fields) == (0, "renditions.toml is valid.\n")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ('to = "log:"\ntext = "{nam}"', "notify[0].text: expected a text of at most 5,000"),
        ('to = "log:"\ntext = "{name.__class__}"', "notify[0].text: expected a text of at most 5,000"),
        ('to = "log:"\ntext = "{name!r:>9}"', "notify[0].text: expected a text of at most 5,000"),
        ('to = "log:"\ntext = "{0}"', "notify[0].text: expected a text of at most 5,000"),
        ('to = "log:"\ntext = "{"', "notify[0].text: expected a text of at most 5,000"),
        (f'{SNS}subject = "a\\nb"', "notify[0].subject: expected a line"),
        ('to = "log:"\nsubject = "a"', 'notify[0].subject: expected no subject with "log:"'),
        ('to = "events:default"\ntext = "a"', "notify[0].text: expected no text with"),
        ('to = "log:"\nrenditions = ["thumbs"]', "notify[0].renditions: expected declared renditions"),
        ('to = "log:"\nprefix = "/shop"', "notify[0].prefix: expected the beginning of pictures' names"),
        (
            'to = "log:"\ndigest = "1 h"\n[[notify]]\non = ["failed"]\nto = "log:"',
            "notify[1].digest: expected one digest for each target, found none",
        ),
    ],
)
def test_check_refuses_invalid_filters_and_templates_of_notices(
    tmp_path: Path, fields: str, problem: str
) -> None:
    code, text = check(tmp_path, fields)
    assert code == 2
    assert problem in text
