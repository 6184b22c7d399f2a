"""The tree of nodes: ids, places, the one door for status changes, and what is read from it."""

from __future__ import annotations

import pytest

from tests.sentences import exactly
from treetask import DefinitionError, ExecutionResult, NodeOwnedError, TaskNode, TaskStatus, TaskTree


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


@pytest.mark.parametrize("tree_of_parent", [False, True], ids=["free parent", "parent in a tree"])
def test_root_of_a_tree_is_not_taken_into_another(tree_of_parent: bool) -> None:
    """A node that has a tree above or around it does not become part of a second one."""
    tree = TaskTree(TaskNode("a"))
    parent = TaskNode("p")
    if tree_of_parent:
        TaskTree(parent)

    message = "node 'a' cannot be added to 'p': it is the root of a tree; make a second TaskNode instead"
    with pytest.raises(NodeOwnedError, match=exactly(message)):
        parent.add_child(tree.root)
    assert (tree.root.parent, parent.children) == (None, [])


def test_root_that_belongs_elsewhere_is_refused() -> None:
    """A tree is made of a free node: not of a child, not of another tree's root, not of anything else."""
    child = TaskNode("c")
    parent = TaskNode("p", children=[child])
    with pytest.raises(DefinitionError, match=exactly("node 'c' cannot be a root: it is a child of 'p'")):
        TaskTree(child)

    TaskTree(parent)
    with pytest.raises(DefinitionError, match=exactly("node 'p' cannot be a root: it is the root of another tree")):
        TaskTree(parent)
    with pytest.raises(TypeError, match=exactly("the root of a tree is 'p'; expected a TaskNode")):
        TaskTree("p")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_register_node_is_harmless() -> None:
    """What `add_child` has entered may be registered again; what is nowhere in the tree is refused with the fix."""
    tree = TaskTree(TaskNode("root"))
    child = tree.root.add_child(TaskNode("a"))

    tree.register_node(child)

    assert (tree.find("a"), len(tree)) == (child, 2)
    with pytest.raises(
        DefinitionError, match=exactly("node 'b' is not in this tree; add it with parent.add_child(node)")
    ):
        tree.register_node(TaskNode("b"))
