"""A small part of ``make fuzz``."""

from __future__ import annotations

from collections import Counter

import pytest

from fuzz.parts import spans
from fuzz.seeds import seeds
from fuzz.trial import LIMITS, SECONDS, file_of, try_file
from renditions.imaging.probe import sniff
from renditions.local.workers.pool import RenderPool

FILES = 300


def test_a_damaged_file_gives_readable_outputs_or_a_rejection() -> None:
    """Another decoder can read the outputs."""
    kinds: Counter[str] = Counter()
    with RenderPool(1, SECONDS, limits=LIMITS) as pool:
        for number in range(FILES):
            verdict = try_file(pool, number)
            assert not verdict.broken_promise, f"file {number}: {verdict.broken_promise}"
            kinds[verdict.kind] += 1
    assert set(kinds) <= {"made", "partly made", "rejected"}
    assert min(kinds["made"], kinds["rejected"]) > FILES // 20, "some files are made and some are rejected"


def test_the_fuzzer_makes_the_same_file_for_the_same_number() -> None:
    assert file_of(17) == file_of(17)
    assert len({file_of(number)[1] for number in range(50)}) > 40


@pytest.mark.parametrize("name", seeds())
def test_every_seed_file_has_the_format_of_its_name_and_has_parts_to_damage(name: str) -> None:
    """The parts lie within the file."""
    content = seeds()[name]
    assert sniff(content) == name.split(maxsplit=1)[0]
    found = spans(content)
    assert all(0 <= start < end <= len(content) for start, end in found)
    assert found
