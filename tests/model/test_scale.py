"""Trees as deep and as wide as they get: nothing recurses, and a node costs little."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Iterator

import pytest

from treetask import TaskNode, TaskStatus, TaskTree, TreeBuilder
from treetask.model import dependencies_of

pytestmark = pytest.mark.slow

DEPTH = 100_000
WIDTH = 25_000
"""What a node costs here it costs in a tree of 100,000, to a byte: the index is as full."""

MOST_BYTES_A_NODE = 400
"""What a node of a built tree may cost, its id, its place in the index and among its siblings included."""


async def body(node: TaskNode) -> None:
    """A body that is never run here."""


@pytest.fixture(scope="module")
def chain() -> TaskTree:
    """A tree that is one line."""
    builder = TreeBuilder("0")
    for level in range(1, DEPTH):
        builder.add_node(f"{level}", task=body)
    return builder.build()


def lowest(tree: TaskTree) -> TaskNode:
    """The end of the line."""
    node = tree.find(f"{DEPTH - 1}")
    assert node is not None
    return node


class TestDepth:
    def test_is_walked_both_ways(self, chain: TaskTree) -> None:
        """Every node once, from the top down."""
        ids = [f"{level}" for level in range(DEPTH)]

        assert [node.id for node in chain.walk()] == ids
        assert [node.id for node in chain.walk(depth_first=False)] == ids
        assert (len(chain), lowest(chain).get_depth(), lowest(chain).get_root()) == (DEPTH, DEPTH - 1, chain.root)

    def test_is_exported(self, chain: TaskTree) -> None:
        """The snapshot is flat, so that its reader does not recurse either."""
        nodes = chain.to_dict()["nodes"]

        assert (len(nodes), nodes[-1]["parent"]) == (DEPTH, f"{DEPTH - 2}")

    def test_is_counted_and_settled(self, chain: TaskTree) -> None:
        """The numbers of every group above come of one change at the bottom."""
        assert chain.subtree_stats(chain.root.children[0]).total == DEPTH - 2
        node = lowest(chain)
        chain.move(node, TaskStatus.SKIPPED, 1.0)

        assert chain.subtree_stats(chain.root.children[0]).skipped == 1
        assert chain.get_leaf_stats()["skipped"] == 1
        node.reset()
        assert chain.subtree_stats(chain.root.children[0]).skipped == 0

    def test_is_searched_for_cycles(self) -> None:
        """From the bottom to the top and back down another line."""
        builder = TreeBuilder("0", parallel=False).add_child("first")
        for level in range(1, DEPTH):
            builder.add_node(f"{level}", parallel=False)
        builder.add_child("last", depends_on=["first"])

        tree = builder.build()

        assert len(tree) == DEPTH + 2

    def test_is_removed_and_added_again(self) -> None:
        """A branch leaves and comes back as a whole, and nothing recurses when it is thrown away."""
        top = node = TaskNode("1")
        for level in range(2, DEPTH):
            node = node.add_child(TaskNode(f"{level}"))
        tree = TaskTree(TaskNode("0", children=[top]))

        tree.root.remove_child(top)
        assert len(tree) == 1
        tree.root.add_child(top)
        assert len(tree) == DEPTH

        tree.root.remove_child(top)
        del top, node
        gc.collect()

    def test_circle_of_parenthood_is_found(self, chain: TaskTree) -> None:
        """The question whether a node is above another does not recurse, and comes before any damage."""
        free = node = TaskNode("free")
        for level in range(DEPTH):
            node = node.add_child(TaskNode(f"free {level}"))

        with pytest.raises(Exception, match="it is the node itself or above it"):
            node.add_child(free)


def test_line_that_grows_in_a_run_is_checked_in_linear_time() -> None:
    """Each node that comes in depends on the one before; searching all of them each time would take minutes."""
    tree = TreeBuilder("root").add_child("0").build()
    dependencies = dependencies_of(tree)
    for number in range(1, 20_000):
        node = tree.root.add_child(TaskNode(f"{number}", depends_on=[f"{number - 1}"]))
        dependencies.include([node])

    assert dependencies.of(tree.root.children[-1]) == (tree.root.children[-2],)


def test_what_goes_last_is_checked_in_linear_time() -> None:
    """Each clean-up waits for each of its siblings; to look at all these pairs would take minutes."""
    builder = TreeBuilder("root").add_node("group")
    for number in range(10_000):
        builder.add_child(f"{number}", task=body)
        builder.add_child(f"after {number}", task=body, always=True)
    tree = builder.up().add_node("next", depends_on=["group"]).build()
    for number in range(10_000):
        tree.root.children[1].add_child(TaskNode(f"next {number}"))
    dependencies = dependencies_of(tree)
    late = tree.root.children[0].add_child(TaskNode("late", depends_on=["0"]))

    assert dependencies.include([late]) == [late]


@pytest.fixture
def traced() -> Iterator[None]:
    """Memory is counted from here on."""
    gc.collect()
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="what an object costs is the implementation's affair")
@pytest.mark.usefixtures("traced")
class TestMemory:
    def test_built_tree(self) -> None:
        """Nodes share what they have in common: options, empty lists, statuses."""
        builder = TreeBuilder("root")
        for number in range(WIDTH):
            builder.add_child(f"task {number}", task=body)
        tree = builder.build()
        gc.collect()

        current, _ = tracemalloc.get_traced_memory()
        assert len(tree) == WIDTH + 1
        assert current / WIDTH <= MOST_BYTES_A_NODE

    def test_tree_with_the_same_options_everywhere(self) -> None:
        """Options that are said at every node cost what they cost once."""
        builder = TreeBuilder("root")
        for number in range(WIDTH):
            builder.add_child(f"task {number}", task=body, timeout=30, max_retries=2)
        tree = builder.build()
        gc.collect()

        current, _ = tracemalloc.get_traced_memory()
        assert len(tree) == WIDTH + 1
        assert current / WIDTH <= MOST_BYTES_A_NODE

    def test_reading_leaves_nothing_behind(self) -> None:
        """Asking for children, names, errors and progress of every node makes nothing that stays."""
        builder = TreeBuilder("root")
        for number in range(10_000):
            builder.add_child(f"task {number}", task=body)
        tree = builder.build()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()

        for node in tree.walk():
            _ = (node.name, node.children, node.error, node.exception, node.reason, node.progress, node.elapsed)
        gc.collect()

        after, _ = tracemalloc.get_traced_memory()
        assert after - before < 10_000
