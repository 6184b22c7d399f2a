"""The time between two attempts: how long it is, what it holds, and what may happen meanwhile (R35)."""

from __future__ import annotations

import math

import anyio
import pytest

from tests.engine.by_hand import ByHand
from tests.engine.support import (
    AsyncBody,
    Log,
    cancelled_after,
    ended,
    fail,
    fails_after,
    fails_times,
    forever,
    node_of,
    ok,
    reasons,
    sleeps,
    statuses,
)
from treetask import (
    AsyncExecutor,
    Limit,
    Registry,
    Retry,
    Spawns,
    TaskNode,
    TaskTree,
    TreeBuilder,
    TreeCancelled,
    TreeFailed,
    TreeTaskConfig,
    optional,
)
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
    """R35: to the moment, and the status tells of each step."""
    tree = TreeBuilder("root").add_child("flaky", task=fails_times(3), retry=EXACT).build()
    executor, recorder = AsyncExecutor(tree), Recorder()
    executor.subscribe(recorder)
    await executor.run()

    assert recorder.statuses("flaky") == ["pending", *["working", "retrying"] * 3, "working", "done"]
    assert recorder.times("flaky") == [0, 0, 1, 1, 3, 3, 7, 7]


async def test_node_that_waits_says_so() -> None:
    """R35: the status is `retrying`, the number counts, and the last error is kept until an attempt succeeds."""
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


@pytest.mark.slow
async def test_thousands_wait_at_little_cost(virtual_clock: VirtualClock) -> None:
    """Each for a time of its own; none holds a task of the event loop."""
    builder = TreeBuilder("root", config=ONCE)
    retry = Retry(on=OSError, attempts=4, wait_initial=1, wait_max=5, wait_jitter=1, timeout=60)
    for number in range(1_000):
        builder.add_child(f"{number}", task=fails_times(3), retry=retry)
    tree = builder.build()
    executor, tasks_while_waiting = AsyncExecutor(tree), 0

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await anyio.sleep(0.5)
        assert executor._run is not None
        tasks_while_waiting = executor._run._crew._workers
        assert tree.get_stats()["retrying"] == 1_000

    assert (tree.get_stats()["done"], tasks_while_waiting) == (1_001, 0)
    assert 1 + 2 + 4 <= virtual_clock.now() <= 2 + 3 + 5


# -- on what -----------------------------------------------------------------------------------------------------------


async def test_error_of_another_kind_is_final(virtual_clock: VirtualClock) -> None:
    """The node fails at once with it."""
    tree = TreeBuilder("root").add_child("broken", task=fails_times(9, ValueError), retry=EXACT).build()

    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [repr(leaf) for leaf in error.exceptions] == ["ValueError('attempt 1')"]
    assert (node_of(tree, "broken").retry_count, virtual_clock.now()) == (0, 0)


def notes(error: BaseException) -> list[str]:
    """Return the notes of an exception, on Python 3.10 too."""
    return list(getattr(error, "__notes__", []))


async def test_last_failure_is_what_the_run_raises() -> None:
    """One leaf with one note, though the node has failed four times."""
    tree = TreeBuilder("root").add_child("broken", task=fails_times(9), retry=EXACT).build()

    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["attempt 4"]
    assert notes(error.exceptions[0]) == ["in task 'broken'"]
    assert statuses(tree) == {"root": "failed", "broken": "failed"}


async def test_error_that_is_raised_again_has_one_note() -> None:
    """Whoever keeps an exception and raises it in each attempt."""
    kept = OSError("kept")

    async def body(node: TaskNode) -> None:
        raise kept

    tree = TreeBuilder("root").add_child("broken", task=body, retry=EXACT).build()
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert error.exceptions == (kept,)
    assert notes(kept) == ["in task 'broken'"]


async def test_config_repeats_nothing_that_has_a_retry_of_its_own() -> None:
    """The config's number of retries is for nodes that say nothing."""
    retry = Retry(on=ValueError)
    tree = TreeBuilder("root", config=TreeTaskConfig(max_retries=5)).add_child("broken", task=fail, retry=retry).build()
    await ended(tree)

    assert node_of(tree, "broken").retry_count == 0


async def test_attempt_out_of_time_counts_as_a_timeout_error(virtual_clock: VirtualClock) -> None:
    """R35: also for a group, whose children are stopped for it."""
    retry = Retry(on=TimeoutError, wait_initial=1, wait_jitter=0)
    tree = (
        TreeBuilder("root", config=ONCE, on_failure="continue")
        .add_child("leaf", task=slow_at_first(1), timeout=5, retry=retry)
        .add_node("group", timeout=5, retry=retry)
        .add_child("below", task=slow_at_first(1))
        .up()
        .add_child("of another kind", task=forever, timeout=5, retry=Retry(on=ValueError))
        .build()
    )
    await ended(tree)

    assert statuses(tree) == {
        "root": "failed",
        "leaf": "done",
        "group": "done",
        "below": "done",
        "of another kind": "timed_out",
    }
    assert virtual_clock.now() == 5 + 1 + 1


def slow_at_first(count: int) -> AsyncBody:
    """Return a body that never ends in the first attempts of its node, or of its group, and takes a second then."""

    async def body(node: TaskNode) -> None:
        attempts = max(node.retry_count, 0 if node.parent is None else node.parent.retry_count)
        await anyio.sleep(1 if attempts >= count else math.inf)

    return body


async def test_body_that_lets_a_childs_failure_pass_counts_as_that() -> None:
    """What the child raised decides, not that it was a child."""
    registry = Registry("root")
    attempts: list[str] = []

    @registry.task(static=False)
    async def child(error: str) -> None:
        raise {"OSError": OSError, "ValueError": ValueError}[error]("broken")

    @registry.task(retry=EXACT)
    async def worth_it(node: TaskNode) -> None:
        attempts.append(node.id)
        if node.retry_count < 2:
            await node.spawn(child, "OSError")

    @registry.task(retry=EXACT)
    async def in_vain(node: TaskNode) -> None:
        attempts.append(node.id)
        await node.spawn(child, "ValueError")

    tree = registry.build(TreeTaskConfig(on_failure="continue"))
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [repr(leaf) for leaf in error.exceptions] == ["ValueError('broken')"]
    assert sorted(attempts) == ["root/in_vain", *["root/worth_it"] * 3]


async def test_group_is_repeated_if_all_that_failed_is_worth_it() -> None:
    """Under "continue" several children may have failed, or some that were groups themselves."""

    def group(name: str, *errors: type[Exception]) -> TaskNode:
        top = TaskNode(name, retry=EXACT, on_failure="continue")
        for number, error in enumerate(errors):
            inner = top.add_child(TaskNode(f"{name} {number}"))
            inner.add_child(TaskNode(f"{name} {number} body", task_fn=fails_times(9, error)))
        return top

    tree = TaskTree(TaskNode("root", on_failure="continue"), ONCE)
    tree.root.add_child(group("worth it", OSError, ConnectionError))
    tree.root.add_child(group("not both", OSError, ValueError))
    tree.root.add_child(group("none", ValueError))
    await ended(tree)

    retries = {name: node_of(tree, name).retry_count for name in ("worth it", "not both", "none")}
    assert retries == {"worth it": 3, "not both": 0, "none": 0}


async def test_function_that_raises_takes_the_place_of_what_failed() -> None:
    """It is a bug that somebody has to hear of; it is told of its node, and the error that it was asked of with it."""

    def broken(error: Exception) -> bool:
        raise KeyError("status")

    retry = Retry(on=broken)
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, on_failure="continue"))
        .add_child("leaf", task=fail, retry=retry)
        .add_node("group", retry=retry)
        .add_child("below", task=fail)
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    told = {(*notes(leaf), repr(leaf)) for leaf in error.exceptions}
    assert told == {
        ("in task 'leaf'", "KeyError('status')"),
        ("in task 'group'", "KeyError('status')"),
        ("in task 'below'", "OSError('below is broken')"),
    }
    raised = node_of(tree, "leaf").exception
    assert raised is not None
    assert repr(raised.__context__) == "OSError('leaf is broken')"


# -- all attempts ------------------------------------------------------------------------------------------------------


async def test_time_of_all_attempts_ends_the_one_that_runs(virtual_clock: VirtualClock) -> None:
    """R36: `Retry.timeout` counts from the first start, waits included."""
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
    """R32: others go on meanwhile."""
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
    """R32: `max_parallel` counts children that have started and not ended."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE, max_parallel=1)
        .add_child("flaky", task=fails_times(1), retry=EXACT)
        .add_child("other", task=log.body())
        .build()
    )
    await AsyncExecutor(tree).run()

    assert node_of(tree, "other").started_at == 1


# -- meanwhile ---------------------------------------------------------------------------------------------------------

LONG = Retry(on=OSError, attempts=None, timeout=None, wait_initial=50, wait_max=50, wait_jitter=0)


async def test_cancel_ends_a_wait_at_once(virtual_clock: VirtualClock) -> None:
    """The node is cancelled; what its last attempt raised is kept, but is no leaf of anything."""
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("leaf", task=fail, retry=LONG)
        .add_node("group", task=ok, retry=LONG)
        .add_child("below", task=fail)
        .build()
    )
    error = await cancelled_after(10, tree)

    assert isinstance(error, TreeCancelled)
    assert statuses(tree) == {"root": "cancelled", "leaf": "cancelled", "group": "cancelled", "below": "cancelled"}
    assert set(reasons(tree).values()) == {"enough"}
    assert node_of(tree, "leaf").error == "leaf is broken"
    assert virtual_clock.now() == 10


async def test_cancel_of_the_node_ends_its_wait() -> None:
    """The group goes on, and ends as cancelled with it."""
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("flaky", task=fail, retry=LONG)
        .add_child("other", task=sleeps(20))
        .build()
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, tree)
        await anyio.sleep(10)
        node_of(tree, "flaky").cancel("no more")

    assert statuses(tree) == {"root": "cancelled", "flaky": "cancelled", "other": "done"}
    assert node_of(tree, "flaky").reason == "no more"
    assert node_of(tree, "flaky").ended_at == 10


@pytest.mark.parametrize(("policy", "status"), [("cancel", "cancelled"), ("finish", "done"), ("continue", "done")])
async def test_sibling_that_fails_ends_a_wait_as_the_policy_says(policy: str, status: str) -> None:
    """R33: what has begun is cancelled, or finishes with all its attempts."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, on_failure=policy))
        .add_child("flaky", task=fails_times(1), retry=LONG)
        .add_child("broken", task=fails_after(10))
        .build()
    )
    await ended(tree)

    assert statuses(tree) == {"root": "failed", "flaky": status, "broken": "failed"}
    assert node_of(tree, "flaky").ended_at == (10 if status == "cancelled" else 50)


async def test_pause_holds_the_next_attempt_back() -> None:
    """A wait that is over meanwhile is not waited for again."""
    tree = TreeBuilder("root").add_child("flaky", task=fails_times(1), retry=LONG).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await anyio.sleep(10)
        executor.pause()
        await anyio.sleep(70)
        assert executor._run is not None
        assert executor._run.scheduler.waits_for(node_of(tree, "flaky"), 80) == "the run to be resumed"
        executor.resume()

    assert node_of(tree, "flaky").ended_at == 80


@pytest.mark.parametrize("has_children", [False, True])
async def test_global_timeout_ends_the_wait_of_the_root(has_children: bool, virtual_clock: VirtualClock) -> None:
    """R34: the root is what has timed out, also between two attempts."""
    below = [TaskNode("below", task_fn=fail)] if has_children else []
    root = TaskNode("root", task_fn=ok if has_children else fail, children=below, retry=LONG)
    tree = TaskTree(root, TreeTaskConfig(max_retries=0, global_timeout=10))

    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["'root' timed out after 10 s"]
    assert (root.status, virtual_clock.now()) == ("timed_out", 10)
    assert [(node.status, node.reason) for node in below] == [
        ("cancelled", "its parent 'root' timed out") for _ in below
    ]


async def test_global_timeout_ends_other_waits(virtual_clock: VirtualClock) -> None:
    """Like all that goes on below the root."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(global_timeout=10)).add_child("flaky", task=fail, retry=LONG).build()
    )
    await ended(tree)

    assert statuses(tree) == {"root": "timed_out", "flaky": "cancelled"}
    assert virtual_clock.now() == 10


async def test_timeout_of_the_group_ends_the_waits_in_it(virtual_clock: VirtualClock) -> None:
    """R36: waits count in the time of the group around."""
    tree = (
        TreeBuilder("root", config=ONCE).add_node("group", timeout=10).add_child("flaky", task=fail, retry=LONG).build()
    )
    await ended(tree)

    assert statuses(tree) == {"root": "failed", "group": "timed_out", "flaky": "cancelled"}
    assert virtual_clock.now() == 10


async def test_who_waits_for_a_node_waits_for_all_its_attempts() -> None:
    """Dependents, a body that awaits it, and a sequence."""
    registry = Registry("root")
    ends: dict[str, float] = {}

    @registry.task(static=False, retry=LONG)
    async def flaky(node: TaskNode) -> str:
        if not node.retry_count:
            raise OSError("broken")
        return "well"

    @registry.task
    async def awaits(node: TaskNode) -> None:
        assert await node.spawn(flaky) == "well"
        ends["awaits"] = anyio.current_time()

    @registry.group(parallel=False)
    async def in_turn() -> Spawns[None]:
        child = yield flaky.child()
        assert child.result == "well"
        ends["in turn"] = anyio.current_time()

    @registry.task(depends_on=[awaits])
    async def depends() -> None:
        ends["depends"] = anyio.current_time()

    await AsyncExecutor(registry.build()).run()

    assert ends == {"awaits": 50, "in turn": 50, "depends": 50}


async def test_child_that_comes_meanwhile_waits_for_the_next_attempt() -> None:
    """R6: it starts after the body, and no earlier attempt takes it along."""
    log = Log()
    tree = TreeBuilder("root").add_child("flaky", task=fails_times(1), retry=LONG).build()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(AsyncExecutor(tree).run)
        await anyio.sleep(10)
        node_of(tree, "flaky").add_child(TaskNode("late", task_fn=log.body()))

    assert (node_of(tree, "late").started_at, statuses(tree)["late"]) == (50, "done")


# -- groups ------------------------------------------------------------------------------------------------------------


def test_child_that_a_policy_stopped_skips_nobody_in_the_next_attempt() -> None:
    """What a stopped child meant for others is forgotten when it is brought back."""
    run = ByHand(
        TreeBuilder("root", config=ONCE)
        .add_node("group", max_retries=1)
        .add_child("broken", task=ok)
        .add_child("queued", task=ok)
        .add_child("needs it", task=ok, depends_on=["queued"])
        .build(),
        max_concurrency=1,
    )
    assert run.start() == ["broken"]
    assert run.fail("broken") == ["broken"]
    assert run.end("broken") == ["queued"]
    assert run.end("queued") == ["needs it"]
    run.end("needs it")

    assert set(statuses(run.tree).values()) == {"done"}
    assert reasons(run.tree) == {}


@pytest.mark.parametrize("order", [["waits", "flaky"], ["flaky", "waits"]])
def test_optional_dependency_inside_a_repeated_group_is_waited_for_again(order: list[str]) -> None:
    """In whatever order the two were declared."""
    builder = TreeBuilder("root", config=ONCE).add_node("group", max_retries=1, on_failure="continue")
    for name in order:
        builder.add_child(name, task=ok, depends_on=[optional("flaky"), "other"] if name == "waits" else [])
    run = ByHand(builder.add_child("other", task=ok).build())

    run.start()
    run.end("other")
    assert run.fail("flaky") == ["waits"]
    assert run.fail("waits") == ["flaky"]
    assert run.end("flaky") == ["waits"]


def test_optional_dependency_on_a_child_of_a_repeated_group_counts_once() -> None:
    """Who waits for it and for something else waits for both: the first attempt's end counts no second time."""
    run = ByHand(
        TreeBuilder("root", config=ONCE)
        .add_node("group", max_retries=1)
        .add_child("flaky", task=ok)
        .up()
        .add_child("slow", task=ok)
        .add_child("waits", task=ok, depends_on=[optional("flaky"), "slow"])
        .build()
    )
    assert run.start() == ["flaky", "slow"]
    assert run.fail("flaky") == ["flaky"]
    assert run.end("flaky") == []
    assert run.end("slow") == ["waits"]


def test_node_that_was_ready_waits_again_for_a_child_that_is_brought_back() -> None:
    """It had no slot yet, and what it waits for is going to run once more."""
    run = ByHand(
        TreeBuilder("root", config=ONCE)
        .add_node("group", max_retries=1)
        .add_child("flaky", task=ok)
        .up()
        .add_child("waits", task=ok, depends_on=[optional("flaky")])
        .build(),
        max_concurrency=1,
    )
    assert run.start() == ["flaky"]
    assert run.fail("flaky") == ["flaky"]
    assert run.end("flaky") == ["waits"]


def test_who_waits_for_a_discarded_child_that_never_ran_goes_on() -> None:
    """A policy stops it, and the failed attempt takes it along, in one moment."""
    run = ByHand(TreeBuilder("root", config=ONCE).add_child("group", task=ok, max_retries=1).build(), max_concurrency=1)
    assert run.start() == ["group"]
    for name in ("broken", "queued"):
        run.scheduler.add(TaskNode(name, task_fn=ok), run.node("group"), run.now)
    run.scheduler.add(TaskNode("waits", task_fn=ok, depends_on=[optional("queued")]), run.node("root"), run.now)
    assert run.end("group") == ["broken"]
    assert run.fail("broken") == ["group"]
    assert run.end("group") == ["waits"]
