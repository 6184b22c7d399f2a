"""Trees that are very deep: nothing in the engine recurses, and cost grows with size alone."""

from __future__ import annotations

import pytest

from tests.engine.chains import a_chain
from tests.engine.support import ended, fail, ok, sleeps, statuses
from treetask import AsyncExecutor, TaskNode, TaskTree, TreeFailed

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


@pytest.mark.timeout(60)
async def test_chain_a_hundred_thousand_deep_runs(anyio_backend_name: str) -> None:
    """Built, run, counted. What is too deep for Python is so on either loop, so on one it goes less deep."""
    depth = 100_000 if anyio_backend_name == "asyncio" else 20_000
    tree = a_chain(depth, ok)
    await AsyncExecutor(tree).run()

    assert tree.get_stats()["done"] == depth
    assert tree.subtree_stats(tree.root).done == depth - 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize("depth", [30_000])
async def test_failure_at_the_end_of_a_deep_chain(depth: int) -> None:
    """It goes all the way up, at the same cost for each level, and is one leaf."""
    tree = a_chain(depth, ok, fail)
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == [f"{depth - 1} is broken"]
    assert tree.get_stats()["failed"] == depth


def a_rolled_chain(depth: int, last: TaskNode) -> TaskNode:
    """Return a chain of groups that each fold what is below them."""
    node = top = TaskNode("0", keep_done="rollup")
    for number in range(1, depth):
        node = node.add_child(TaskNode(f"{number}", keep_done="rollup"))
    node.add_child(last)
    return top


@pytest.mark.timeout(30)
async def test_chain_of_groups_that_fold_their_children() -> None:
    """What was folded below a group is not gone through again at each level above it."""
    depth = 20_000
    tree = TaskTree(a_rolled_chain(depth, TaskNode("last", task_fn=ok)))
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"0": "done"}
    assert (tree.folded_children(tree.root), tree.get_stats()["done"]) == (1, depth + 1)


@pytest.mark.timeout(30)
async def test_chain_of_groups_that_somebody_keeps_from_being_folded() -> None:
    """Nor is what stays, because it is needed or has failed; with it stays all above it."""
    depth = 20_000
    root = TaskNode("root")
    root.add_child(a_rolled_chain(depth, TaskNode("needed", task_fn=ok)))
    root.add_child(TaskNode("dependent", task_fn=sleeps(1), depends_on=["needed"]))
    tree = TaskTree(root)
    await AsyncExecutor(tree).run()

    assert len(statuses(tree)) == depth + 3
