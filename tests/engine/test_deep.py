"""Trees that are deep or wide: nothing in the engine recurses, and cost grows with size alone."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.chains import a_chain
from tests.engine.support import ended, fail, forever, ok
from treetask import AsyncExecutor, Registry, Spawns, TaskNode, TaskTree, TreeBuilder, TreeFailed, TreeTaskConfig
from treetask.model import TaskFunction

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

DEPTH = 1_500
"""Half as much again as Python would recurse to; tests/scale goes deeper."""


@pytest.mark.parametrize("body", [ok, None])
async def test_deep_chain_runs(body: TaskFunction | None) -> None:
    """Down and up again, with bodies and without."""
    tree = a_chain(DEPTH, body)
    await AsyncExecutor(tree).run()

    assert tree.get_stats()["done"] == DEPTH


@pytest.mark.parametrize("depth", [DEPTH])
async def test_failure_at_the_end_of_a_deep_chain(depth: int) -> None:
    """It goes all the way up, at the same cost for each level, and is one leaf."""
    tree = a_chain(depth, ok, fail)
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == [f"{depth - 1} is broken"]
    assert tree.get_stats()["failed"] == depth


async def test_failure_at_the_top_of_a_deep_chain() -> None:
    """All that was below it is skipped."""
    tree = a_chain(DEPTH, fail)
    await ended(tree)

    assert (tree.get_stats()["failed"], tree.get_stats()["skipped"]) == (1, DEPTH - 1)


async def test_cancel_of_a_deep_chain() -> None:
    """From the deepest body up."""
    tree = a_chain(DEPTH, ok, forever)
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        executor.cancel()

    assert tree.get_stats()["cancelled"] == DEPTH


async def test_chain_of_dependencies() -> None:
    """Each node depends on the one declared before it, and all run in that order."""
    builder = TreeBuilder("root").add_child("0", task=ok)
    for number in range(1, DEPTH):
        builder.add_child(f"{number}", task=ok, depends_on=[f"{number - 1}"])
    tree = builder.build()
    await AsyncExecutor(tree).run()

    assert tree.get_stats()["done"] == DEPTH + 1


async def test_chain_of_dependencies_on_a_failed_node() -> None:
    """All of them are skipped, one because of the other."""
    builder = TreeBuilder("root", config=TreeTaskConfig(max_retries=0, on_failure="continue")).add_child("0", task=fail)
    for number in range(1, DEPTH):
        builder.add_child(f"{number}", task=ok, depends_on=[f"{number - 1}"])
    tree = builder.build()
    await ended(tree)

    assert tree.get_stats()["skipped"] == DEPTH - 1


async def test_long_sequence() -> None:
    """One after another, without a task for each."""
    builder = TreeBuilder("root", parallel=False)
    for number in range(DEPTH):
        builder.add_child(f"{number}", task=ok)
    tree = builder.build()
    await AsyncExecutor(tree).run()

    assert tree.get_stats()["done"] == DEPTH + 1


async def test_deep_chain_of_spawners() -> None:
    """Each yields the next one and waits for it; a thousand wait at once, with one slot."""
    registry = Registry("r")

    @registry.task
    async def nest(depth: int) -> Spawns[None]:
        if depth:
            child = yield nest.child(depth - 1)
            await child

    tree = nest.build(1_000, config=TreeTaskConfig(max_concurrency=1))
    await AsyncExecutor(tree).run()

    assert tree.get_stats()["done"] == 1_001


async def test_retry_of_a_deep_group() -> None:
    """Bringing a deep subtree back to its beginning is no recursion either."""
    fails = iter([True, False])

    async def flaky(node: TaskNode) -> None:
        if next(fails):
            raise OSError("not yet")

    top = TaskNode("top", max_retries=1)
    node = top
    for number in range(DEPTH):
        child = TaskNode(f"{number}", task_fn=flaky if number == DEPTH - 1 else None)
        node.add_child(child)
        node = child
    tree = TaskTree(top, TreeTaskConfig(max_retries=0))
    await AsyncExecutor(tree).run()

    assert (tree.get_stats()["done"], top.retry_count) == (DEPTH + 1, 1)
