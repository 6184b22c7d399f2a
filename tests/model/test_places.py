"""Where a node is: parents and children, and what would give it two places or none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.model.engine import run_by_nothing
from tests.sentences import exactly
from treetask import (
    DuplicateNodeError,
    NodeOwnedError,
    TaskNode,
    TaskTree,
    TreeBuilder,
    TreeRunningError,
    TreeTaskError,
)

READ_ONLY: list[Callable[[list[TaskNode]], object]] = [
    lambda children: children.append(TaskNode("x")),
    lambda children: children.extend([TaskNode("x")]),
    lambda children: children.insert(0, TaskNode("x")),
    lambda children: children.remove(children[0]),
    lambda children: children.pop(),
    lambda children: children.clear(),
    lambda children: children.sort(key=str),
    lambda children: children.reverse(),
    lambda children: children.__setitem__(0, TaskNode("x")),
    lambda children: children.__delitem__(0),
    lambda children: children.__iadd__([TaskNode("x")]),
    lambda children: children.__imul__(2),
]


class TestChildren:
    @pytest.mark.parametrize("change", READ_ONLY)
    def test_list_is_read_only(self, change: Callable[[list[TaskNode]], object]) -> None:
        """The list is a real one to read; each way to change it names the methods that keep the tree's books."""
        child = TaskNode("a")
        root = TaskNode("root", children=[child])

        with pytest.raises(
            TypeError,
            match=exactly("the list of children is read-only; use node.add_child(child) or node.remove_child(child)"),
        ):
            change(root.children)
        assert root.children == [child]

    def test_list_reads_like_any(self) -> None:
        """Indexing, slicing, adding, searching and iterating work."""
        first, second = TaskNode("a"), TaskNode("b")
        children = TaskNode("root", children=[first, second]).children

        assert (children[0], children[-1], children[:1], [*children]) == (first, second, [first], [first, second])
        assert (children.index(second), first in children, list(reversed(children))) == (1, True, [second, first])

    def test_add_child_returns_the_child(self) -> None:
        """So that a tree can be built downwards in one expression."""
        root = TaskNode("root")

        grandchild = root.add_child(TaskNode("a")).add_child(TaskNode("b"))

        assert [node.id for node in grandchild.get_ancestors()] == ["a", "root"]

    def test_child_is_a_node(self) -> None:
        """Anything else is refused where it is added."""
        with pytest.raises(TypeError, match=exactly("node 'root': a child is 'a'; expected a TaskNode")):
            TaskNode("root").add_child("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    def test_second_parent_is_refused(self) -> None:
        """A node has one place."""
        child = TaskNode("a")
        TaskNode("first", children=[child])

        message = (
            "node 'a' cannot be added to 'second': it is already a child of 'first'; make a second TaskNode instead"
        )
        with pytest.raises(NodeOwnedError, match=exactly(message)):
            TaskNode("second").add_child(child)

    @pytest.mark.parametrize("in_tree", [False, True])
    @pytest.mark.parametrize("depth", [0, 1, 3])
    def test_own_ancestor_is_refused(self, depth: int, in_tree: bool) -> None:
        """A node added to itself, or below itself, would close a circle."""
        top = lowest = TaskNode("top")
        for level in range(depth):
            lowest = lowest.add_child(TaskNode(f"level {level}"))
        if in_tree:
            TaskTree(top)

        message = (
            f"node 'top' cannot be added to '{lowest.id}': it is the node itself or above it; "
            "make a second TaskNode instead"
        )
        with pytest.raises(NodeOwnedError, match=exactly(message)):
            lowest.add_child(top)
        assert (top.parent, lowest.children) == (None, [])

    def test_refusal_keeps_what_it_was_about(self) -> None:
        """The error carries the ids, and is one of the definition."""
        child = TaskNode("a")
        TaskNode("first", children=[child])
        with pytest.raises(NodeOwnedError) as caught:
            TaskNode("second").add_child(child)

        assert (caught.value.node_id, caught.value.parent) == ("a", "second")
        assert isinstance(caught.value, TreeTaskError)

    @pytest.mark.parametrize("in_tree", [False, True])
    def test_removed_child_is_free(self, in_tree: bool) -> None:
        """It leaves with all below it, its id may be used again, and it may be added elsewhere."""
        child = TaskNode("a", children=[TaskNode("b")])
        root = TaskNode("root", children=[child])
        if in_tree:
            TaskTree(root)

        assert root.remove_child(child) is True
        assert (root.children, child.parent, root.is_leaf()) == ([], None, True)
        root.add_child(TaskNode("b"))
        TaskNode("other", children=[child])

    def test_removing_what_is_no_child_does_nothing(self) -> None:
        """Neither a stranger nor a grandchild is removed, and the answer says so."""
        grandchild = TaskNode("b")
        root = TaskNode("root", children=[TaskNode("a", children=[grandchild])])

        assert (root.remove_child(TaskNode("a")), root.remove_child(grandchild)) == (False, False)
        assert [node.id for node in root.walk()] == ["root", "a", "b"]

    def test_no_child_is_removed_while_the_tree_runs(self) -> None:
        """What runs cannot be taken away."""
        root = run_by_nothing(TaskTree(TaskNode("root", children=[TaskNode("a")]))).root

        with pytest.raises(TreeRunningError, match=exactly("node 'a' cannot be removed while its tree runs")):
            root.remove_child(root.children[0])
        assert len(root.children) == 1

    def test_find_child_looks_one_level_down(self) -> None:
        """Found by id among the children; grandchildren are the tree's affair."""
        root = TaskNode("root", children=[TaskNode("a", children=[TaskNode("b")])])

        assert root.find_child("a") is root.children[0]
        assert (root.find_child("b"), root.find_child("root")) == (None, None)


class TestPlace:
    def test_depth_ancestors_and_root(self) -> None:
        """Ancestors come from the parent to the root; depth counts them."""
        tree = TreeBuilder("root").add_node("a").add_node("b").add_child("c").build()
        lowest = tree.find("c")
        assert lowest is not None

        assert [node.id for node in lowest.get_ancestors()] == ["b", "a", "root"]
        assert (lowest.get_depth(), tree.root.get_depth(), tree.root.get_ancestors()) == (3, 0, [])
        assert (lowest.get_root(), tree.root.get_root()) == (tree.root, tree.root)

    def test_walk_goes_branch_by_branch(self) -> None:
        """Parents before children, in the order in which they were added."""
        tree = TreeBuilder("r").add_node("a").add_child("b").add_child("c").up().add_node("d").add_child("e").build()

        assert [node.id for node in tree.root.walk()] == ["r", "a", "b", "c", "d", "e"]
        assert [node.id for node in tree.root.children[1].walk()] == ["d", "e"]


class TestDuplicates:
    def test_refused_when_it_is_added(self) -> None:
        """A second node with an id of the tree is refused at once, both places named, and nothing has changed."""
        tree = TreeBuilder("root").add_node("extract").add_child("fetch").up().add_node("load").build()
        load = tree.root.children[1]

        message = "duplicate id 'fetch': first under 'extract', again under 'load'; give one of them another id"
        with pytest.raises(DuplicateNodeError, match=exactly(message)) as caught:
            load.add_child(TaskNode("fetch"))
        assert (caught.value.node_id, caught.value.first, caught.value.second) == (
            "fetch",
            "under 'extract'",
            "under 'load'",
        )
        assert (load.children, len(tree)) == ([], 4)

    def test_id_of_the_root(self) -> None:
        """The root is a place, too."""
        tree = TaskTree(TaskNode("root"))

        message = "duplicate id 'root': first as the root, again under 'root'; give one of them another id"
        with pytest.raises(DuplicateNodeError, match=exactly(message)):
            tree.root.add_child(TaskNode("root"))

    def test_inside_what_is_added(self) -> None:
        """A subtree is checked whole: against the tree and in itself."""
        tree = TaskTree(TaskNode("root"))
        branch = TaskNode(
            "a", children=[TaskNode("b", children=[TaskNode("x")]), TaskNode("c", children=[TaskNode("x")])]
        )

        message = "duplicate id 'x': first under 'b', again under 'c'; give one of them another id"
        with pytest.raises(DuplicateNodeError, match=exactly(message)):
            tree.root.add_child(branch)
        assert (branch.parent, len(tree), tree.find("a")) == (None, 1, None)
        with pytest.raises(DuplicateNodeError, match=exactly(message)):
            TaskTree(branch)
