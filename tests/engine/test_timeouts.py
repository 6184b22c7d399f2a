"""The time of an attempt, of a group and of the run."""

from __future__ import annotations

import contextlib
import math

import anyio
import pytest
import trio

from tests.engine.support import AsyncBody, Log, ended, fail, forever, node_of, ok, reasons, sleeps, statuses
from treetask import (
    JOIN,
    AsyncExecutor,
    Event,
    Registry,
    Retry,
    RunTimeoutError,
    Spawns,
    StatusChanged,
    TaskNode,
    TaskTree,
    TreeBuilder,
    TreeFailed,
    TreeTaskConfig,
)
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

ONCE = TreeTaskConfig(max_retries=0)
DAY = 86_400


async def test_timeout_of_a_day(virtual_clock: VirtualClock) -> None:
    """A body that does not end in time is cancelled, and its node says after how long."""
    tree = TreeBuilder("root", config=ONCE).add_child("stuck", task=forever, timeout=DAY).build()

    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [(type(leaf), str(leaf)) for leaf in error.exceptions] == [(TimeoutError, "'stuck' timed out after 86400 s")]
    assert statuses(tree) == {"root": "failed", "stuck": "timed_out"}
    assert reasons(tree) == {"root": "'stuck' timed out"}
    assert virtual_clock.now() == DAY


async def test_timeout_of_zero_is_zero(virtual_clock: VirtualClock) -> None:
    """0 is no way to say "none": what waits at all is too late. What does not wait is done."""
    tree = (
        TreeBuilder("root", config=ONCE, on_failure="continue")
        .add_child("waits", task=sleeps(1), timeout=0)
        .add_child("does not wait", task=count, timeout=0)
        .build()
    )
    await ended(tree)

    assert statuses(tree) == {"root": "failed", "waits": "timed_out", "does not wait": "done"}
    assert virtual_clock.now() == 0


async def count(node: TaskNode) -> int:
    """Return a number, at once."""
    return 1


async def test_default_timeout_is_for_nodes_that_do_not_say() -> None:
    """A node's own timeout, a longer one too, comes first; None takes the default."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, default_task_timeout=5, on_failure="continue"))
        .add_child("default", task=sleeps(9))
        .add_child("longer", task=sleeps(9), timeout=10)
        .add_child("shorter", task=sleeps(4), timeout=3)
        .build()
    )
    await ended(tree)

    assert statuses(tree) == {"root": "failed", "default": "timed_out", "longer": "done", "shorter": "timed_out"}
    assert node_of(tree, "default").error == "'default' timed out after 5 s"


async def test_timeout_does_not_tick_while_a_node_waits_for_a_slot(virtual_clock: VirtualClock) -> None:
    """An attempt begins with its slot."""
    builder = TreeBuilder("root", config=TreeTaskConfig(max_retries=0, max_concurrency=1))
    for number in range(5):
        builder.add_child(f"{number}", task=sleeps(4), timeout=5)
    tree = builder.build()

    await AsyncExecutor(tree).run()

    assert (tree.root.status, virtual_clock.now()) == ("done", 20)


async def test_body_that_returns_at_its_deadline_is_done(virtual_clock: VirtualClock) -> None:
    """Deadline passed but a value returned: done; whichever of the two the loop sees first."""

    async def return_late(node: TaskNode) -> str:
        virtual_clock.advance(7)
        return "late"

    async def return_just_in_time(node: TaskNode) -> str:
        await anyio.sleep(4)
        virtual_clock.advance(7)
        return "late"

    tree = (
        TreeBuilder("root", parallel=False, config=ONCE)
        .add_child("never waits", task=return_late, timeout=5)
        .add_child("waits", task=return_just_in_time, timeout=5)
        .add_child("behind", task=sleeps(4), timeout=5)
        .build()
    )
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"root": "done", "never waits": "done", "waits": "done", "behind": "done"}
    assert node_of(tree, "waits").result == "late"


async def test_body_that_makes_the_best_of_its_timeout_is_done() -> None:
    """A body that catches the cancellation and returns what it has, has returned a value."""

    async def best_so_far(node: TaskNode) -> str:
        with contextlib.suppress(anyio.get_cancelled_exc_class()):
            await anyio.sleep_forever()
        return "half"

    tree = TreeBuilder("root", config=ONCE).add_child("half", task=best_so_far, timeout=5).build()
    await AsyncExecutor(tree).run()

    assert (node_of(tree, "half").status, node_of(tree, "half").result) == ("done", "half")


async def test_error_raised_because_of_a_timeout_is_the_bodys_own() -> None:
    """What a clean-up raises is more than that the time was up."""

    async def fail_to_clean_up(node: TaskNode) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            raise OSError("broken clean-up")

    tree = TreeBuilder("root", config=ONCE).add_child("a", task=fail_to_clean_up, timeout=5).build()
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["broken clean-up"]
    assert statuses(tree) == {"root": "failed", "a": "failed"}


async def test_timeout_of_a_group_bounds_body_and_children(virtual_clock: VirtualClock) -> None:
    """One clock for both; the children are down before the group ends."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_node("group", task=log.body(3), timeout=5)
        .add_child("quick", task=log.body(1))
        .add_child("slow", task=log.body(9))
        .add_child("waits", task=ok, depends_on=["slow"])
        .build()
    )

    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["'group' timed out after 5 s"]
    assert statuses(tree) == {
        "root": "failed",
        "group": "timed_out",
        "quick": "done",
        "slow": "cancelled",
        "waits": "cancelled",
    }
    assert log == ["group begins", "group ends", "quick begins", "slow begins", "quick ends", "slow is cancelled"]
    assert virtual_clock.now() == 5


async def test_timeout_of_a_group_without_a_body(virtual_clock: VirtualClock) -> None:
    """A bare group's time begins when it may start, and bounds its children."""
    tree = (
        TreeBuilder("root", parallel=False, config=ONCE)
        .add_child("before", task=sleeps(3))
        .add_node("group", timeout=5)
        .add_child("slow", task=sleeps(9))
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["'group' timed out after 5 s"]
    assert statuses(tree) == {"root": "failed", "before": "done", "group": "timed_out", "slow": "cancelled"}
    assert virtual_clock.now() == 8


async def test_default_timeout_bounds_no_group_without_a_body() -> None:
    """The default is for tasks: else every tree as a whole would have the time of one."""
    tree = (
        TreeBuilder("root", parallel=False, config=TreeTaskConfig(max_retries=0, default_task_timeout=5))
        .add_child("first", task=sleeps(4))
        .add_child("second", task=sleeps(4))
        .build()
    )
    await AsyncExecutor(tree).run()

    assert tree.root.status == "done"


async def test_timed_out_group_is_repeated() -> None:
    """A group with attempts left begins again, with all of its time, and without a trace of the first one."""

    async def slow_at_first(node: TaskNode) -> None:
        slow = node_of(tree, "group").retry_count == 0
        await anyio.sleep(9 if slow else 4)

    tree = (
        TreeBuilder("root", config=ONCE)
        .add_node("group", task=ok, timeout=5, max_retries=1)
        .add_child("child", task=slow_at_first)
        .build()
    )
    await AsyncExecutor(tree).run()

    group = node_of(tree, "group")
    assert statuses(tree) == {"root": "done", "group": "done", "child": "done"}
    assert (group.retry_count, group.error, group.exception, group.reason) == (1, None, None, None)


@pytest.mark.parametrize("waits", ["at a yield", "for a child", "for itself"])
async def test_timed_out_group_is_repeated_whatever_its_body_did(waits: str, virtual_clock: VirtualClock) -> None:
    """That its own time was up stops a body, but is no stop from outside."""
    registry = Registry("root")

    @registry.task(static=False)
    async def child(attempt: int) -> None:
        await anyio.sleep(4 if attempt else 9)

    @registry.group(id="at a yield", timeout=5, max_retries=1, static=False)
    async def wait_at_a_yield(node: TaskNode) -> Spawns[None]:
        yield child.child(node.retry_count)
        yield JOIN

    @registry.task(id="for a child", timeout=5, max_retries=1, static=False)
    async def wait_for_a_child(node: TaskNode) -> None:
        await node.spawn(child, node.retry_count)

    @registry.task(id="for itself", timeout=5, max_retries=1, static=False)
    async def wait_for_itself(node: TaskNode) -> None:
        _ = node.spawn(child, node.retry_count)
        await anyio.sleep(1 if node.retry_count else 9)

    tree = registry.handles[waits].build()
    await AsyncExecutor(tree).run()

    assert set(statuses(tree).values()) == {"done"}
    assert (tree.root.retry_count, virtual_clock.now()) == (1, 5 + 4)


async def test_repeated_group_whose_time_is_up_says_so_though_its_body_returned() -> None:
    """An attempt that succeeds clears the errors of those before it; one that is out of time does not."""

    async def half(node: TaskNode) -> str:
        if not node.retry_count:
            raise OSError("broken")
        with contextlib.suppress(anyio.get_cancelled_exc_class()):
            await anyio.sleep_forever()
        return "half"

    tree = (
        TreeBuilder("root", config=ONCE)
        .add_node("group", task=half, timeout=5, max_retries=1)
        .add_child("below", task=ok)
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["'group' timed out after 5 s"]
    assert node_of(tree, "group").error == "'group' timed out after 5 s"


async def test_time_that_is_up_after_a_failure_changes_nothing() -> None:
    """A group that has failed and waits for its children's clean-up keeps its error, however long that takes."""
    registry = Registry("root")

    @registry.task(static=False)
    async def cleans_up() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(9)

    @registry.group(timeout=5)
    async def group() -> Spawns[None]:
        yield cleans_up.child()
        await anyio.sleep(1)
        raise OSError("broken")

    tree = registry.build()
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["broken"]
    assert node_of(tree, "root/group").error == "broken"
    assert statuses(tree) == {"root": "failed", "root/group": "failed", "root/group/cleans_up": "cancelled"}


async def test_children_that_a_body_adds_count_in_its_time() -> None:
    """A body that becomes a group on its way is bounded like one that was born so."""

    async def add(node: TaskNode) -> None:
        await anyio.sleep(3)
        node.add_child(TaskNode("late", task_fn=sleeps(9)))

    tree = TreeBuilder("root", config=ONCE).add_child("adds", task=add, timeout=5).build()
    await ended(tree)

    assert statuses(tree) == {"root": "failed", "adds": "timed_out", "late": "cancelled"}


async def test_children_of_a_body_that_returns_too_late_do_not_begin() -> None:
    """The time of an attempt is that of body and children; when they could begin, it is up."""
    log = Log()

    async def add_and_return_late(node: TaskNode) -> None:
        node.add_child(TaskNode("late", task_fn=log.body()))
        with contextlib.suppress(anyio.get_cancelled_exc_class()):
            await anyio.sleep_forever()

    tree = TreeBuilder("root", config=ONCE).add_child("adds", task=add_and_return_late, timeout=5).build()
    await ended(tree)

    assert log == []
    assert statuses(tree) == {"root": "failed", "adds": "timed_out", "late": "cancelled"}
    assert node_of(tree, "adds").error == "'adds' timed out after 5 s"
    assert node_of(tree, "late").reason == "'adds' timed out"


async def test_timeout_of_an_attempt_ends_with_it(virtual_clock: VirtualClock) -> None:
    """A worker's next body is not stopped by the clock of the one before."""
    tree = (
        TreeBuilder("root", parallel=False, config=ONCE)
        .add_child("bounded", task=sleeps(1), timeout=5)
        .add_child("free", task=sleeps(99))
        .build()
    )
    await AsyncExecutor(tree).run()

    assert (tree.root.status, virtual_clock.now()) == ("done", 100)


async def test_global_timeout_stops_the_run(virtual_clock: VirtualClock) -> None:
    """One `TimeoutError` for the root, which timed out; the rest was cancelled."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(global_timeout=5))
        .add_child("quick", task=sleeps(1))
        .add_node("group")
        .add_child("slow", task=sleeps(9))
        .up()
        .add_child("waits", task=ok, depends_on=["slow"])
        .build()
    )

    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    (timeout,) = error.exceptions
    assert isinstance(timeout, TimeoutError)
    assert (type(timeout), str(timeout)) == (RunTimeoutError, "'root' timed out after 5 s")
    assert statuses(tree) == {
        "root": "timed_out",
        "quick": "done",
        "group": "cancelled",
        "slow": "cancelled",
        "waits": "cancelled",
    }
    assert reasons(tree)["slow"] == "the run timed out after 5 s"
    assert virtual_clock.now() == 5


@pytest.mark.parametrize("body", [None, ok, forever])
@pytest.mark.parametrize("children", [0, 2])
async def test_global_timeout_at_every_stage_of_the_root(body: AsyncBody | None, children: int) -> None:
    """Whether the root's own body runs, is over or never was, the root is what timed out."""
    below = [TaskNode(f"child {number}", task_fn=forever) for number in range(children)]
    tree = TaskTree(TaskNode("root", task_fn=body, children=below), TreeTaskConfig(global_timeout=5))

    error = await ended(tree)

    assert isinstance(error, TreeFailed) or (body is not forever and not children)
    assert tree.root.status == ("timed_out" if error else "done")
    assert {node.status for node in below} <= {"cancelled"}


async def test_global_timeout_that_is_not_reached_leaves_no_trace(virtual_clock: VirtualClock) -> None:
    """A run that ends in time ends at once, and does not wait for the timer."""
    tree = TreeBuilder("root", config=TreeTaskConfig(global_timeout=DAY)).add_child("a", task=sleeps(1)).build()
    await AsyncExecutor(tree).run()

    assert (tree.root.status, virtual_clock.now()) == ("done", 1)


async def test_clean_up_after_the_global_timeout_is_waited_for(virtual_clock: VirtualClock) -> None:
    """The run ends when all has ended, which may be later than its bound."""

    async def clean_up(node: TaskNode) -> None:
        try:
            await anyio.sleep(math.inf)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(2)

    tree = TreeBuilder("root", config=TreeTaskConfig(global_timeout=5)).add_child("a", task=clean_up).build()
    await ended(tree)

    assert (statuses(tree), virtual_clock.now()) == ({"root": "timed_out", "a": "cancelled"}, 7)


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_what_is_done_when_time_is_up_is_protected_from_ctrl_c() -> None:
    """On trio the engine's frames are: a decision of the scheduler that is broken off breaks the run."""
    protected: dict[str, bool] = {}

    class Observer:
        def on_event(self, event: Event, /) -> None:
            if isinstance(event, StatusChanged):
                protected[f"{event.node.id} {event.new}"] = trio.lowlevel.currently_ki_protected()

    retry = Retry(on=OSError, timeout=10, wait_initial=2, wait_jitter=0)
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, max_concurrency=1))
        .add_child("lacks a slot", task=fail, retry=retry)
        .add_child("long", task=sleeps(30))
        .build()
    )
    executor = AsyncExecutor(tree)
    executor.subscribe(Observer())
    await ended(executor)

    assert protected["lacks a slot timed_out"]
    assert set(protected.values()) == {True}
