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


@pytest.mark.usefixtures("virtual_clock")
async def test_waits_that_were_given_up_leave_nothing_behind() -> None:
    """A body that looks for a child now and then, for hours, does not fill memory."""
    tree = Registry("t")
    left: list[int] = []

    @tree.task(static=False)
    async def slow() -> int:
        await anyio.sleep(10)
        return 1

    @tree.task
    async def patient(node: TaskNode) -> int:
        child = node.spawn(slow)
        for _ in range(5):
            with anyio.move_on_after(1):
                await child
        assert executor._run is not None
        left.append(len(executor._run.scheduler.watched))
        return await child

    executor = AsyncExecutor(tree.build())
    assert await ended(executor) is None
    assert (left, executor.tree.root.children[0].result) == ([0], 1)
