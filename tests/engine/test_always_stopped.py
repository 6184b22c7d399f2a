"""Nodes that always run, when all around them is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable

import anyio
import pytest

from tests.engine.support import (
    Log,
    cancelled_after,
    ended,
    fail,
    fails_times,
    forever,
    node_of,
    ok,
    reasons,
    sleeps,
    statuses,
)
from treetask import AsyncExecutor, Registry, TaskNode, TreeBuilder, TreeCancelled, TreeFailed, TreeTaskConfig, optional
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

ONCE = TreeTaskConfig(max_retries=0)


# -- cancelled ---------------------------------------------------------------------------------------------------------


def a_tree_to_cancel(log: Log, global_timeout: float | None = None) -> TreeBuilder:
    """Return a tree with clean-ups on two levels, under a group with a body that cleans up as well."""

    async def body(node: TaskNode) -> None:
        _ = node.spawn(work)
        try:
            await anyio.sleep_forever()
        finally:
            log.append(f"the body of {node.id} cleans up")

    registry = Registry("of children")

    @registry.task(static=False, id="work")
    async def work(node: TaskNode) -> None:
        await log.body(99)(node)

    return (
        TreeBuilder("root", config=TreeTaskConfig(global_timeout=global_timeout))
        .add_child("of the root", task=log.body(1), always=True)
        .add_node("group", task=body)
        .add_child("of the group", task=log.body(1), always=True)
        .up()
    )


IN_ORDER = [
    "group/work begins",
    "group/work is cancelled",
    "the body of group cleans up",
    "of the group begins",
    "of the group ends",
    "of the root begins",
    "of the root ends",
]


async def test_cancelled_run_cleans_up_from_the_deepest_to_the_root(virtual_clock: VirtualClock) -> None:
    """Children before their parents' clean-up, deepest first, then what always runs."""
    log = Log()
    tree = a_tree_to_cancel(log).build()

    error = await cancelled_after(5, tree)

    assert isinstance(error, TreeCancelled)
    assert log == IN_ORDER
    assert virtual_clock.now() == 5 + 1 + 1
    assert statuses(tree) == {
        "root": "cancelled",
        "of the root": "done",
        "group": "cancelled",
        "of the group": "done",
        "group/work": "cancelled",
    }


async def test_cancelled_caller_cleans_up_before_it_is_told(virtual_clock: VirtualClock) -> None:
    """A cancellation of the task that awaits `run()` is re-raised after all of it."""
    log = Log()
    tree = a_tree_to_cancel(log).build()

    with anyio.move_on_after(5) as scope:
        await AsyncExecutor(tree).run()

    assert scope.cancelled_caught
    assert log == IN_ORDER
    assert virtual_clock.now() == 7


async def test_run_that_is_out_of_time_cleans_up(virtual_clock: VirtualClock) -> None:
    """The one error that a `global_timeout` raises comes after the clean-ups."""
    log = Log()
    tree = a_tree_to_cancel(log, global_timeout=5).build()

    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["'root' timed out after 5 s"]
    assert log == IN_ORDER
    assert (tree.root.status, virtual_clock.now()) == ("timed_out", 7)


async def test_group_that_is_cancelled_alone_cleans_up_alone() -> None:
    """`node.cancel()` stops a subtree; what cleans up after the root has nothing to do with that yet."""
    log = Log()
    tree = a_tree_to_cancel(log).add_child("other", task=log.body(9)).build()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, tree)
        await anyio.sleep(5)
        node_of(tree, "group").cancel()

    assert [line for line in log if not line.startswith("other")] == IN_ORDER
    assert log.index("of the group ends") < log.index("other ends") < log.index("of the root begins")
    assert statuses(tree)["other"] == "done"


async def test_clean_up_that_has_begun_has_the_grace_from_the_cancel_on(virtual_clock: VirtualClock) -> None:
    """What runs already is bounded from then; it is told as any other that is out of time."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, grace=4))
        .add_child("frees", task=sleeps(99), always=True, depends_on=[optional("done")])
        .add_child("done", task=ok)
        .add_child("work", task=forever)
        .build()
    )
    await cancelled_after(10, tree)

    frees = node_of(tree, "frees")
    assert (frees.status, frees.error) == ("timed_out", "'frees' took longer than the grace of 4 s")
    assert (tree.root.status, virtual_clock.now()) == ("cancelled", 14)


async def test_clean_up_that_begins_later_has_the_grace_from_its_start_on(virtual_clock: VirtualClock) -> None:
    """Each of a sequence has all of it."""

    async def slow_to_stop(node: TaskNode) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(12)

    tree = (
        TreeBuilder("root", parallel=False, config=TreeTaskConfig(max_retries=0, grace=4))
        .add_child("work", task=slow_to_stop)
        .add_child("first", task=sleeps(3), always=True)
        .add_child("second", task=sleeps(99), always=True)
        .add_child("third", task=sleeps(3), always=True, timeout=2)
        .build()
    )
    await cancelled_after(10, tree)

    assert [node_of(tree, name).status for name in ("first", "second", "third")] == ["done", "timed_out", "timed_out"]
    assert node_of(tree, "third").error == "'third' timed out after 2 s"
    assert virtual_clock.now() == 12 + 3 + 4 + 2


async def test_clean_up_is_not_bounded_where_nothing_was_cancelled(virtual_clock: VirtualClock) -> None:
    """The grace is for cancels: after an end of its own, or a failure, it may take its time."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, grace=4))
        .add_child("work", task=fail)
        .add_child("cleans up", task=sleeps(99), always=True)
        .build()
    )
    await ended(tree)

    assert (node_of(tree, "cleans up").status, virtual_clock.now()) == ("done", 99)


@pytest.mark.parametrize("body", [None, ok])
async def test_group_that_cleans_up_is_bounded_with_all_below_it(
    body: Callable[[TaskNode], object] | None, virtual_clock: VirtualClock
) -> None:
    """A group may be a clean-up: its children are stopped with it, and its own clean-ups have their grace."""
    log = Log()
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, grace=4))
        .add_child("work", task=forever)
        .add_node("cleans up", task=body, always=True)
        .add_child("quick", task=log.body(1))
        .add_child("slow", task=log.body(99))
        .add_child("after that", task=log.body(99), always=True)
        .build()
    )
    await cancelled_after(10, tree)

    assert statuses(tree) == {
        "root": "cancelled",
        "work": "cancelled",
        "cleans up": "timed_out",
        "quick": "done",
        "slow": "cancelled",
        "after that": "timed_out",
    }
    assert node_of(tree, "cleans up").error == "'cleans up' took longer than the grace of 4 s"
    assert virtual_clock.now() == 10 + 4 + 4


async def test_children_of_a_clean_up_may_be_repeated_within_its_grace() -> None:
    """A cancelled run stops no retries inside of what it does not reach."""
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("work", task=forever)
        .add_node("cleans up", always=True)
        .add_child("flaky", task=fails_times(2), max_retries=2)
        .build()
    )
    await cancelled_after(1, tree)

    assert node_of(tree, "flaky").status == "done"


async def test_clean_up_in_a_thread_is_bounded(virtual_clock: VirtualClock) -> None:
    """A plain function is left behind when the grace is over, as at any timeout."""
    go_on = threading.Event()

    def waits(node: TaskNode) -> None:
        go_on.wait(20)

    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, grace=0))
        .add_child("work", task=forever)
        .add_child("cleans up", task=waits, always=True)
        .build()
    )
    await cancelled_after(1, tree)
    go_on.set()

    assert node_of(tree, "cleans up").status == "timed_out"


async def test_paused_run_that_is_cancelled_cleans_up(virtual_clock: VirtualClock) -> None:
    """A cancel ends a pause, and none begins after it: a run that waits for `resume` would never end."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("work", task=forever)
        .add_child("cleans up", task=log.body(1), always=True)
        .build()
    )
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        executor.pause()
        assert executor.is_paused
        await anyio.sleep(1)
        executor.cancel()
        executor.pause()
        assert not executor.is_paused

    assert (log, virtual_clock.now()) == (["cleans up begins", "cleans up ends"], 3)


async def test_cancel_of_the_node_itself_stops_it() -> None:
    """Before it began and while it runs: who names it means it."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("work", task=sleeps(5))
        .add_child("frees", task=log.body(99), always=True, depends_on=[optional("begun")])
        .add_child("begun", task=ok)
        .add_child("cleans up", task=log.body(), always=True)
        .build()
    )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, tree)
        await anyio.sleep(1)
        node_of(tree, "frees").cancel("no need")
        node_of(tree, "cleans up").cancel("no need")

    assert log == ["frees begins", "frees is cancelled"]
    assert statuses(tree) == {
        "root": "cancelled",
        "work": "done",
        "frees": "cancelled",
        "begun": "done",
        "cleans up": "cancelled",
    }


# -- in haste ----------------------------------------------------------------------------------------------------------


async def test_hurry_stops_what_cleans_up_and_starts_no_more_of_it(virtual_clock: VirtualClock) -> None:
    """A second Ctrl-C skips the grace."""
    log = Log()
    tree = (
        TreeBuilder("root", parallel=False, config=ONCE)
        .add_child("of the root", task=log.body(), always=True)
        .add_node("group", parallel=False)
        .add_child("work", task=log.body(99))
        .add_child("first", task=log.body(99), always=True)
        .add_child("second", task=log.body(), always=True)
        .build()
    )
    error = await cancelled_after(1, tree, hurried_after=2)

    assert isinstance(error, TreeCancelled)
    assert log == ["work begins", "work is cancelled", "first begins", "first is cancelled"]
    assert [node_of(tree, name).status for name in ("of the root", "first", "second")] == ["cancelled"] * 3
    assert set(reasons(tree).values()) == {"enough", "the run was told to hurry"}
    assert virtual_clock.now() == 3


async def test_hurry_stops_clean_ups_that_wait_for_a_slot_or_a_dependency() -> None:
    """They were let go ahead, and have not begun."""
    log = Log()

    async def slow_to_stop(node: TaskNode) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(9)

    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_concurrency=1))
        .add_child("work", task=slow_to_stop)
        .add_child("lacks a slot", task=log.body(), always=True, depends_on=[optional("empty")])
        .add_child("waits", task=log.body(), always=True, depends_on=[optional("work")])
        .add_node("empty")
        .build()
    )
    await cancelled_after(1, tree, hurried_after=1)

    assert log == []
    assert [node_of(tree, name).status for name in ("lacks a slot", "waits")] == ["cancelled"] * 2


async def test_hurry_without_a_cancel_stops_nothing() -> None:
    """It makes haste with a cancel, and there is none."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("work", task=log.body(2))
        .add_child("cleans up", task=log.body(2), always=True)
        .build()
    )
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await anyio.sleep(1)
        executor.hurry()
        await anyio.sleep(2)
        executor.hurry()

    assert log == ["work begins", "work ends", "cleans up begins", "cleans up ends"]


async def test_clean_up_that_is_spawned_in_haste_does_not_start() -> None:
    """A body that is being stopped may ask for it, but it is too late."""
    log = Log()
    registry = Registry("root")

    @registry.task(always=True, static=False)
    async def frees() -> None:
        log.append("frees")

    @registry.task
    async def works(node: TaskNode) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(2)
            _ = node.spawn(frees)

    tree = registry.build()
    await cancelled_after(1, tree, hurried_after=1)

    assert log == []
    assert statuses(tree) == {"root": "cancelled", "root/works": "cancelled", "root/works/frees": "cancelled"}
