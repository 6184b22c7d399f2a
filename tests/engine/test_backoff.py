"""The time between two attempts: how long it is, and what it holds."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.by_hand import ByHand
from tests.engine.support import AsyncBody, Log, ended, fails_times, node_of, ok, sleeps, statuses
from treetask import AsyncExecutor, Limit, Retry, TaskNode, TreeBuilder, TreeFailed, TreeTaskConfig
from treetask.testing import Recorder, VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

EXACT = Retry(on=OSError, attempts=4, wait_initial=1, wait_max=100, wait_jitter=0)
"""Waits of 1, 2 and 4 seconds."""


ONCE = TreeTaskConfig(max_retries=0)


async def test_run_rests_while_nodes_wait_and_work(virtual_clock: VirtualClock) -> None:
    """Once a wait is over, nobody looks for work again and again until the run ends."""
    tree = (
        TreeBuilder("root")
        .add_child("flaky", task=fails_times(3), retry=EXACT)
        .add_child("long", task=sleeps(100))
        .build()
    )
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"root": "done", "flaky": "done", "long": "done"}
    assert (node_of(tree, "flaky").ended_at, virtual_clock.now()) == (1 + 2 + 4, 100)


# -- how long ----------------------------------------------------------------------------------------------------------


async def test_attempts_begin_when_their_waits_are_over() -> None:
    """To the moment, and the status tells of each step."""
    tree = TreeBuilder("root").add_child("flaky", task=fails_times(3), retry=EXACT).build()
    executor, recorder = AsyncExecutor(tree), Recorder()
    executor.subscribe(recorder)
    await executor.run()

    assert recorder.statuses("flaky") == ["pending", *["working", "retrying"] * 3, "working", "done"]
    assert recorder.times("flaky") == [0, 0, 1, 1, 3, 3, 7, 7]


async def test_node_that_waits_says_so() -> None:
    """The status is `retrying`, the number counts, and the last error is kept until an attempt succeeds."""
    tree = TreeBuilder("root").add_child("flaky", task=fails_times(2), retry=EXACT).build()
    executor, flaky = AsyncExecutor(tree), node_of(tree, "flaky")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await anyio.sleep(2)
        assert (flaky.status, flaky.retry_count, flaky.error) == ("retrying", 2, "attempt 2")
        assert executor._run is not None
        assert executor._run.scheduler.waits_for(flaky, 2) == "its next attempt"
        assert executor.running == []

    assert (flaky.status, flaky.result, flaky.retry_count, flaky.error) == ("done", "attempt 3", 2, None)
    assert flaky.exception is None


async def test_group_that_waits_says_which_child_failed() -> None:
    """Its own body raised nothing, but there is something to tell."""
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_node("group", retry=EXACT)
        .add_child("flaky", task=fails_with_its_group(1))
        .build()
    )
    group = node_of(tree, "group")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(AsyncExecutor(tree).run)
        await anyio.sleep(0.5)
        assert (group.status, group.retry_count, group.error) == ("retrying", 1, "'flaky' failed")

    assert (group.status, group.error, group.reason) == ("done", None, None)


def fails_with_its_group(count: int) -> AsyncBody:
    """Return the body of a child that fails in the first attempts of its group."""

    async def body(node: TaskNode) -> None:
        assert node.parent is not None
        if node.parent.retry_count < count:
            raise OSError("not yet")

    return body


def test_random_part_of_a_wait_is_drawn_for_each() -> None:
    """Many that failed together do not come back together."""
    run = ByHand(
        TreeBuilder("root")
        .add_child("flaky", task=ok, retry=Retry(on=OSError, attempts=9, wait_initial=1, wait_jitter=2))
        .build(),
        chance=0.75,
    )
    run.start()
    run.fail("flaky")

    assert run.wait(2.4) == []
    assert run.wait(0.1) == ["flaky"]


def test_wait_that_a_function_asks_for_is_kept() -> None:
    """As the header of some server said."""
    run = ByHand(
        TreeBuilder("root").add_child("flaky", task=ok, retry=Retry(on=lambda error: 7.5, wait_jitter=1)).build(),
        chance=1.0,
    )
    run.start()
    run.fail("flaky")

    assert run.wait(7.4) == []
    assert run.wait(0.1) == ["flaky"]


# -- all attempts ------------------------------------------------------------------------------------------------------


async def test_time_of_all_attempts_ends_the_one_that_runs(virtual_clock: VirtualClock) -> None:
    """`Retry.timeout` counts from the first start, waits included."""
    retry = Retry(on=OSError, attempts=None, timeout=10, wait_initial=1, wait_jitter=0)

    async def body(node: TaskNode) -> None:
        await anyio.sleep(4)
        if node.retry_count < 1:
            raise OSError("broken")
        await anyio.sleep(99)

    tree = (
        TreeBuilder("root", config=ONCE, on_failure="continue")
        .add_child("leaf", task=body, retry=retry)
        .add_child("first", task=sleeps(99), retry=retry)
        .add_child("shorter", task=sleeps(99), timeout=3, retry=retry)
        .add_node("group", retry=retry)
        .add_child("below", task=sleeps(99))
        .build()
    )
    await ended(tree)

    assert {name: node_of(tree, name).error for name in ("leaf", "first", "group")} == {
        "leaf": "'leaf' timed out after 10 s in 2 attempts",
        "first": "'first' timed out after 10 s in 1 attempt",
        "group": "'group' timed out after 10 s in 1 attempt",
    }
    shorter = node_of(tree, "shorter")
    assert (shorter.error, shorter.retry_count) == ("'shorter' timed out after 10 s in 3 attempts", 2)
    assert {node_of(tree, name).status for name in ("leaf", "first", "group", "shorter")} == {"timed_out"}
    assert virtual_clock.now() == 10


async def test_without_a_bound_an_attempt_may_take_its_time(virtual_clock: VirtualClock) -> None:
    """That a node may be repeated is no reason to stop it."""
    tree = TreeBuilder("root").add_child("long", task=sleeps(3600), retry=Retry(on=OSError)).build()
    await AsyncExecutor(tree).run()

    assert (statuses(tree)["long"], virtual_clock.now()) == ("done", 3600)


async def test_wait_that_would_be_too_long_is_not_begun(virtual_clock: VirtualClock) -> None:
    """The node fails at once, with what its last attempt raised: there is no attempt left to wait for."""
    retry = Retry(on=OSError, attempts=None, timeout=10, wait_initial=4, wait_max=99, wait_jitter=0)
    tree = TreeBuilder("root").add_child("broken", task=fails_times(99), retry=retry).build()

    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["attempt 2"]
    assert (statuses(tree)["broken"], virtual_clock.now()) == ("failed", 4)


async def test_time_of_all_attempts_is_up_while_the_next_one_lacks_a_slot(virtual_clock: VirtualClock) -> None:
    """No attempt is begun that has no time left; the error says so, and what the last attempt raised."""
    retry = Retry(on=OSError, timeout=10, wait_initial=2, wait_jitter=0)
    begun: list[float] = []

    async def broken(node: TaskNode) -> None:
        begun.append(anyio.current_time())
        raise OSError("broken")

    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, max_concurrency=1))
        .add_child("broken", task=broken, retry=retry)
        .add_child("long", task=sleeps(30))
        .add_child("after", task=sleeps(30))
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    (timeout,) = error.exceptions
    assert (type(timeout), str(timeout)) == (TimeoutError, "'broken' timed out after 10 s in 1 attempt")
    assert repr(timeout.__cause__) == "OSError('broken')"
    assert begun == [0]
    assert statuses(tree) == {"root": "failed", "broken": "timed_out", "long": "cancelled", "after": "cancelled"}
    assert virtual_clock.now() == 10


async def test_time_of_all_attempts_begins_anew_with_the_group_around() -> None:
    """A child that is brought back has its whole time again."""
    retry = Retry(on=OSError, timeout=10, wait_initial=4, wait_jitter=0)
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_node("group", max_retries=1)
        .add_child("flaky", task=fails_times(9), retry=retry)
        .build()
    )
    await ended(tree)

    flaky = node_of(tree, "flaky")
    assert (flaky.status, flaky.retry_count, flaky.started_at, flaky.ended_at) == ("failed", 2, 9, 18)


# -- what it holds -----------------------------------------------------------------------------------------------------


async def test_wait_holds_neither_a_slot_nor_a_thread_nor_a_limit() -> None:
    """Others go on meanwhile."""
    log: list[str] = []

    def plain(node: TaskNode) -> None:
        log.append(node.id)
        if node.id == "flaky" and not node.retry_count:
            raise OSError("broken")

    api = Limit("api", max_concurrency=1)
    config = TreeTaskConfig(max_retries=0, max_concurrency=1, max_threads=1)
    tree = (
        TreeBuilder("root", config=config)
        .add_child("flaky", task=plain, retry=EXACT, limits=[api])
        .add_child("other", task=plain, limits=[api])
        .build()
    )
    await AsyncExecutor(tree).run()

    assert log == ["flaky", "other", "flaky"]


async def test_wait_holds_the_place_in_a_group() -> None:
    """`max_parallel` counts children that have started and not ended."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE, max_parallel=1)
        .add_child("flaky", task=fails_times(1), retry=EXACT)
        .add_child("other", task=log.body())
        .build()
    )
    await AsyncExecutor(tree).run()

    assert node_of(tree, "other").started_at == 1
