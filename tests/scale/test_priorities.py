"""Priority and cost: each node is measured once, whenever it comes."""

from __future__ import annotations

import pytest

from tests.engine.desk import Desk
from tests.engine.support import ok
from treetask import TaskNode, TreeBuilder

pytestmark = pytest.mark.slow


@pytest.mark.timeout(30)
@pytest.mark.parametrize("parallel", [True, False])
def test_wide_group_is_measured_once(parallel: bool) -> None:
    """Each child is looked at a few times, not as often as there are others."""
    tree = TreeBuilder("root", parallel=parallel)
    for number in range(30_000):
        tree.add_child(f"{number}", task=ok, cost=1, always=number % 10_000 == 0)
    desk = Desk(tree, max_concurrency=1)

    assert len(desk.one_by_one()) == 30_000


@pytest.mark.timeout(30)
def test_many_late_nodes_are_measured_at_the_same_cost() -> None:
    """A node that comes late costs the same whatever came before."""
    desk = Desk(TreeBuilder("root").add_child("first", task=ok, cost=1))
    assert desk.begin() == "first"
    for number in range(20_000):
        branch = TaskNode(f"{number}", parallel=False, priority=number % 3)
        branch.add_child(TaskNode(f"{number}.0", task_fn=ok, cost=1))
        branch.add_child(TaskNode(f"{number}.1", task_fn=ok))
        desk.add(branch, "root")
    desk.end("first")

    assert len(desk.one_by_one()) == 40_000


@pytest.mark.timeout(30)
def test_deep_chain_that_comes_late_is_measured_at_the_same_cost() -> None:
    """Priorities and costs of what is above are found once for all below."""
    desk = Desk(TreeBuilder("root").add_child("first", task=ok, cost=1, priority=1))
    assert desk.begin() == "first"
    parent = "root"
    for number in range(20_000):
        desk.add(TaskNode(f"{number}", depends_on=[] if number else ["first"]), parent)
        parent = f"{number}"
        desk.add(TaskNode(f"{number}.0", task_fn=ok, cost=1), parent)
    desk.end("first")

    assert len(desk.one_by_one()) == 20_000
