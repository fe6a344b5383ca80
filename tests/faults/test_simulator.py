"""A short version of ``make faults``.

After any failures and a calm period, the promise holds.
"""

from __future__ import annotations

import pytest

from faults.__main__ import live_apart, share
from faults.history import History
from faults.mutations import MUTATIONS, Mutation, edit

HISTORIES = 400


@pytest.mark.parametrize("first", range(0, HISTORIES, 100))
def test_every_simulated_history_ends_with_the_right_outputs_and_records(first: int) -> None:
    for number in range(first, first + 100):
        History(number).run()


def test_simulated_histories_of_the_same_number_make_equally_many_calls_and_send_the_same_notices() -> None:
    once, again = History(7), History(7)
    once.run()
    again.run()
    assert once.calls == again.calls
    assert [notice.describe() for notice in once.observer.sent] == [
        notice.describe() for notice in again.observer.sent
    ]


@pytest.mark.parametrize("histories", [0, 1, 7, 300])
def test_the_processes_together_run_each_chosen_history_once(histories: int) -> None:
    assert [number for part in share(5, histories) for number in part] == list(range(5, 5 + histories))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_each_mutation_finds_the_code_that_it_changes_in_the_core(mutation: Mutation) -> None:
    compile(edit(mutation), mutation.module, "exec")


@pytest.mark.parametrize("name", ["a lease is not checked", "keys are not claimed before they are written"])
def test_the_simulator_detects_the_bug_that_a_mutation_adds(name: str) -> None:
    number = next(number for number, mutation in enumerate(MUTATIONS) if mutation.name == name)
    assert "Broken" in live_apart(0, 100, number).failure
