"""Nodes that start while another body's code is running: what belongs to which."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.support import ended, node_of, statuses, until
from treetask import JOIN, AsyncExecutor, Registry, Spawns, TaskNode

pytestmark = pytest.mark.anyio


@pytest.mark.timeout(20)
async def test_spawner_that_a_body_starts_outlives_that_body() -> None:
    """A generator belongs to its own node, though the call that starts it is made by another one's body."""
    tree = Registry("t")
    child_waits = anyio.Event()
    told: list[str] = []

    @tree.task(static=False)
    async def leaf() -> None:
        child_waits.set()
        await until(lambda: node_of(built, "t/parent") not in executor.running)

    @tree.group(static=False)
    async def child() -> Spawns[None]:
        try:
            yield leaf.child()
            yield JOIN
        except BaseException as error:
            told.append(repr(error))
            raise
        told.append("child ends")

    @tree.group
    async def parent(node: TaskNode) -> None:
        handle = node.spawn(child)
        await child_waits.wait()
        assert not handle.claimed

    built = tree.build()
    executor = AsyncExecutor(built)
    assert await ended(executor) is None
    assert told == ["child ends"]
    assert set(statuses(built).values()) == {"done"}
