"""Attempts after the first: how many, what is kept between them, and what a repeated group runs again."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.support import Log, ended, fail, fails_times, forever, node_of, ok, sleeps, statuses
from tests.properties.recount import check_counters
from treetask import AsyncExecutor, Retry, TaskNode, TreeBuilder, TreeFailed, TreeTaskConfig
from treetask.testing import Recorder, VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_failed_body_is_tried_again_until_it_succeeds() -> None:
    """The status tells of each attempt; in the end nothing is left of the failures but their number."""
    tree = TreeBuilder("root").add_child("flaky", task=fails_times(2)).build()
    executor, recorder = AsyncExecutor(tree), Recorder()
    executor.subscribe(recorder)

    await executor.run()

    flaky = node_of(tree, "flaky")
    attempts = ["working", "retrying"] * 2
    assert recorder.statuses("flaky") == ["pending", *attempts, "working", "done"]
    assert (flaky.retry_count, flaky.result, flaky.error, flaky.exception) == (2, "attempt 3", None, None)
    assert tree.failed == {}


@pytest.mark.parametrize(("of_config", "of_node", "attempts"), [(3, None, 4), (0, None, 1), (3, 1, 2), (0, 2, 3)])
async def test_node_overrides_the_number_of_attempts(of_config: int, of_node: int | None, attempts: int) -> None:
    """`max_retries=n` is n + 1 attempts; a node's own number comes before the config's."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=of_config))
        .add_child("broken", task=fails_times(99), max_retries=of_node)
        .build()
    )

    error = await ended(tree)

    broken = node_of(tree, "broken")
    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == [f"attempt {attempts}"]
    assert (broken.status, broken.retry_count, broken.error) == ("failed", attempts - 1, f"attempt {attempts}")


async def test_own_timeout_error_of_a_body_is_an_ordinary_failure() -> None:
    """It is retried like any other, and ends as failed, with the body's own words."""
    tree = (
        TreeBuilder("root", on_failure="continue")
        .add_child("recovers", task=fails_times(1, TimeoutError), timeout=60)
        .add_child("broken", task=fails_times(9, TimeoutError), max_retries=1, timeout=60)
        .build()
    )

    await ended(tree)

    assert statuses(tree) == {"root": "failed", "recovers": "done", "broken": "failed"}
    assert node_of(tree, "recovers").retry_count == 1
    assert node_of(tree, "broken").error == "attempt 2"


async def test_timed_out_attempt_is_repeated(virtual_clock: VirtualClock) -> None:
    """An attempt that takes too long counts as a `TimeoutError`, and the next one has its whole time again."""

    async def slow_at_first(node: TaskNode) -> int:
        await anyio.sleep(9 if node.retry_count < 2 else 4)
        return node.retry_count

    tree = TreeBuilder("root").add_child("slow", task=slow_at_first, timeout=5, max_retries=2).build()
    await AsyncExecutor(tree).run()

    slow = node_of(tree, "slow")
    assert (slow.status, slow.result, slow.retry_count, slow.error) == ("done", 2, 2, None)
    assert virtual_clock.now() == 5 + 5 + 4


async def test_attempts_that_all_time_out_end_as_timed_out(virtual_clock: VirtualClock) -> None:
    """The last one decides; the message says after how long."""
    tree = TreeBuilder("root").add_child("stuck", task=forever, timeout=5, max_retries=2).build()

    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [(type(leaf), str(leaf)) for leaf in error.exceptions] == [(TimeoutError, "'stuck' timed out after 5 s")]
    assert statuses(tree) == {"root": "failed", "stuck": "timed_out"}
    assert virtual_clock.now() == 15


async def test_node_that_waits_for_its_next_attempt_holds_no_slot() -> None:
    """With one slot the others run before or after, and the repeated node comes to its end as well."""
    log = Log()
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_concurrency=1))
        .add_child("flaky", task=fails_times(3))
        .add_child("other", task=log.body(1))
        .build()
    )
    await AsyncExecutor(tree).run()

    assert tree.get_stats()["done"] == 3


async def test_repeated_body_runs_its_children_after_the_attempt_that_succeeds() -> None:
    """Children of a body that fails wait for the attempt that does not."""
    log = Log()
    tree = TreeBuilder("root").add_node("flaky", task=fails_times(2)).add_child("child", task=log.body()).build()
    await AsyncExecutor(tree).run()

    assert log == ["child begins", "child ends"]


async def test_repeated_group_runs_what_is_not_done_again() -> None:
    """What was done stays done; failed, cancelled and skipped children begin again, their attempts too."""
    log = Log()
    fails = iter([True, True, False])

    async def flaky(node: TaskNode) -> None:
        await anyio.sleep(1)
        if next(fails):
            raise OSError("not yet")

    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0))
        .add_node("group", max_retries=5)
        .add_child("done at once", task=log.body())
        .add_child("flaky", task=flaky)
        .add_child("slow", task=log.body(2))
        .add_child("needs it", task=log.body(), depends_on=["flaky"])
        .up()
        .add_child("after", task=log.body(), depends_on=["group"])
        .build()
    )
    await AsyncExecutor(tree).run()

    assert set(statuses(tree).values()) == {"done"}
    assert log.count("done at once begins") == 1
    assert log.count("slow begins") == 3
    assert log.count("slow is cancelled") == 2
    assert [log.count(f"{name} begins") for name in ("needs it", "after")] == [1, 1]
    group = node_of(tree, "group")
    assert (group.retry_count, group.error, group.exception, group.reason) == (2, None, None, None)
    assert {node.reason for node in tree.walk()} == {None}


async def test_group_is_not_repeated_unless_it_is_asked_for() -> None:
    """The config's number is for bodies: whole groups are not run four times by default."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=1))
        .add_node("group")
        .add_child("broken", task=fails_times(9))
        .build()
    )
    await ended(tree)

    assert node_of(tree, "broken").error == "attempt 2"
    assert node_of(tree, "group").retry_count == 0


async def test_group_with_a_body_runs_its_body_again() -> None:
    """Retrying a group reruns its body and the children that are not done."""
    log = Log()
    fails = iter([True, False])

    async def flaky(node: TaskNode) -> None:
        await anyio.sleep(1)
        if next(fails):
            raise OSError("not yet")

    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0))
        .add_node("group", task=log.body(), max_retries=1)
        .add_child("fine", task=log.body())
        .add_child("flaky", task=flaky)
        .build()
    )
    await AsyncExecutor(tree).run()

    assert log == ["group begins", "group ends", "fine begins", "fine ends", "group begins", "group ends"]
    assert tree.get_stats()["done"] == 4


async def test_retry_discards_the_children_that_the_failed_attempt_added() -> None:
    """Row 24: only the children of the attempt that succeeded are in the tree, and run."""
    log = Log()

    async def add_and_fail(node: TaskNode) -> None:
        node.add_child(TaskNode(f"child of attempt {node.retry_count + 1}", task_fn=log.body()))
        if node.retry_count < 2:
            raise OSError("not yet")

    tree = TreeBuilder("root").add_child("adds", task=add_and_fail).build()
    await AsyncExecutor(tree).run()

    assert tree.ids() == ["root", "adds", "child of attempt 3"]
    assert log == ["child of attempt 3 begins", "child of attempt 3 ends"]
    assert tree.get_stats()["total"] == 3


async def test_repeated_group_discards_what_the_bodies_below_had_added() -> None:
    """A body that runs again because the group above it does adds its children again, under the same ids."""
    fails = iter([True, False])

    async def add(node: TaskNode) -> None:
        node.add_child(TaskNode("added", task_fn=flaky))

    async def flaky(node: TaskNode) -> None:
        if next(fails):
            raise OSError("not yet")

    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0))
        .add_node("group", max_retries=1)
        .add_child("adds", task=add)
        .build()
    )
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"root": "done", "group": "done", "adds": "done", "added": "done"}


async def test_node_that_waits_for_a_discarded_child_is_skipped() -> None:
    """Who depends on a child that a failed attempt takes with it does not wait for ever."""

    async def add_and_fail(node: TaskNode) -> None:
        node.add_child(TaskNode(f"child {node.retry_count}"))
        if not node.retry_count:
            other = TaskNode("waits", task_fn=ok, depends_on=["child 0"])
            tree.root.add_child(other)
            raise OSError("not yet")

    tree = TreeBuilder("root").add_child("adds", task=add_and_fail).build()
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"root": "done", "adds": "done", "child 1": "done", "waits": "skipped"}
    assert node_of(tree, "waits").reason == "'child 0' was discarded"


async def test_node_that_waits_for_a_discarded_child_is_skipped_in_every_attempt() -> None:
    """It was brought back with the rest, and nobody tells it again that what it waits for is gone."""

    async def add_and_fail(node: TaskNode) -> None:
        if not node.retry_count:
            node.add_child(TaskNode("child", task_fn=ok))
            node_of(tree, "below").add_child(TaskNode("waits", task_fn=ok, depends_on=["child"]))
        if node.retry_count < 2:
            raise OSError("not yet")

    tree = TreeBuilder("root").add_node("adds", task=add_and_fail).add_child("below").build()
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"root": "done", "adds": "done", "below": "done", "waits": "skipped"}
    assert node_of(tree, "waits").reason == "'child' was discarded"


async def test_cancel_of_a_child_that_is_discarded_meanwhile() -> None:
    """Who cancels a node asks the loop to; by then a failed attempt may have taken the node out of the tree."""

    async def add_and_fail(node: TaskNode) -> None:
        child = node.add_child(TaskNode(f"child {node.retry_count}", task_fn=ok))
        if not node.retry_count:
            child.cancel("too late")
            raise OSError("not yet")

    tree = TreeBuilder("root").add_child("adds", task=add_and_fail).build()
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"root": "done", "adds": "done", "child 1": "done"}
    check_counters(tree, tree.root)


async def test_cancelled_run_retries_nothing() -> None:
    """A body that fails while the run is stopped has had its last attempt."""

    async def fail_when_cancelled(node: TaskNode) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            raise OSError("broken clean-up")

    tree = TreeBuilder("root").add_child("broken", task=fail_when_cancelled, max_retries=9).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        executor.cancel()

    broken = node_of(tree, "broken")
    assert (broken.status, broken.retry_count, broken.error) == ("failed", 0, "broken clean-up")


async def test_body_that_fails_before_anything_else_is_told_apart() -> None:
    """`retry_count` tells a body which attempt it is."""
    seen: list[int] = []

    async def look(node: TaskNode) -> None:
        seen.append(node.retry_count)
        await fail(node)

    tree = TreeBuilder("root").add_child("a", task=look, max_retries=2).build()
    await ended(tree)

    assert seen == [0, 1, 2]


async def test_loop_rests_while_an_attempt_is_waited_for(virtual_clock: VirtualClock) -> None:
    """Nothing is looked for again and again while one node waits for time and others run."""
    begun = virtual_clock.now()
    tree = (
        TreeBuilder("root")
        .add_child("flaky", task=fails_times(1), retry=Retry(on=OSError, attempts=2, wait_initial=5, wait_jitter=0))
        .add_child("long", task=sleeps(100))
        .build()
    )

    assert await ended(tree) is None
    assert (node_of(tree, "flaky").retry_count, virtual_clock.now() - begun) == (1, 100)


async def test_place_in_the_queue_from_an_earlier_attempt_of_the_group_is_void(virtual_clock: VirtualClock) -> None:
    """A node that waits for its next attempt does not begin before its time, where it had queued twice."""
    begun: dict[str, list[float]] = {"first": [], "second": []}

    async def fail_once(node: TaskNode) -> None:
        begun[node.id].append(virtual_clock.now())
        if len(begun[node.id]) == 1:
            raise OSError("not yet")

    waiting = Retry(on=OSError, attempts=2, wait_initial=4, wait_jitter=0)
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_concurrency=1, max_retries=0))
        .add_node("group", max_retries=1)
        .add_child("first", task=fail_once)
        .add_child("second", task=fail_once, retry=waiting)
        .build()
    )

    assert await ended(tree) is None
    at = begun["first"][0]
    assert begun == {"first": [at, at], "second": [at, at + 4]}
