"""Bodies that spawn thousands of children."""

from __future__ import annotations

import pytest

from tests.engine.support import ok
from treetask import AsyncExecutor, Registry, Spawns, TaskNode, TreeBuilder

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_ten_thousand_children_by_yield() -> None:
    """A yield is no walk, and the queue keeps its bound."""
    registry = Registry("r")

    @registry.task
    async def leaf(number: int) -> None:
        pass

    @registry.group(static=False)
    async def parent() -> Spawns[None]:
        for number in range(10_000):
            yield leaf.child(number)

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert tree.get_stats()["done"] == 10_001


async def test_ten_thousand_late_children_of_one_body() -> None:
    """Adding is no walk."""

    async def add(node: TaskNode) -> None:
        for number in range(10_000):
            node.add_child(TaskNode(f"{number}", task_fn=ok))

    tree = TreeBuilder("root").add_child("adds", task=add).build()
    await AsyncExecutor(tree).run()

    assert tree.get_stats()["done"] == 10_002
