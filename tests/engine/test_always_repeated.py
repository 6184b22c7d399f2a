"""Nodes that always run, when all around them is repeated or out of time."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.by_hand import ByHand
from tests.engine.support import (
    Log,
    cancelled_after,
    ended,
    fail,
    fails_after,
    fails_times,
    forever,
    node_of,
    ok,
    sleeps,
    statuses,
)
from treetask import AsyncExecutor, Retry, TaskNode, TreeBuilder, TreeCancelled, TreeFailed, TreeTaskConfig, optional
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

ONCE = TreeTaskConfig(max_retries=0)


# -- between two attempts ----------------------------------------------------------------------------------------------


async def test_repeated_group_cleans_up_after_its_last_attempt(virtual_clock: VirtualClock) -> None:
    """Not between two of them."""
    log = Log()
    waits = Retry(on=OSError, attempts=3, wait_initial=2, wait_jitter=0)
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_node("group", retry=waits)
        .add_child("broken", task=fails_after(1))
        .add_child("cleans up", task=log.body(), always=True)
        .build()
    )
    await ended(tree)

    assert log == ["cleans up begins", "cleans up ends"]
    assert node_of(tree, "cleans up").started_at == 1 + 2 + 1 + 4 + 1
    assert statuses(tree) == {"root": "failed", "group": "failed", "broken": "failed", "cleans up": "done"}


async def test_group_whose_clean_up_fails_is_not_repeated() -> None:
    """It was its last attempt: the work was done, and clean-ups go once."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_node("group", max_retries=3)
        .add_child("work", task=log.body())
        .add_child("cleans up", task=fail, always=True)
        .build()
    )
    await ended(tree)

    assert log == ["work begins", "work ends"]
    assert statuses(tree) == {"root": "failed", "group": "failed", "work": "done", "cleans up": "failed"}
    assert node_of(tree, "group").retry_count == 0


async def test_group_that_is_cancelled_while_it_waits_for_its_next_attempt_cleans_up() -> None:
    """It had started, so there is something to clean up."""
    log = Log()
    waits = Retry(on=OSError, wait_initial=50, wait_max=50, timeout=None)
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_node("group", retry=waits)
        .add_child("broken", task=fail)
        .add_child("cleans up", task=log.body(1), always=True)
        .build()
    )
    error = await cancelled_after(10, tree)

    assert isinstance(error, TreeCancelled)
    assert log == ["cleans up begins", "cleans up ends"]
    assert statuses(tree) == {"root": "cancelled", "group": "cancelled", "broken": "cancelled", "cleans up": "done"}


async def test_group_around_that_is_repeated_has_it_run_once_more() -> None:
    """Each time that its group runs to an end there is something to clean up."""
    log = Log()

    async def work(node: TaskNode) -> None:
        log.append(f"attempt {node_of(tree, 'around').retry_count + 1}")
        if not node_of(tree, "around").retry_count:
            raise OSError("broken")

    tree = (
        TreeBuilder("root", config=ONCE)
        .add_node("around", max_retries=1)
        .add_node("group")
        .add_child("work", task=work)
        .add_node("cleans up", always=True)
        .add_child("below", task=log.body())
        .build()
    )
    await AsyncExecutor(tree).run()

    assert log == ["attempt 1", "below begins", "below ends", "attempt 2", "below begins", "below ends"]
    assert set(statuses(tree).values()) == {"done"}


def test_group_stopped_in_the_moment_of_its_next_attempt_cleans_up_instead() -> None:
    """A policy stops it after one attempt was over, and before the next had begun."""

    def raises(node: TaskNode) -> bool:
        raise OSError("no answer")

    run = ByHand(
        TreeBuilder("root", config=ONCE)
        .add_node("group", max_retries=1)
        .add_child("cleans up", task=ok, always=True)
        .add_node("inner", on_failure="continue")
        .add_child("broken", task=ok)
        .add_child("last", task=ok)
        .up()
        .up()
        .add_child("asks", task=ok, depends_on=["last"], when=raises)
        .build()
    )
    run.start()
    run.fail("broken")

    assert run.end("last") == ["cleans up"]
    run.end("cleans up")
    assert statuses(run.tree) == {
        "root": "failed",
        "group": "cancelled",
        "cleans up": "done",
        "inner": "cancelled",
        "broken": "cancelled",
        "last": "done",
        "asks": "failed",
    }


async def test_clean_up_is_repeated_within_the_grace(virtual_clock: VirtualClock) -> None:
    """All its attempts and the waits between them have that much time."""
    waits = Retry(on=OSError, attempts=None, timeout=None, wait_initial=1, wait_max=2, wait_jitter=0)
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, grace=6))
        .add_child("work", task=forever)
        .add_child("well at last", task=fails_times(2), always=True, retry=waits)
        .add_child("broken", task=fail, always=True, retry=waits)
        .add_child("slow at last", task=fails_times(3), always=True, retry=waits)
        .build()
    )
    await cancelled_after(10, tree)

    ends = {name: node_of(tree, name).ended_at for name in ("well at last", "broken", "slow at last")}
    assert ends == {"well at last": 13, "broken": 15, "slow at last": 15}
    assert [node_of(tree, name).status for name in ends] == ["done", "failed", "done"]
    assert node_of(tree, "broken").error == "broken is broken"


async def test_attempt_of_a_clean_up_ends_with_the_grace(virtual_clock: VirtualClock) -> None:
    """The last one may have less time than the first."""

    async def slow_at_last(node: TaskNode) -> None:
        if not node.retry_count:
            raise OSError("broken")
        await anyio.sleep(99)

    waits = Retry(on=OSError, wait_initial=3, wait_jitter=0)
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, grace=5))
        .add_child("work", task=forever)
        .add_child("cleans up", task=slow_at_last, always=True, retry=waits)
        .build()
    )
    await cancelled_after(10, tree)

    node = node_of(tree, "cleans up")
    assert (node.status, node.error, node.ended_at) == (
        "timed_out",
        "'cleans up' took longer than the grace of 5 s",
        15,
    )


async def test_clean_up_whose_next_attempt_would_be_too_late_has_failed(virtual_clock: VirtualClock) -> None:
    """A cancel finds it waiting: beyond the grace nothing is to come of that; within it, it is waited for."""
    long = Retry(on=OSError, wait_initial=50, wait_max=50, wait_jitter=0, timeout=None)
    short = Retry(on=OSError, wait_initial=12, wait_max=50, wait_jitter=0, timeout=None)
    log = Log()
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, grace=5))
        .add_child("begun", task=ok)
        .add_child("work", task=forever)
        .add_node("too late", always=True, depends_on=[optional("begun")], retry=long)
        .add_child("broken", task=fail)
        .add_child("of its own", task=log.body(1), always=True)
        .up()
        .add_child("leaf", task=fail, always=True, depends_on=[optional("begun")], retry=long)
        .add_child("in time", task=fails_times(1), always=True, depends_on=[optional("begun")], retry=short)
        .build()
    )
    await cancelled_after(10, tree)

    assert statuses(tree) == {
        "root": "cancelled",
        "begun": "done",
        "work": "cancelled",
        "too late": "failed",
        "broken": "cancelled",
        "of its own": "done",
        "leaf": "failed",
        "in time": "done",
    }
    assert node_of(tree, "leaf").error == "leaf is broken"
    assert [node_of(tree, name).ended_at for name in ("leaf", "too late", "in time")] == [10, 11, 12]


# -- timeouts ----------------------------------------------------------------------------------------------------------


async def test_group_that_is_out_of_time_cleans_up(virtual_clock: VirtualClock) -> None:
    """Its time is up for its work; what cleans up has the grace, and the group its error."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, grace=4))
        .add_node("group", timeout=5)
        .add_child("work", task=forever)
        .add_child("quick", task=sleeps(1), always=True)
        .add_child("slow", task=sleeps(99), always=True)
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == [
        "'slow' took longer than the grace of 4 s",
        "'group' timed out after 5 s",
    ]
    assert statuses(tree) == {
        "root": "failed",
        "group": "timed_out",
        "work": "cancelled",
        "quick": "done",
        "slow": "timed_out",
    }
    assert virtual_clock.now() == 5 + 4


async def test_clean_ups_count_in_the_time_of_their_group(virtual_clock: VirtualClock) -> None:
    """A group's time bounds all of it; they have the grace from the moment that it is up."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, grace=4), on_failure="continue")
        .add_node("well", timeout=5)
        .add_child("work", task=sleeps(1))
        .add_child("slow", task=sleeps(99), always=True)
        .up()
        .add_node("failed", timeout=5)
        .add_child("broken", task=fails_after(1))
        .add_child("slow too", task=sleeps(99), always=True)
        .up()
        .add_node("failed at once", task=fail, timeout=5)
        .add_child("slow as well", task=sleeps(99), always=True)
        .build()
    )
    await ended(tree)

    assert [node_of(tree, name).status for name in ("well", "failed", "failed at once")] == [
        "timed_out",
        "failed",
        "failed",
    ]
    assert [node_of(tree, f"slow{more}").ended_at for more in ("", " too", " as well")] == [9, 9, 9]
    assert node_of(tree, "failed at once").error == "failed at once is broken"
