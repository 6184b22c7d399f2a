"""Plain functions as bodies: how many threads they get, and what becomes of a thread that cannot be stopped."""

from __future__ import annotations

import threading
from collections.abc import Coroutine
from contextvars import copy_context

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from tests.engine.gate import Gate
from tests.engine.support import ended, forever, node_of, ok, statuses, turns, until
from treetask import AsyncExecutor, Limit, TaskNode, TreeBuilder, TreeFailed, TreeTaskConfig
from treetask.engine._threads import Threads
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_plain_body_runs_in_a_worker_thread() -> None:
    """A `def` never blocks the loop: it runs elsewhere, and its result is the node's."""

    def body(node: TaskNode) -> dict[str, bool]:
        return {"elsewhere": threading.current_thread() is not threading.main_thread()}

    tree = TreeBuilder("root").add_child("plain", task=body).build()
    await AsyncExecutor(tree).run()

    assert node_of(tree, "plain").result == {"elsewhere": True}
    assert node_of(tree, "plain").data == {"elsewhere": True}


@pytest.mark.parametrize("max_threads", [1, 3])
async def test_max_threads_bounds_plain_bodies(gate: Gate, max_threads: int) -> None:
    """Never more plain bodies at once than there are threads, and never fewer while some wait."""
    builder = TreeBuilder("root", config=TreeTaskConfig(max_threads=max_threads))
    for number in range(7):
        builder.add_child(f"plain{number}", task=gate)
    tree = builder.build()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(AsyncExecutor(tree).run)
        await gate.has(max_threads)
        await turns()
        assert tree.get_stats()["working"] == max_threads + 1
        gate.open.set()

    assert gate.most_inside == max_threads
    assert tree.get_stats()["done"] == 8


async def test_async_bodies_run_while_all_threads_are_taken(gate: Gate) -> None:
    """Who lacks a thread stands in nobody's way."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_threads=1))
        .add_child("first", task=gate)
        .add_child("second", task=gate)
        .add_child("quick", task=ok)
        .build()
    )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(AsyncExecutor(tree).run)
        await gate.has(1)
        await until(node_of(tree, "quick").is_done)
        assert statuses(tree) == {"root": "working", "first": "working", "second": "pending", "quick": "done"}
        gate.open.set()


async def test_max_concurrency_counts_plain_bodies_too(gate: Gate) -> None:
    """A thread is no way around the bound of all bodies."""
    builder = TreeBuilder("root", config=TreeTaskConfig(max_concurrency=2, max_threads=5))
    for number in range(4):
        builder.add_child(f"plain{number}", task=gate)
    tree = builder.build()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(AsyncExecutor(tree).run)
        await gate.has(2)
        gate.open.set()

    assert gate.most_inside == 2


async def test_cancelled_node_keeps_no_other_from_its_thread(gate: Gate) -> None:
    """A node that is stopped while it waits for a thread leaves its turn to the next one."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_threads=1))
        .add_child("first", task=gate)
        .add_child("stopped", task=gate)
        .add_child("last", task=gate)
        .build()
    )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, tree)
        await gate.has(1)
        node_of(tree, "stopped").cancel()
        await turns()
        gate.open.set()

    assert statuses(tree) == {"root": "cancelled", "first": "done", "stopped": "cancelled", "last": "done"}


async def test_call_cancelled_before_its_thread_began_is_never_made() -> None:
    """What did not reach its thread is not counted as left behind in it."""
    told: list[str] = []
    threads = Threads(
        on_abandon=lambda call, node: told.append("abandoned"), on_return=lambda call: told.append("returned")
    )

    with anyio.CancelScope() as scope:
        scope.cancel()
        await threads.call(copy_context(), told.append, "called")
    await anyio.to_thread.run_sync(lambda: None)

    assert (scope.cancelled_caught, told) == (True, [])


async def test_timed_out_thread_is_left_behind(gate: Gate, virtual_clock: VirtualClock) -> None:
    """A thread cannot be stopped; its node times out at once, and what it returns late is dropped."""
    tree = TreeBuilder("root").add_child("stuck", task=gate, timeout=5, max_retries=0).build()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, tree)
        await gate.has(1)
        virtual_clock.advance(5)
    assert gate.inside == 1
    gate.open.set()
    await gate.has(0)
    await turns()

    assert statuses(tree) == {"root": "failed", "stuck": "timed_out"}
    assert node_of(tree, "stuck").result is None
    assert node_of(tree, "stuck").error == "'stuck' timed out after 5 s"


async def test_thread_left_behind_counts_until_it_returns(gate: Gate) -> None:
    """The place of an abandoned body in the pool is taken until its thread is free."""

    def plain(node: TaskNode) -> None:
        pass

    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_threads=1))
        .add_child("stuck", task=gate)
        .add_child("next", task=plain)
        .add_child("keeps", task=forever)
        .build()
    )
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await gate.has(1)
        node_of(tree, "stuck").cancel()
        await turns()
        assert statuses(tree) == {"root": "working", "stuck": "cancelled", "next": "pending", "keeps": "working"}
        gate.open.set()
        await until(node_of(tree, "next").is_done)
        executor.cancel()

    assert node_of(tree, "next").status == "done"


@pytest.mark.parametrize("way", ["cancel", "timeout"])
async def test_thread_left_behind_keeps_its_limits_until_it_returns(
    gate: Gate, way: str, virtual_clock: VirtualClock
) -> None:
    """What only so many may use is in use as long as the thread runs, whatever has become of its node."""

    def plain(node: TaskNode) -> None:
        pass

    only = Limit("database", max_concurrency=1)
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(on_failure="continue"))
        .add_child("stuck", task=gate, limits=[only], timeout=5, max_retries=0)
        .add_child("next", task=plain, limits=[only])
        .build()
    )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, tree)
        await gate.has(1)
        if way == "cancel":
            node_of(tree, "stuck").cancel()
        else:
            virtual_clock.advance(5)
        await until(node_of(tree, "stuck").is_done)
        await turns()
        assert node_of(tree, "next").status == "pending"
        assert node_of(tree, "next").reason == "waits for limit 'database'"
        gate.open.set()

    assert node_of(tree, "next").status == "done"


async def test_next_attempt_waits_for_the_thread_of_the_last_one(gate: Gate, virtual_clock: VirtualClock) -> None:
    """That its own thread has a limit still is no reason to go past it."""
    tree = (
        TreeBuilder("root")
        .add_child("stuck", task=gate, limits=[Limit("database", max_concurrency=1)], timeout=5, max_retries=1)
        .build()
    )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, tree)
        await gate.has(1)
        virtual_clock.advance(5)
        await until(lambda: node_of(tree, "stuck").reason == "waits for limit 'database'")
        gate.open.set()

    assert gate.most_inside == 1
    assert node_of(tree, "stuck").status == "done"


@pytest.mark.parametrize("way", ["cancel", "timeout"])
async def test_plain_body_can_see_that_it_is_to_stop(way: str, virtual_clock: VirtualClock) -> None:
    """Nothing interrupts a thread, so its body looks; it stays told, whatever becomes of its node."""
    seen: list[bool] = []
    attempts: list[int] = []
    began, may_look, looked = threading.Event(), threading.Event(), threading.Event()

    def poll(node: TaskNode) -> None:
        attempts.append(node.retry_count)
        if len(attempts) > 1:
            seen.append(node.cancel_requested)
            return
        seen.append(node.cancel_requested)
        began.set()
        may_look.wait()
        seen.append(node.cancel_requested)
        looked.set()

    tree = TreeBuilder("root").add_child("polls", task=poll, timeout=5, max_retries=1).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await until(began.is_set)
        if way == "cancel":
            executor.cancel()
        else:
            virtual_clock.advance(5)
    may_look.set()
    await until(looked.is_set)

    assert node_of(tree, "polls").status == ("cancelled" if way == "cancel" else "done")
    assert seen == ([False, True] if way == "cancel" else [False, False, True])


async def test_async_body_can_see_that_it_is_to_stop() -> None:
    """For code that does not wait for a while; a node that runs by itself is told of nothing."""
    seen: list[bool] = []

    async def look(node: TaskNode) -> None:
        seen.append(node.cancel_requested)
        try:
            await anyio.sleep_forever()
        finally:
            seen.append(node.cancel_requested)

    tree = TreeBuilder("root").add_child("looks", task=look).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await until(lambda: bool(seen))
        executor.cancel()

    assert seen == [False, True]
    assert TaskNode("alone").cancel_requested is False


async def test_cancelled_run_does_not_wait_for_threads(gate: Gate) -> None:
    """Cancel ends the run while a plain body still sits in its thread."""
    tree = TreeBuilder("root").add_child("stuck", task=gate).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await gate.has(1)
        executor.cancel("enough")

    assert gate.inside == 1
    assert statuses(tree) == {"root": "cancelled", "stuck": "cancelled"}


async def test_plain_body_that_fails_is_tried_again() -> None:
    """Failures in threads are failures like any other: retried, then raised."""
    attempts: list[int] = []

    def fail(node: TaskNode) -> None:
        attempts.append(node.retry_count)
        raise OSError(f"attempt {len(attempts)}")

    tree = TreeBuilder("root").add_child("plain", task=fail, max_retries=2).build()

    with pytest.raises(TreeFailed) as failed:
        await AsyncExecutor(tree).run()

    assert attempts == [0, 1, 2]
    assert [str(error) for error in failed.value.exceptions] == ["attempt 3"]


async def test_plain_body_may_call_back_into_the_loop() -> None:
    """`anyio.from_thread` works in a plain body, which is itself on no event loop."""

    def body(node: TaskNode) -> list[float]:
        return [anyio.from_thread.run_sync(anyio.current_time), anyio.from_thread.run(at_once, 7)]

    async def at_once(value: float) -> float:
        await anyio.sleep(0)
        return value

    tree = TreeBuilder("root").add_child("plain", task=body).build()
    await AsyncExecutor(tree).run()

    assert node_of(tree, "plain").result == [0, 7]


async def test_plain_function_that_returns_a_coroutine_is_awaited() -> None:
    """A plain function around an async one is that one, as far as its result goes."""

    async def answer(node: TaskNode) -> str:
        await anyio.sleep(1)
        return node.id

    def answered(node: TaskNode) -> Coroutine[object, object, str]:
        return answer(node)

    tree = TreeBuilder("root").add_child("plain", task=answered).build()
    await AsyncExecutor(tree).run()

    assert node_of(tree, "plain").result == "plain"


async def test_plain_body_that_raises_stop_iteration_fails() -> None:
    """What would end a generator of somebody else is an ordinary failure."""

    def body(node: TaskNode) -> None:
        raise StopIteration

    tree = TreeBuilder("root").add_child("plain", task=body, max_retries=0).build()
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [(type(leaf), str(leaf)) for leaf in error.exceptions] == [(RuntimeError, "the body raised StopIteration")]
