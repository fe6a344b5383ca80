"""A short version of ``make faults``: whatever the weather, the promise holds once it has calmed down."""

from __future__ import annotations

import pytest

from faults.history import History
from faults.promise import truth

HISTORIES = 400


@pytest.mark.parametrize("first", range(0, HISTORIES, 100))
def test_the_promise_holds_after_every_history(first: int) -> None:
    for number in range(first, first + 100):
        History(number).run()


def test_a_history_follows_from_its_number() -> None:
    once, again = History(7), History(7)
    once.run()
    again.run()
    assert once.calls == again.calls
    assert [truth(notice.record) for notice in once.observer.sent] == [
        truth(notice.record) for notice in again.observer.sent
    ]
