"""A few seconds of ``make soak``, and a check that the soak can fail."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from faults.soak import check_after, soak
from faults.vitals import MAY_GROW, Vitals, compare_quarters

SEEN = Vitals(
    server_mb=80,
    worker_mb=60,
    processes=3,
    threads=12,
    handles=40,
    state_files=3,
    temporary_files=0,
    leases=2,
)


def test_constant_or_falling_values_do_not_count_as_growth() -> None:
    table, grown = compare_quarters([*[replace(SEEN, server_mb=200)] * 15, *[SEEN] * 45])
    assert grown == []
    assert "| server mb | 80.0 | 80.0 | 200.0 | 80.0 | 80.0 |" in table


@pytest.mark.parametrize("name", [field.name for field in fields(Vitals)])
def test_a_resource_that_grows_all_the_time_is_reported(name: str) -> None:
    """Each of the 60 measurements is larger than the one before."""
    before = getattr(SEEN, name)
    taken = [replace(SEEN, **{name: before * (1 + number / 120) + number}) for number in range(60)]
    _, grown = compare_quarters(taken)
    assert [line.partition(":")[0] for line in grown] == [name]
    assert name in MAY_GROW


@pytest.mark.skipif(sys.platform != "linux", reason="the soak reads processes in Linux's /proc")
def test_a_short_soak_finds_no_mistakes_and_then_reports_a_missing_picture_and_a_foreign_output(
    tmp_path: Path,
) -> None:
    taken, wrong, done = soak(tmp_path, seconds=3, looks=4)
    assert wrong == []
    assert len(taken) == 4
    assert taken[-1].handles > 0
    assert done["put"] > 0
    left = tmp_path / "processed/foreign.jpg"
    left.write_bytes(b"x")
    found = check_after(tmp_path, tmp_path / "temporary", {"missing.jpg": True})
    assert any("missing.jpg" in each for each in found)
    assert "foreign.jpg is in no record" in found
