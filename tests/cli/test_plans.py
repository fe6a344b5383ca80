"""The report of ``renditions plan`` on a long plan."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from renditions.cli.plans import PlanReport
from renditions.core.difference import Difference
from renditions.model.record import Output, Record

COUNT = 60
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def difference(number: int, *make: str, seconds: float | None) -> Difference:
    """Return the difference of a picture whose rendition ``photo`` took ``seconds``."""
    name = f"{number:02}.jpg"
    output = Output("photo", f"{name}/photo.avif", "e", "s", "f", "avif", 1000, seconds=seconds)
    record = Record(name, "done", NOW, outputs=(output,))
    keys = {rendition: f"{name}/{rendition}.avif" for rendition in make}
    return Difference(
        name, "update", "photo was made with another recipe", keys=keys, make=make, record=record
    )


def report(*make: str, seconds: float | None, capsys: pytest.CaptureFixture[str]) -> str:
    plan = PlanReport(has_details=False, workers=2)
    plan.print(difference(number, *make, seconds=seconds) for number in range(COUNT))
    return " ".join(capsys.readouterr().out.split())


def test_a_long_plan_estimates_its_duration_from_the_times_of_present_outputs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = report("photo", seconds=24, capsys=capsys)
    assert f"{COUNT} × photo, about 12 min" in out, "60 times 24 seconds, in two processes"
    assert "The new files will have about 60.0 kB and take about 12 min" in out


@pytest.mark.parametrize(("make", "seconds"), [(("photo", "new"), 24), (("photo",), None)])
def test_a_plan_estimates_no_duration_if_a_rendition_has_no_measured_time(
    make: tuple[str, ...], seconds: float | None, capsys: pytest.CaptureFixture[str]
) -> None:
    out = report(*make, seconds=seconds, capsys=capsys)
    assert f"{COUNT} × photo" in out
    assert "min" not in out
