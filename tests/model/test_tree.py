"""The tree of nodes: ids, places, the one door for status changes, and what is read from it."""

from __future__ import annotations

import pytest

from treetask import ExecutionResult, TaskNode, TaskStatus, TaskTree


@pytest.mark.parametrize("status", ["working", "retrying"])
def test_node_that_comes_in_at_work_is_active(status: str) -> None:
    """A node made with a status is among the active ones, and its next change is booked like any other."""
    node = TaskNode("a", status=status)
    tree = TaskTree(TaskNode("root", children=[node]))
    assert list(tree.active) == [node]

    node.status = TaskStatus.FAILED

    assert list(tree.active) == []
    assert list(tree.failed) == [node]
    assert list(tree.recent) == [node]


@pytest.mark.parametrize("status", ["failed", "timed_out"])
def test_node_that_comes_in_failed_is_among_the_failed(status: str) -> None:
    """A tree made by hand of nodes that have ended tells which failed."""
    node = TaskNode("a", status=status)
    root = TaskNode("root", status="failed")
    tree = TaskTree(root)

    root.add_child(node)

    assert ExecutionResult(tree).failed_nodes == [root, node]
    assert list(tree.recent) == [root, node]


def test_order_of_coming_survives_removals() -> None:
    """A node that comes in later is later in order, whatever was removed before."""
    tree = TaskTree(TaskNode("root"))
    for name in "abc":
        tree.root.add_child(TaskNode(name))
    for gone in list(tree.root.children[:2]):
        tree.root.remove_child(gone)

    tree.root.add_child(TaskNode("d"))
    tree.root.add_child(TaskNode("e"))

    assert [node.id for node in sorted(tree.walk(), key=lambda node: node._order)] == ["root", "c", "d", "e"]
