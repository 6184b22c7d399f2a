"""A caller that is cancelled while it waits for a run: every body cleans up before."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from tests.engine.support import Log, cleans_up, node_of, reasons, sleeps, statuses, turns
from treetask import AsyncExecutor, Registry, TaskNode, TreeBuilder
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_outer_cancel_runs_every_clean_up_in_order(virtual_clock: VirtualClock) -> None:
    """A cancellation of the task that awaits `run()` becomes an ordered one.

    Children are down before their parents clean up, all clean-ups run to their end, then it is raised again.
    """
    log = Log()
    registry = Registry("root")

    @registry.task(static=False)
    async def child(node: TaskNode) -> None:
        await cleans_up(log)(node)

    @registry.task
    async def parent(node: TaskNode) -> None:
        _ = node.spawn(child)
        await cleans_up(log)(node)

    @registry.task
    async def other(node: TaskNode) -> None:
        await cleans_up(log)(node)

    @registry.task(depends_on=[other])
    async def waits() -> None:
        raise AssertionError

    tree = registry.build()
    raised: list[BaseException] = []

    async def run() -> None:
        try:
            await AsyncExecutor(tree).run()
        except BaseException as error:
            raised.append(error)
            log.append("run() raises")
            raise

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await anyio.sleep(1)
        tasks.cancel_scope.cancel()

    assert isinstance(raised[0], anyio.get_cancelled_exc_class())
    assert log.index("root/parent/child is down") < log.index("root/parent cleans up")
    assert log[-1] == "run() raises"
    assert sorted(log[:-1]) == sorted(
        f"root/{name} {what}" for name in ("parent/child", "parent", "other") for what in ("cleans up", "is down")
    )
    assert statuses(tree) == {
        "root": "cancelled",
        "root/parent": "cancelled",
        "root/parent/child": "cancelled",
        "root/other": "cancelled",
        "root/waits": "cancelled",
    }
    assert set(reasons(tree).values()) == {"the caller of the run was cancelled"}
    assert virtual_clock.now() == 5
    assert tree.is_running is False


async def test_cancelled_caller_is_not_told_of_failures_on_the_way() -> None:
    """What comes out of a cancelled `run()` is the cancellation; failing clean-ups are in the tree."""

    async def fail_to_clean_up(node: TaskNode) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            raise OSError("broken clean-up")

    tree = TreeBuilder("root").add_child("broken", task=fail_to_clean_up).build()

    with anyio.move_on_after(5) as scope:
        await AsyncExecutor(tree).run()

    assert scope.cancelled_caught
    assert statuses(tree) == {"root": "cancelled", "broken": "failed"}
    assert node_of(tree, "broken").error == "broken clean-up"


async def test_deadline_around_the_run_is_an_outer_cancel(virtual_clock: VirtualClock) -> None:
    """`with fail_after(5): await executor.run()` works as one expects."""
    tree = TreeBuilder("root").add_child("runs", task=sleeps(99)).build()

    with pytest.raises(TimeoutError):
        with anyio.fail_after(5):
            await AsyncExecutor(tree).run()

    assert (statuses(tree), virtual_clock.now()) == ({"root": "cancelled", "runs": "cancelled"}, 5)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_native_cancel_of_an_asyncio_task() -> None:
    """`task.cancel()`, twice, of a plain task that awaits `run()`: ordered as well, and the task ends as cancelled."""
    log = Log()
    tree = TreeBuilder("root").add_child("runs", task=cleans_up(log)).build()

    task = asyncio.ensure_future(AsyncExecutor(tree).run())
    await turns()
    task.cancel()
    await turns()
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert log == ["runs cleans up", "runs is down"]
    assert statuses(tree) == {"root": "cancelled", "runs": "cancelled"}
