"""What may happen in the time between two attempts."""

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
    node_of,
    ok,
    reasons,
    sleeps,
    statuses,
)
from treetask import (
    AsyncExecutor,
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
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

ONCE = TreeTaskConfig(max_retries=0)


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
    """What has begun is cancelled, or finishes with all its attempts."""
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
    """The root is what has timed out, also between two attempts."""
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
    """Waits count in the time of the group around."""
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
    """It starts after the body, and no earlier attempt takes it along."""
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
