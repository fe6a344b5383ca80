"""Which key templates give two pictures the same key."""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import pytest

from renditions.model.keys import find_sharing_names, template_values

PARTS = ("{dir}", "{name}", "{stem}", "/", "x", "-x", ".")
WORDS = ["".join(letters) for length in (1, 2, 3) for letters in product("x-.", repeat=length)]
NAMES = [
    f"{folder}{base}"
    for folder in ("", *(f"{word}/" for word in WORDS), "x/-/", "-/x/", "x/x/", "xx/-/", "x/x-/", "-x/x/")
    for base in WORDS
    if base not in (".", "..")
]


def fill(template: str, name: str) -> str:
    return template.format_map(template_values(name, "etag"))


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_a_template_counts_as_unique_exactly_if_no_two_of_many_short_names_get_one_key(length: int) -> None:
    for parts in product(PARTS, repeat=length):
        template = "".join(parts)
        pair = find_sharing_names(template)
        if pair:
            assert pair[0] != pair[1]
            assert fill(template, pair[0]) == fill(template, pair[1]), template
            continue
        names: dict[str, list[str]] = defaultdict(list)
        for name in NAMES:
            names[fill(template, name)].append(name)
        assert max(map(len, names.values())) == 1, template
