"""Bodies that wait for others: to look for a ring costs nothing where there is none."""

from __future__ import annotations

import pytest

from tests.engine.places import awaits, branch, desk_of, goes_on, leaf
from tests.engine.support import ok

pytestmark = pytest.mark.slow


@pytest.mark.timeout(30)
def test_many_that_wait_for_one_cost_the_same_each() -> None:
    """Nobody waits for them, so nothing is searched."""
    big = branch("big", *(leaf(f"part{number}") for number in range(20_000)))
    desk = desk_of(big, branch("group", *(leaf(f"{number}") for number in range(20_000))))

    for number in range(20_000):
        awaits(desk, f"{number}", "big")


@pytest.mark.timeout(30)
def test_many_children_that_are_waited_for_cost_the_same_each() -> None:
    """A body that awaits what it has spawned."""
    desk = desk_of(branch("a", task_fn=ok))
    for number in range(20_000):
        desk.add(leaf(f"{number}"), "a", at_once=True)
    desk.begin_all()

    for number in range(20_000):
        end = awaits(desk, "a", f"{number}")
        desk.end(f"{number}")
        assert goes_on(desk, "a", end)
