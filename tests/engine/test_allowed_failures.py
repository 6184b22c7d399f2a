"""Failures that are nobody's affair: `allow_failure`."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.support import (
    Log,
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
    JOIN,
    AsyncExecutor,
    OnFailure,
    Registry,
    Retry,
    Spawns,
    SyncSpawns,
    TaskFailed,
    TaskNode,
    TaskTree,
    TreeBuilder,
    TreeCancelled,
    TreeFailed,
    TreeTaskConfig,
    optional,
)
from treetask.display import failure_summary

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

ONCE = TreeTaskConfig(max_retries=0)


@pytest.mark.parametrize("policy", list(OnFailure))
async def test_allowed_failure_triggers_no_policy(policy: OnFailure) -> None:
    """Whatever the group does on failures, the siblings go on, and it is done; the failure is there to be seen."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE, on_failure=policy.value, max_parallel=2)
        .add_child("broken", task=fails_after(1), allow_failure=True)
        .add_child("runs", task=log.body(5))
        .add_child("starts later", task=log.body(5))
        .build()
    )
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"root": "done", "broken": "failed", "runs": "done", "starts later": "done"}
    assert reasons(tree) == {}
    assert list(tree.failed) == [node_of(tree, "broken")]
    assert node_of(tree, "broken").error == "broken is broken"


async def test_attempt_that_is_out_of_time_is_an_allowed_failure_too() -> None:
    """Of a leaf and of a group."""
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("leaf", task=forever, timeout=1, allow_failure=True)
        .add_node("group", timeout=1, allow_failure=True)
        .add_child("below", task=forever)
        .up()
        .add_child("other", task=sleeps(5))
        .build()
    )
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {
        "root": "done",
        "leaf": "timed_out",
        "group": "timed_out",
        "below": "cancelled",
        "other": "done",
    }


async def test_cancelled_node_is_no_failure_to_be_allowed() -> None:
    """The group of one that was cancelled is cancelled, whatever that says about its failures."""
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("cancelled", task=forever, allow_failure=True)
        .add_child("other", task=sleeps(5))
        .build()
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, tree)
        await anyio.sleep(1)
        node_of(tree, "cancelled").cancel()

    assert statuses(tree) == {"root": "cancelled", "cancelled": "cancelled", "other": "done"}


async def test_hard_dependents_are_skipped_and_others_run() -> None:
    """What needs it cannot have it; the run is done all the same, and says what was left out."""
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("broken", task=fail, allow_failure=True)
        .add_child("needs it", task=ok, depends_on=["broken"])
        .add_child("needs that", task=ok, depends_on=["needs it"])
        .add_child("would like it", task=ok, depends_on=[optional("broken")])
        .build()
    )
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {
        "root": "done",
        "broken": "failed",
        "needs it": "skipped",
        "needs that": "skipped",
        "would like it": "done",
    }
    assert reasons(tree) == {"needs it": "'broken' failed", "needs that": "'needs it' was skipped"}


async def test_sequence_goes_on_behind_it() -> None:
    """The next in line is none that needs it."""
    log = Log()
    tree = (
        TreeBuilder("root", parallel=False, config=ONCE)
        .add_child("broken", task=fail, allow_failure=True)
        .add_child("next", task=log.body())
        .build()
    )
    await AsyncExecutor(tree).run()

    assert log == ["next begins", "next ends"]


async def test_failure_below_an_allowed_group_stops_that_group_alone() -> None:
    """Its own policy holds inside of it; outside nobody hears of it."""
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_node("group", allow_failure=True)
        .add_child("broken", task=fails_after(1))
        .add_child("sibling", task=forever)
        .up()
        .add_child("other", task=sleeps(5))
        .build()
    )
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {
        "root": "done",
        "group": "failed",
        "broken": "failed",
        "sibling": "cancelled",
        "other": "done",
    }


async def test_allowed_failures_are_no_leaves_of_what_the_run_raises() -> None:
    """What nobody had allowed is; the result tells of all."""
    tree = (
        TreeBuilder("root", config=ONCE, on_failure="continue")
        .add_child("allowed", task=fail, allow_failure=True)
        .add_node("allowed group", allow_failure=True)
        .add_child("below", task=fail)
        .up()
        .add_node("group")
        .add_child("allowed below", task=fail, allow_failure=True)
        .add_child("broken", task=fail)
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["broken is broken"]
    assert str(error) == "'root' failed, 1 error (1 sub-exception)"
    assert {node.id for node in error.result.failed_nodes} == {
        "root",
        "allowed",
        "allowed group",
        "below",
        "group",
        "allowed below",
        "broken",
    }


async def test_failure_of_the_root_is_allowed_by_nobody() -> None:
    """There is no parent whose affair it could be, only the caller of the run, who is told."""
    leaf = TaskTree(TaskNode("root", task_fn=fail, allow_failure=True), ONCE)
    error = await ended(leaf)
    assert isinstance(error, TreeFailed)
    assert [str(one) for one in error.exceptions] == ["root is broken"]

    group = TreeBuilder("root", config=ONCE, allow_failure=True).add_child("broken", task=fail).build()
    error = await ended(group)
    assert isinstance(error, TreeFailed)
    assert [str(one) for one in error.exceptions] == ["broken is broken"]
    assert group.root.status == "failed"


async def test_root_with_it_that_is_cancelled_or_out_of_time_is_told_as_any() -> None:
    """The option is about failures below a parent, and about nothing else."""
    tree = TreeBuilder("root", config=TreeTaskConfig(global_timeout=1), allow_failure=True)
    error = await ended(tree.add_child("slow", task=forever).build())
    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["'root' timed out after 1 s"]

    executor = AsyncExecutor(TreeBuilder("root", allow_failure=True).add_child("a", task=ok).build())
    executor.cancel()
    assert isinstance(await ended(executor), TreeCancelled)


async def test_keyboard_interrupt_is_no_failure_to_be_allowed() -> None:
    """It ends the run."""

    async def interrupt(node: TaskNode) -> None:
        raise KeyboardInterrupt

    tree = TreeBuilder("root").add_child("a", task=interrupt, allow_failure=True).build()
    with pytest.raises(KeyboardInterrupt):
        await AsyncExecutor(tree).run()


async def test_it_is_repeated_before_it_is_allowed_to_fail() -> None:
    """Attempts come first; only the last failure counts, and that is allowed."""
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("flaky", task=fails_times(1), allow_failure=True, retry=Retry(on=OSError, attempts=2))
        .add_child("broken", task=fails_times(9), allow_failure=True, max_retries=2)
        .build()
    )
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"root": "done", "flaky": "done", "broken": "failed"}
    assert node_of(tree, "broken").error == "attempt 3"


async def test_repeated_group_runs_its_allowed_failures_again() -> None:
    """What is not done is run again, whatever it was allowed."""
    attempts: list[str] = []

    async def note_and_fail(node: TaskNode) -> None:
        attempts.append(node.id)
        assert node.parent is not None
        if node.id == "allowed" or not node.parent.retry_count:
            await anyio.sleep(0 if node.id == "allowed" else 1)
            raise OSError("broken")

    tree = (
        TreeBuilder("root", config=ONCE)
        .add_node("group", max_retries=1)
        .add_child("allowed", task=note_and_fail, allow_failure=True)
        .add_child("flaky", task=note_and_fail)
        .build()
    )
    await AsyncExecutor(tree).run()

    assert sorted(attempts) == ["allowed", "allowed", "flaky", "flaky"]
    assert statuses(tree) == {"root": "done", "group": "done", "allowed": "failed", "flaky": "done"}


async def test_allowed_failure_from_before_the_run_counts_for_nothing() -> None:
    """A tree may come with nodes that have ended."""
    tree = TreeBuilder("root", config=ONCE).add_child("work", task=ok).build()
    tree.root.add_child(TaskNode("earlier", status="failed", allow_failure=True))
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"root": "done", "work": "done", "earlier": "failed"}


async def test_late_child_may_be_allowed_to_fail() -> None:
    """Added while its siblings run, or with its end already in it."""

    async def add(node: TaskNode) -> None:
        node.add_child(TaskNode("late", task_fn=fail, allow_failure=True))
        tree.root.add_child(TaskNode("late sibling", task_fn=fail, allow_failure=True))
        tree.root.add_child(TaskNode("ended", status="timed_out", allow_failure=True))
        await anyio.sleep(1)

    tree = TreeBuilder("root", config=ONCE).add_child("adds", task=add).add_child("other", task=sleeps(5)).build()
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {
        "root": "done",
        "adds": "done",
        "late": "failed",
        "other": "done",
        "late sibling": "failed",
        "ended": "timed_out",
    }


# -- in spawners -------------------------------------------------------------------------------------------------------


def a_registry() -> Registry:
    """Return a registry with a task that is allowed to fail, and one that ends well."""
    registry = Registry("spawning")

    @registry.task(static=False, allow_failure=True)
    async def allowed(seconds: float = 1) -> str:
        await anyio.sleep(seconds)
        raise OSError("broken")

    @registry.task(static=False)
    async def well(seconds: float = 2) -> str:
        await anyio.sleep(seconds)
        return "well"

    return registry


@pytest.mark.parametrize("policy", list(OnFailure))
async def test_sequential_spawner_hears_nothing_at_its_yield(policy: OnFailure) -> None:
    """No `TaskFailed`; the child says how it ended."""
    registry = a_registry()
    allowed, well = registry.handles["allowed"], registry.handles["well"]
    seen: list[object] = []

    @registry.group(id="body", parallel=False, static=False, on_failure=policy.value)
    async def body() -> Spawns[None]:
        child = yield allowed.child()
        seen.append(child.node.status)
        other = yield well.child()
        seen.append(other.result)
        seen.append((yield JOIN))

    tree = body.build()
    await AsyncExecutor(tree).run()

    assert seen == ["failed", "well", ["well"]]
    assert tree.root.status == "done"


async def test_plain_spawner_in_a_sequence_hears_nothing_either() -> None:
    """The same in a worker thread."""
    registry = a_registry()
    allowed = registry.handles["allowed"]
    seen: list[object] = []

    @registry.group(id="body", parallel=False, static=False)
    def body() -> SyncSpawns[str]:
        child = yield allowed.child()
        seen.append(child.node.status)
        return "went on"

    tree = body.build()
    await AsyncExecutor(tree).run()

    assert (seen, tree.root.result) == (["failed"], "went on")


@pytest.mark.parametrize("policy", list(OnFailure))
async def test_parallel_spawner_hears_nothing_at_a_join(policy: OnFailure) -> None:
    """The results are those of the others, which went on."""
    registry = a_registry()
    allowed, well = registry.handles["allowed"], registry.handles["well"]
    seen: list[object] = []

    @registry.group(id="body", static=False, on_failure=policy.value)
    async def body() -> Spawns[None]:
        yield [allowed.child(), well.child()]
        seen.append((yield JOIN))
        yield well.child(3)

    tree = body.build()
    await AsyncExecutor(tree).run()

    assert seen == [["well"]]
    assert tree.root.status == "done"


async def test_body_that_awaits_it_is_told() -> None:
    """Who asks for the result gets none: that it failed is allowed, not that it is missing."""
    registry = a_registry()
    allowed = registry.handles["allowed"]

    @registry.task(id="body", static=False)
    async def body(node: TaskNode) -> str:
        try:
            return await node.spawn(allowed)
        except TaskFailed as failure:
            return f"{failure}"

    tree = body.build()
    await AsyncExecutor(tree).run()

    assert tree.root.result == "child 'spawning/body/allowed' failed: broken"


@pytest.mark.parametrize("is_allowed", [False, True])
async def test_body_that_lets_it_pass_makes_it_a_failure_of_the_run(is_allowed: bool) -> None:
    """What the child raised is the leaf then, with its note, also from below a group that was allowed to fail."""
    registry = a_registry()
    allowed = registry.handles["allowed"]

    @registry.task(static=False, allow_failure=True)
    async def group(node: TaskNode) -> None:
        await node.spawn(allowed)

    @registry.task(allow_failure=is_allowed)
    async def lets_it_pass(node: TaskNode) -> None:
        await node.spawn(group)

    @registry.task
    async def other(node: TaskNode) -> None:
        _ = node.spawn(allowed)

    tree = registry.build()
    error = await ended(tree)

    if is_allowed:
        assert error is None
        return
    assert isinstance(error, TreeFailed)
    assert [(repr(leaf), getattr(leaf, "__notes__", [])) for leaf in error.exceptions] == [
        ("OSError('broken')", ["in task 'spawning/lets_it_pass/group/allowed'"])
    ]
    assert "OSError: broken" in "\n".join(failure_summary(tree))


async def test_cancelled_child_is_told_though_its_failure_would_be_allowed() -> None:
    """At the yield of a sequence; the body may go on."""
    registry = a_registry()
    allowed = registry.handles["allowed"]
    told: list[str] = []

    @registry.group(id="body", parallel=False, static=False)
    async def body() -> Spawns[None]:
        try:
            yield allowed.child(99)
        except TaskFailed as failure:
            told.append(str(failure))

    tree = body.build()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, tree)
        await anyio.sleep(1)
        node_of(tree, "spawning/body/allowed[99]").cancel()

    assert told == ["child 'spawning/body/allowed[99]' was cancelled"]
    assert tree.root.status == "done"
