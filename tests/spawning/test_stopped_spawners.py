"""Bodies that yield and are stopped: what reaches them at the yield, and that their `finally` blocks run."""

from __future__ import annotations

import threading

import anyio
import pytest

from tests.engine.support import ended, statuses, until
from treetask import JOIN, AsyncExecutor, Registry, Spawns, SyncSpawns, TaskNode, TreeCancelled, TreeTaskConfig

pytestmark = pytest.mark.anyio


@pytest.mark.timeout(20)
async def test_body_that_answers_failures_with_more_children_is_stopped_by_its_cancellation() -> None:
    """At a yield a stop is a cancellation, no `Exception` that a body on a rush might catch, and spin on."""
    tree = Registry("t")
    caught: list[Exception] = []

    @tree.task(static=False)
    async def leaf(n: int) -> None:
        await anyio.sleep_forever()

    @tree.group
    async def restless() -> Spawns[None]:
        n = 0
        while True:
            n += 1
            try:
                yield leaf.child(n)
                yield JOIN
            except Exception as error:  # noqa: BLE001 - as such bodies are written
                caught.append(error)

    built = tree.build()
    executor = AsyncExecutor(built)
    async with anyio.create_task_group() as group:
        group.start_soon(_cancel_when_working, executor, "t/restless/leaf[1]")
        assert isinstance(await ended(executor), TreeCancelled)
    assert caught == []
    assert statuses(built) == {"t": "cancelled", "t/restless": "cancelled", "t/restless/leaf[1]": "cancelled"}
    assert [node.error for node in built.walk()] == [None, None, None]


@pytest.mark.timeout(20)
async def test_body_that_was_busy_when_stopped_hears_of_it_at_its_next_yield() -> None:
    """Children go down first; a body that comes to a yield meanwhile waits there for its cancellation."""
    tree = Registry("t")
    told: list[str] = []
    leaf_is_stopped = anyio.Event()
    leaf_may_end = anyio.Event()

    @tree.task(static=False)
    async def leaf() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            leaf_is_stopped.set()
            with anyio.CancelScope(shield=True):
                await leaf_may_end.wait()
            told.append("leaf is down")

    @tree.group
    async def busy() -> Spawns[None]:
        try:
            yield leaf.child()
            await leaf_is_stopped.wait()
            leaf_may_end.set()
            yield JOIN
        except anyio.get_cancelled_exc_class():
            told.append("busy is cancelled")
            raise

    executor = AsyncExecutor(tree.build())
    async with anyio.create_task_group() as group:
        group.start_soon(_cancel_when_working, executor, "t/busy/leaf")
        assert isinstance(await ended(executor), TreeCancelled)
    assert told == ["leaf is down", "busy is cancelled"]


async def test_body_in_a_thread_that_goes_on_yielding_is_not_resumed_when_it_was_stopped() -> None:
    """A plain spawner is closed at its yield; its `finally` runs and it is not told of anything else."""
    tree = Registry("t")
    told: list[str] = []

    @tree.task(static=False)
    async def leaf() -> None:
        await anyio.sleep_forever()

    @tree.group
    def plain() -> SyncSpawns[None]:
        try:
            yield leaf.child()
            yield JOIN
        except Exception as error:  # noqa: BLE001 - nothing is to be caught
            told.append(repr(error))
        finally:
            told.append("closed")

    executor = AsyncExecutor(tree.build())
    async with anyio.create_task_group() as group:
        group.start_soon(_cancel_when_working, executor, "t/plain/leaf")
        assert isinstance(await ended(executor), TreeCancelled)
    assert told == ["closed"]


async def test_plain_spawner_left_behind_in_its_thread_runs_its_finally_there() -> None:
    """The thread of a step cannot be stopped; at the yield after it the generator is closed, not forgotten."""
    tree = Registry("t")
    told: list[str] = []
    is_inside, may_go_on = threading.Event(), threading.Event()

    @tree.group
    def stubborn() -> SyncSpawns[None]:
        try:
            is_inside.set()
            may_go_on.wait()
            told.append("the step ends")
            yield JOIN
            told.append("resumed")
        finally:
            told.append("closed")

    built = tree.build(config=TreeTaskConfig(max_threads=1))
    executor = AsyncExecutor(built)
    async with anyio.create_task_group() as group:

        async def cancel() -> None:
            await until(is_inside.is_set)
            executor.cancel()

        group.start_soon(cancel)
        assert isinstance(await ended(executor), TreeCancelled)
    assert told == []
    may_go_on.set()
    await until(lambda: len(told) == 2)
    assert told == ["the step ends", "closed"]


async def _cancel_when_working(executor: AsyncExecutor, node_id: str) -> None:
    def works() -> bool:
        node: TaskNode | None = executor.tree.find(node_id)
        return node is not None and node.status == "working"

    await until(works)
    executor.cancel()
