"""Nodes that always run, spawned by bodies."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.support import Log, cancelled_after, ended, statuses
from treetask import JOIN, AsyncExecutor, Registry, Spawns, TaskNode, TreeTaskConfig
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_spawned_it_just_starts_and_no_stop_reaches_it(virtual_clock: VirtualClock) -> None:
    """Neither that of a sibling's policy nor a cancel; the body hears of its end when all children are down."""
    log = Log()
    registry = Registry("root")

    @registry.task(static=False, always=True)
    async def frees(node: TaskNode, seconds: float) -> None:
        await log.body(seconds)(node)

    @registry.task(static=False)
    async def breaks() -> None:
        await anyio.sleep(1)
        raise OSError("broken")

    @registry.group
    async def group(node: TaskNode) -> Spawns[None]:
        yield [frees.child(3), breaks.child()]
        try:
            yield JOIN
        finally:
            log.append("the body hears of it")

    tree = registry.build()
    await ended(tree)

    assert log == ["root/group/frees[3] begins", "root/group/frees[3] ends", "the body hears of it"]
    assert virtual_clock.now() == 3
    assert statuses(tree)["root/group/frees[3]"] == "done"


async def test_spawned_it_runs_on_when_the_body_is_cancelled(virtual_clock: VirtualClock) -> None:
    """Children first, and this one takes as long as the grace; then the body cleans up."""
    log = Log()
    registry = Registry("root", on_failure="continue")

    @registry.task(static=False, always=True)
    async def frees(node: TaskNode, seconds: float) -> None:
        await log.body(seconds)(node)

    @registry.group
    async def group(node: TaskNode) -> Spawns[None]:
        yield [frees.child(12), frees.child(99)]
        try:
            yield JOIN
        finally:
            log.append(f"the body cleans up at {anyio.current_time():g}")

    tree = registry.build(TreeTaskConfig(grace=5))
    await cancelled_after(10, tree)

    assert log[2:] == [
        "root/group/frees[12] ends",
        "root/group/frees[99] is cancelled",
        "the body cleans up at 15",
    ]


async def test_deadline_of_a_body_around_a_join_does_not_stop_it() -> None:
    """The others are stopped, as the body wants; the clean-up goes on, and the group waits for it at the end."""
    log = Log()
    registry = Registry("root")

    @registry.task(static=False, always=True)
    async def frees(node: TaskNode) -> None:
        await log.body(9)(node)

    @registry.task(static=False)
    async def work(node: TaskNode) -> None:
        await log.body(99)(node)

    @registry.group
    async def group(node: TaskNode) -> Spawns[None]:
        yield [frees.child(), work.child()]
        with anyio.move_on_after(1):
            yield JOIN
        log.append("the body goes on")

    tree = registry.build()
    await AsyncExecutor(tree).run()

    assert log[2:] == ["root/group/work is cancelled", "the body goes on", "root/group/frees ends"]
    assert statuses(tree) == {
        "root": "done",
        "root/group": "done",
        "root/group/frees": "done",
        "root/group/work": "cancelled",
    }


async def test_spawned_in_a_sequence_it_goes_in_its_turn() -> None:
    """It is run where it was yielded, not at the end."""
    log = Log()
    registry = Registry("root")

    @registry.task(static=False, always=True)
    async def frees(node: TaskNode) -> None:
        await log.body(1)(node)

    @registry.task(static=False)
    async def work(node: TaskNode) -> None:
        await log.body(1)(node)

    @registry.group(parallel=False)
    async def group(node: TaskNode) -> Spawns[None]:
        yield frees.child()
        yield work.child()

    await AsyncExecutor(registry.build()).run()

    assert log == [f"root/group/{name} {what}" for name in ("frees", "work") for what in ("begins", "ends")]


async def test_body_that_is_being_stopped_may_spawn_it() -> None:
    """A clean-up is what one wants to start then; others are refused their start."""
    log = Log()
    registry = Registry("root")

    @registry.task(static=False, always=True)
    async def frees(node: TaskNode) -> None:
        await log.body(1)(node)

    @registry.task
    async def works(node: TaskNode) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            _ = node.spawn(frees)

    tree = registry.build()
    await cancelled_after(1, tree)

    assert log == ["root/works/frees begins", "root/works/frees ends"]
    assert statuses(tree) == {"root": "cancelled", "root/works": "cancelled", "root/works/frees": "done"}
