"""Stopping a run, or a part of it: in order, children before their parents' clean-up, from any thread."""

from __future__ import annotations

import contextlib
import logging
import threading

import anyio
import pytest

from tests.engine.support import Log, cleans_up, ended, forever, node_of, ok, reasons, sleeps, statuses, turns, until
from tests.sentences import exactly
from treetask import (
    AsyncExecutor,
    ExecutionResult,
    Registry,
    TaskFailed,
    TaskNode,
    TreeBuilder,
    TreeCancelled,
    TreeRunningError,
    TreeTaskConfig,
)
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


def a_tree_of_all_kinds(log: Log) -> TreeBuilder:
    """Return a tree with a done node, two that run, one that waits for a slot and some that were not reached."""
    return (
        TreeBuilder("root", config=TreeTaskConfig(max_concurrency=2))
        .add_child("done", task=log.body())
        .add_node("group")
        .add_child("runs", task=log.body(99))
        .add_child("runs too", task=log.body(99))
        .up()
        .add_child("lacks a slot", task=log.body())
        .add_node("not reached", depends_on=["group"])
        .add_child("below", task=log.body())
    )


async def test_cancel_stops_what_runs_and_marks_the_rest(virtual_clock: VirtualClock) -> None:
    """`run()` raises `TreeCancelled` with the reason and the whole result; no time is lost."""
    log = Log()
    tree = a_tree_of_all_kinds(log).build()
    executor = AsyncExecutor(tree)

    async def cancel_later() -> None:
        await anyio.sleep(5)
        executor.cancel("enough of it")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cancel_later)
        with pytest.raises(TreeCancelled, match=exactly("'root' was cancelled: enough of it")) as cancelled:
            await executor.run()
        assert cancelled.value.reason == "enough of it"
        assert isinstance(cancelled.value.result, ExecutionResult)

    assert virtual_clock.now() == 5
    assert statuses(tree) == {
        "root": "cancelled",
        "done": "done",
        "group": "cancelled",
        "runs": "cancelled",
        "runs too": "cancelled",
        "lacks a slot": "cancelled",
        "not reached": "cancelled",
        "below": "cancelled",
    }
    assert set(reasons(tree).values()) == {"enough of it"}
    assert sorted(log) == [
        "done begins",
        "done ends",
        "runs begins",
        "runs is cancelled",
        "runs too begins",
        "runs too is cancelled",
    ]
    assert executor.is_cancelled


async def test_cancel_from_another_thread() -> None:
    """The loop is woken, even when it has nothing else to do."""
    tree = TreeBuilder("root").add_child("runs", task=forever).build()
    executor = AsyncExecutor(tree)

    async def cancel_from_a_thread(node: TaskNode) -> None:
        thread = threading.Thread(target=executor.cancel, args=["from a thread"])
        thread.start()
        await anyio.sleep_forever()

    tree.root.add_child(TaskNode("cancels", task_fn=cancel_from_a_thread))

    with pytest.raises(TreeCancelled, match=exactly("'root' was cancelled: from a thread")):
        await executor.run()

    assert statuses(tree) == {"root": "cancelled", "runs": "cancelled", "cancels": "cancelled"}


async def test_cancel_before_the_run_starts_nothing() -> None:
    """A run that was cancelled before it began ends at once."""
    log = Log()
    tree = TreeBuilder("root").add_child("a", task=log.body()).build()
    executor = AsyncExecutor(tree)
    executor.cancel("too late")

    with pytest.raises(TreeCancelled, match=exactly("'root' was cancelled: too late")):
        await executor.run()

    assert (log, statuses(tree)) == ([], {"root": "cancelled", "a": "cancelled"})


async def test_cancel_without_a_reason() -> None:
    """The message says no more than it knows; nodes say that they were cancelled."""
    tree = TreeBuilder("root").add_child("a", task=forever).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(until_running_then_cancel, executor)
        with pytest.raises(TreeCancelled, match=r"^'root' was cancelled") as cancelled:
            await executor.run()
        assert cancelled.value.result.success is False

    assert reasons(tree) == {"root": "cancelled", "a": "cancelled"}


async def until_running_then_cancel(executor: AsyncExecutor) -> None:
    """Cancel a run as soon as something runs in it."""
    await until(lambda: len(executor.running) > 0)
    executor.cancel()


async def test_second_cancel_changes_nothing() -> None:
    """The first reason stays."""
    tree = TreeBuilder("root").add_child("a", task=forever).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await turns()
        executor.cancel("first")
        executor.cancel("second")

    executor.cancel("after the run")
    assert reasons(tree) == {"root": "first", "a": "first"}


async def test_cancel_of_one_node_stops_its_subtree_alone(virtual_clock: VirtualClock) -> None:
    """`node.cancel()` is no failure: siblings go on, and the parents end as cancelled."""
    log = Log()
    tree = (
        TreeBuilder("root")
        .add_node("stopped")
        .add_child("below 1", task=log.body(9))
        .add_child("below 2", task=log.body(9))
        .up()
        .add_child("goes on", task=log.body(5))
        .build()
    )

    async def cancel_later() -> None:
        await anyio.sleep(1)
        node_of(tree, "stopped").cancel("not needed")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cancel_later)
        assert str(await ended(tree)) == "'root' was cancelled: 'stopped' was cancelled"

    assert reasons(tree)["stopped"] == "not needed"
    assert statuses(tree) == {
        "root": "cancelled",
        "stopped": "cancelled",
        "below 1": "cancelled",
        "below 2": "cancelled",
        "goes on": "done",
    }
    assert virtual_clock.now() == 5


async def test_cancel_of_a_node_from_a_thread() -> None:
    """A plain body may stop its neighbour."""

    def stop(node: TaskNode) -> None:
        node_of(tree, "stopped").cancel("by a thread")

    tree = TreeBuilder("root").add_child("stopped", task=forever).add_child("stops", task=stop).build()
    await ended(tree)

    assert statuses(tree) == {"root": "cancelled", "stopped": "cancelled", "stops": "done"}


async def test_cancel_of_a_node_outside_a_run_is_refused() -> None:
    """There is nothing to stop."""
    tree = TreeBuilder("root").build()

    with pytest.raises(TreeRunningError, match=exactly("node 'root': cancel works only while the tree runs")):
        tree.root.cancel()


async def test_cancel_of_a_node_that_has_ended_does_nothing() -> None:
    """What is done stays done."""

    async def stop(node: TaskNode) -> None:
        node_of(tree, "done").cancel("too late")
        await turns()

    tree = TreeBuilder("root", parallel=False).add_child("done", task=ok).add_child("stops", task=stop).build()
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"root": "done", "done": "done", "stops": "done"}


async def test_deepest_bodies_are_stopped_first() -> None:
    """Each parent cleans up when the children below it, and those below them, are down."""
    log = Log()
    registry = Registry("root")

    @registry.task
    async def nest(node: TaskNode, depth: int) -> None:
        if depth:
            _ = node.spawn(nest, depth - 1)
        try:
            await anyio.sleep_forever()
        finally:
            log.append(str(depth))

    tree = nest.build(5)
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        executor.cancel()

    assert log == ["0", "1", "2", "3", "4", "5"]


async def test_body_that_swallows_cancellation_is_named_after_the_grace(
    caplog: pytest.LogCaptureFixture, virtual_clock: VirtualClock
) -> None:
    """The run goes on waiting for it, and says so."""

    async def stubborn(node: TaskNode) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(60)

    tree = TreeBuilder("root", config=TreeTaskConfig(grace=7)).add_child("stubborn", task=stubborn).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        executor.cancel()
        await anyio.sleep(6.5)
        assert caplog.messages == []
        await anyio.sleep(1)
        assert [node.id for node in executor.running] == ["stubborn"]

    assert caplog.messages == ["still waiting for 'stubborn', which did not end when cancelled"]
    assert virtual_clock.now() == 60
    assert executor.running == []


async def test_hurry_names_at_once_what_has_not_ended(caplog: pytest.LogCaptureFixture) -> None:
    """A second Ctrl-C wants to know now."""
    log = Log()
    tree = TreeBuilder("root").add_child("slow", task=cleans_up(log)).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        executor.cancel()
        await turns()
        executor.hurry()

    assert caplog.messages == ["still waiting for 'slow', which did not end when cancelled"]
    assert caplog.records[0].levelno == logging.WARNING


async def test_body_that_returns_a_value_though_cancelled_is_done() -> None:
    """A value is a value; but the run was cancelled all the same."""

    async def best_so_far(node: TaskNode) -> str:
        with contextlib.suppress(anyio.get_cancelled_exc_class()):
            await anyio.sleep_forever()
        return "half"

    tree = TreeBuilder("root").add_child("half", task=best_so_far).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        executor.cancel()

    assert statuses(tree) == {"root": "cancelled", "half": "done"}
    assert node_of(tree, "half").result == "half"


async def test_child_spawned_while_a_body_cleans_up_never_runs() -> None:
    """Clean-up is no time for new work; a child that is added then is cancelled."""
    log = Log()
    registry = Registry("root")

    @registry.task(static=False)
    async def late() -> None:
        log.append("late runs")

    @registry.task
    async def stopped(node: TaskNode) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            _ = node.spawn(late)
            with anyio.CancelScope(shield=True):
                await anyio.sleep(1)

    tree = registry.build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        executor.cancel()

    assert log == []
    assert statuses(tree) == {"root": "cancelled", "root/stopped": "cancelled", "root/stopped/late": "cancelled"}


async def test_cancel_while_bodies_keep_adding_children() -> None:
    """A node that is added to a run that is being stopped is marked like the rest."""

    async def add_when_cancelled(node: TaskNode) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            tree.root.add_child(TaskNode("late", task_fn=ok))
            node.add_child(TaskNode("below", task_fn=ok))

    tree = TreeBuilder("root").add_child("adds", task=add_when_cancelled).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        executor.cancel("enough")

    assert statuses(tree) == {"root": "cancelled", "adds": "cancelled", "below": "cancelled", "late": "cancelled"}


async def test_body_that_awaits_a_sibling_is_cancelled_and_told_nothing_else() -> None:
    """The sibling ends first, but what the body hears of is its own cancellation."""
    registry = Registry("r")
    slow = registry.limit("slow", per_second=0.1)
    heard: list[str] = []

    @registry.task(static=False, limits=[slow])
    async def fetch(number: int) -> None: ...

    @registry.task
    async def wants(node: TaskNode) -> None:
        assert node.parent is not None
        children = [node.parent.spawn(fetch, number) for number in (1, 2)]
        try:
            for child in children:
                await child
        except TaskFailed as failed:
            heard.append(str(failed))

    executor = AsyncExecutor(registry.build())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        executor.cancel("stop")

    assert heard == []
    assert statuses(executor.tree)["r/wants"] == "cancelled"


async def test_hurry_before_a_cancel_is_nothing() -> None:
    """There are no clean-ups to be hurried past."""
    tree = TreeBuilder("root").add_child("a", task=sleeps(2)).add_child("z", task=sleeps(1), always=True).build()
    executor = AsyncExecutor(tree)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        executor.hurry()

    assert statuses(tree) == {"root": "done", "a": "done", "z": "done"}
