"""Places in groups: each start costs the same, however many wait."""

from __future__ import annotations

import pytest

from tests.engine.desk import Desk
from tests.engine.places import group_of, leaf
from tests.engine.support import ok
from treetask import TreeBuilder

pytestmark = pytest.mark.slow


@pytest.mark.timeout(40)
@pytest.mark.parametrize("places", [1, 1_000])
def test_hundred_thousand_children_cost_the_same_each(places: int) -> None:
    """Whatever waits."""
    desk = Desk(group_of(*(leaf(f"{number}") for number in range(100_000)), max_parallel=places))

    ended = 0
    while desk.begin_all() or desk.running:
        desk.end(next(iter(desk.running)))
        ended += 1
    assert ended == 100_000


@pytest.mark.timeout(40)
def test_many_groups_with_places_cost_the_same_each() -> None:
    """As many gates as groups, all of which open at the same time."""
    tree = TreeBuilder("root")
    for group in range(10_000):
        tree.add_node(f"{group}", max_parallel=1)
        for number in range(3):
            tree.add_child(f"{group}.{number}", task=ok)
        tree.up()
    desk = Desk(tree)

    for _ in range(3):
        assert len(desk.begin_all()) == 10_000
        for node_id in list(desk.running):
            desk.end(node_id)
    assert desk.scheduler.is_over


@pytest.mark.timeout(40)
def test_chain_of_groups_with_places_costs_the_same_at_any_depth() -> None:
    """One place at each of so many levels."""
    tree = TreeBuilder("0", task_fn=ok, max_parallel=1)
    for level in range(1, 20_000):
        tree.add_node(f"{level}", task=ok, max_parallel=1)

    assert len(Desk(tree).one_by_one()) == 20_000
