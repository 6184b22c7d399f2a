"""Nodes that run whatever happened around them: clean-ups and notices (R33)."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.support import (
    Log,
    cancelled_after,
    ended,
    fail,
    fails_after,
    forever,
    node_of,
    ok,
    reasons,
    sleeps,
    statuses,
    turns,
)
from tests.sentences import exactly
from treetask import (
    JOIN,
    AsyncExecutor,
    DependencyCycleError,
    Registry,
    Spawns,
    TaskNode,
    TreeBuilder,
    TreeCancelled,
    TreeFailed,
    TreeTaskConfig,
    optional,
)
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

ONCE = TreeTaskConfig(max_retries=0)


# -- when it goes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parallel", [True, False])
async def test_without_dependencies_it_goes_last(parallel: bool) -> None:
    """Wherever it was declared; under a sequential parent several go in turn."""
    log = Log()
    tree = (
        TreeBuilder("root", parallel=parallel)
        .add_child("cleans up", task=log.body(1), always=True)
        .add_child("a", task=log.body(2))
        .add_child("tells", task=log.body(2), always=True)
        .add_child("b", task=log.body(3))
        .build()
    )
    await AsyncExecutor(tree).run()

    ends = [line for line in log if line.endswith("ends")]
    assert {line.split()[0] for line in log[:4]} == {"a", "b"}
    assert ends[2:] == ["cleans up ends", "tells ends"]
    assert (log[5] == "cleans up ends") is not parallel
    assert set(statuses(tree).values()) == {"done"}


async def test_with_dependencies_it_goes_when_these_have_ended() -> None:
    """However they ended; the rest may still run."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE, on_failure="continue")
        .add_child("cleans up", task=log.body(1), always=True, depends_on=[optional("a")])
        .add_child("a", task=fails_after(1))
        .add_child("b", task=log.body(9))
        .build()
    )
    await ended(tree)

    assert log == ["b begins", "cleans up begins", "cleans up ends", "b ends"]
    assert statuses(tree) == {"root": "failed", "cleans up": "done", "a": "failed", "b": "done"}


async def test_under_a_sequential_parent_it_goes_last_with_dependencies_too() -> None:
    """A sequence is one after another, and what always runs is its end."""
    log = Log()
    tree = (
        TreeBuilder("root", parallel=False)
        .add_child("cleans up", task=log.body(), always=True, depends_on=[optional("a")])
        .add_child("a", task=log.body())
        .add_child("b", task=log.body())
        .build()
    )
    await AsyncExecutor(tree).run()

    assert [line for line in log if line.endswith("begins")] == ["a begins", "b begins", "cleans up begins"]


@pytest.mark.parametrize("policy", ["cancel", "finish", "continue"])
async def test_sibling_that_fails_does_not_keep_it_back(policy: str) -> None:
    """No policy reaches it; the run fails with what the sibling raised, and with nothing else."""
    log = Log()
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, on_failure=policy))
        .add_child("cleans up", task=log.body(1), always=True)
        .add_child("frees", task=log.body(5), always=True, depends_on=[optional("begun")])
        .add_child("begun", task=ok)
        .add_child("broken", task=fails_after(1))
        .add_child("slow", task=log.body(3))
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["broken is broken"]
    slow = "cancelled" if policy == "cancel" else "done"
    assert statuses(tree) == {
        "root": "failed",
        "cleans up": "done",
        "frees": "done",
        "begun": "done",
        "broken": "failed",
        "slow": slow,
    }
    assert log[-2:] == ["cleans up begins", "cleans up ends"]
    assert tree.root.reason == "'broken' failed"


async def test_body_of_the_group_that_fails_does_not_keep_it_back() -> None:
    """The other children, which waited for that body, are skipped; what goes last waits for what has a dependency."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_node("group", task=fail)
        .add_child("cleans up", task=log.body(), always=True)
        .add_child("frees", task=log.body(), always=True, depends_on=[optional("work")])
        .add_child("work", task=log.body())
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["group is broken"]
    assert statuses(tree) == {
        "root": "failed",
        "group": "failed",
        "cleans up": "done",
        "frees": "done",
        "work": "skipped",
    }
    assert log == ["frees begins", "frees ends", "cleans up begins", "cleans up ends"]


@pytest.mark.parametrize("why", ["skipped", "cancelled"])
async def test_group_that_has_not_started_has_nothing_to_clean_up(why: str) -> None:
    """It never runs then, and ends like the rest of its group."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE, parallel=why == "skipped", on_failure="continue")
        .add_child("broken", task=fail if why == "skipped" else forever)
        .add_node("group", depends_on=["broken"])
        .add_child("work", task=log.body())
        .add_child("cleans up", task=log.body(), always=True)
        .build()
    )
    await cancelled_after(1, tree)

    assert log == []
    assert [node_of(tree, name).status for name in ("group", "work", "cleans up")] == [why] * 3


async def test_condition_has_the_last_word() -> None:
    """`when` is asked when all else has ended, and can tell by that whether there is anything to do."""
    asked: list[dict[str, str]] = []

    def is_needed(node: TaskNode) -> bool:
        asked.append(statuses(tree))
        return False

    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("cleans up", task=fail, always=True, when=is_needed)
        .add_child("work", task=sleeps(1))
        .build()
    )
    await AsyncExecutor(tree).run()

    assert asked == [{"root": "working", "cleans up": "pending", "work": "done"}]
    assert statuses(tree) == {"root": "done", "cleans up": "skipped", "work": "done"}


async def test_child_that_is_added_while_others_clean_up_joins_them() -> None:
    """What always runs is let go at once, when it is time for that already."""
    log = Log()

    async def add(node: TaskNode) -> None:
        tree.root.add_child(TaskNode("late", task_fn=log.body(), always=True))
        await anyio.sleep(1)
        log.append(f"{node.id} ends")

    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("cleans up", task=add, always=True)
        .add_child("broken", task=fail)
        .build()
    )
    await ended(tree)

    assert log == ["late begins", "late ends", "cleans up ends"]
    assert node_of(tree, "late").status == "done"


async def test_child_that_a_body_adds_waits_for_its_siblings() -> None:
    """Like one that was declared."""
    log = Log()

    async def add(node: TaskNode) -> None:
        node.add_child(TaskNode("cleans up", task_fn=log.body(), always=True))
        node.add_child(TaskNode("work", task_fn=log.body(1)))

    tree = TreeBuilder("root", config=ONCE).add_child("adds", task=add).build()
    await AsyncExecutor(tree).run()

    assert log == ["work begins", "work ends", "cleans up begins", "cleans up ends"]


# -- how it ends -------------------------------------------------------------------------------------------------------


async def test_its_failure_counts_for_its_group() -> None:
    """A run whose clean-up fails has failed; other clean-ups go on."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("work", task=ok)
        .add_child("broken", task=fail, always=True)
        .add_child("cleans up", task=log.body(1), always=True)
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["broken is broken"]
    assert statuses(tree) == {"root": "failed", "work": "done", "broken": "failed", "cleans up": "done"}
    assert reasons(tree) == {"root": "'broken' failed"}


async def test_its_failure_is_told_beside_the_one_before() -> None:
    """Both are leaves of what the run raises."""
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("work", task=fails_after(1))
        .add_child("cleans up", task=fail, always=True)
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == ["work is broken", "cleans up is broken"]


async def test_allowed_failure_of_a_clean_up_is_none_of_the_group() -> None:
    """The two options work together: try, but never mind."""
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("work", task=ok)
        .add_child("cleans up", task=fail, always=True, allow_failure=True)
        .build()
    )
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"root": "done", "work": "done", "cleans up": "failed"}


async def test_group_that_cleans_up_keeps_its_failure_when_it_is_cancelled() -> None:
    """How it ended was clear before; a group that had done all its work was cancelled."""
    tree = (
        TreeBuilder("root", config=ONCE, on_failure="continue")
        .add_node("failed")
        .add_child("broken", task=fail)
        .add_child("cleans up after it", task=sleeps(3), always=True)
        .up()
        .add_node("well")
        .add_child("work", task=ok)
        .add_child("cleans up", task=sleeps(3), always=True)
        .build()
    )
    error = await cancelled_after(1, tree)

    assert isinstance(error, TreeCancelled)
    assert statuses(tree) == {
        "root": "cancelled",
        "failed": "failed",
        "broken": "failed",
        "cleans up after it": "done",
        "well": "cancelled",
        "work": "done",
        "cleans up": "done",
    }


# -- spawned -----------------------------------------------------------------------------------------------------------


async def test_spawned_it_just_starts_and_no_stop_reaches_it(virtual_clock: VirtualClock) -> None:
    """Neither that of a sibling's policy nor a cancel; the body hears of its end when all children are down."""
    log = Log()
    registry = Registry("root")

    @registry.task(static=False, always=True)
    async def frees(node: TaskNode, seconds: float) -> None:
        await log.body(seconds)(node)

    @registry.task(static=False)
    async def breaks() -> None:
        await anyio.sleep(1)
        raise OSError("broken")

    @registry.group
    async def group(node: TaskNode) -> Spawns[None]:
        yield [frees.child(3), breaks.child()]
        try:
            yield JOIN
        finally:
            log.append("the body hears of it")

    tree = registry.build()
    await ended(tree)

    assert log == ["root/group/frees[3] begins", "root/group/frees[3] ends", "the body hears of it"]
    assert virtual_clock.now() == 3
    assert statuses(tree)["root/group/frees[3]"] == "done"


async def test_spawned_it_runs_on_when_the_body_is_cancelled(virtual_clock: VirtualClock) -> None:
    """R24: children first, and this one takes as long as the grace; then the body cleans up."""
    log = Log()
    registry = Registry("root", on_failure="continue")

    @registry.task(static=False, always=True)
    async def frees(node: TaskNode, seconds: float) -> None:
        await log.body(seconds)(node)

    @registry.group
    async def group(node: TaskNode) -> Spawns[None]:
        yield [frees.child(12), frees.child(99)]
        try:
            yield JOIN
        finally:
            log.append(f"the body cleans up at {anyio.current_time():g}")

    tree = registry.build(TreeTaskConfig(grace=5))
    await cancelled_after(10, tree)

    assert log[2:] == [
        "root/group/frees[12] ends",
        "root/group/frees[99] is cancelled",
        "the body cleans up at 15",
    ]


async def test_deadline_of_a_body_around_a_join_does_not_stop_it() -> None:
    """The others are stopped, as the body wants; the clean-up goes on, and the group waits for it at the end."""
    log = Log()
    registry = Registry("root")

    @registry.task(static=False, always=True)
    async def frees(node: TaskNode) -> None:
        await log.body(9)(node)

    @registry.task(static=False)
    async def work(node: TaskNode) -> None:
        await log.body(99)(node)

    @registry.group
    async def group(node: TaskNode) -> Spawns[None]:
        yield [frees.child(), work.child()]
        with anyio.move_on_after(1):
            yield JOIN
        log.append("the body goes on")

    tree = registry.build()
    await AsyncExecutor(tree).run()

    assert log[2:] == ["root/group/work is cancelled", "the body goes on", "root/group/frees ends"]
    assert statuses(tree) == {
        "root": "done",
        "root/group": "done",
        "root/group/frees": "done",
        "root/group/work": "cancelled",
    }


async def test_spawned_in_a_sequence_it_goes_in_its_turn() -> None:
    """It is run where it was yielded, not at the end."""
    log = Log()
    registry = Registry("root")

    @registry.task(static=False, always=True)
    async def frees(node: TaskNode) -> None:
        await log.body(1)(node)

    @registry.task(static=False)
    async def work(node: TaskNode) -> None:
        await log.body(1)(node)

    @registry.group(parallel=False)
    async def group(node: TaskNode) -> Spawns[None]:
        yield frees.child()
        yield work.child()

    await AsyncExecutor(registry.build()).run()

    assert log == [f"root/group/{name} {what}" for name in ("frees", "work") for what in ("begins", "ends")]


async def test_body_that_is_being_stopped_may_spawn_it() -> None:
    """A clean-up is what one wants to start then; others are refused their start."""
    log = Log()
    registry = Registry("root")

    @registry.task(static=False, always=True)
    async def frees(node: TaskNode) -> None:
        await log.body(1)(node)

    @registry.task
    async def work(node: TaskNode) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            _ = node.spawn(frees)

    tree = registry.build()
    await cancelled_after(1, tree)

    assert log == ["root/work/frees begins", "root/work/frees ends"]
    assert statuses(tree) == {"root": "cancelled", "root/work": "cancelled", "root/work/frees": "done"}


# -- refused -----------------------------------------------------------------------------------------------------------


def test_dependency_that_has_to_end_well_is_refused() -> None:
    """It would be skipped when that fails, which is just when it is wanted."""
    problem = (
        "node 'cleans up': always=True runs whatever happened before, so depends_on cannot need 'work'; "
        "write optional('work')"
    )
    with pytest.raises(ValueError, match=exactly(problem)):
        TreeBuilder("root").add_child("cleans up", task=ok, always=True, depends_on=["work", optional("other")])


def test_sibling_that_waits_for_what_goes_last_is_refused() -> None:
    """Each would wait for the other's end."""
    problem = (
        "'work' depends on itself: work -> cleans up -> work; "
        "'cleans up' goes after all its siblings because it says always=True; remove one of these dependencies"
    )
    builder = (
        TreeBuilder("root")
        .add_child("work", task=ok, depends_on=["cleans up"])
        .add_child("cleans up", task=ok, always=True)
    )
    with pytest.raises(DependencyCycleError, match=exactly(problem)):
        builder.build()


def test_cycle_through_another_group_and_what_goes_last_is_refused() -> None:
    """The chain is told from the declared dependency on, with all that is implied in it."""
    builder = (
        TreeBuilder("root")
        .add_node("group", parallel=False)
        .add_child("cleans up", task=ok, always=True)
        .add_child("first", task=ok)
        .add_child("second", task=ok, depends_on=["notice"])
        .up()
        .add_child("notice", task=ok, depends_on=["cleans up"])
    )
    problem = (
        "'second' depends on itself: second -> notice -> cleans up -> second; "
        "'cleans up' goes after all its siblings because it says always=True; remove one of these dependencies"
    )
    with pytest.raises(DependencyCycleError, match=exactly(problem)):
        builder.build()


def test_clean_up_that_waits_for_its_own_group_is_refused() -> None:
    """An optional dependency is waited for like any other."""
    builder = (
        TreeBuilder("root")
        .add_node("group")
        .add_child("cleans up", task=ok, always=True, depends_on=[optional("group")])
    )
    problem = (
        "'cleans up' depends on itself: cleans up -> group -> cleans up; "
        "'group' ends after its child 'cleans up'; remove one of these dependencies"
    )
    with pytest.raises(DependencyCycleError, match=exactly(problem)):
        builder.build()


def test_clean_up_with_dependencies_may_be_waited_for_by_siblings() -> None:
    """It does not go last, so nothing is closed by that; but one that waits for the last is."""
    assert (
        TreeBuilder("root")
        .add_child("work", task=ok)
        .add_child("frees", task=ok, always=True, depends_on=[optional("work")])
        .add_child("more", task=ok, depends_on=["frees"])
        .build()
    )
    builder = (
        TreeBuilder("root")
        .add_child("frees", task=ok, always=True, depends_on=[optional("last")])
        .add_child("last", task=ok, always=True)
    )
    problem = (
        "'frees' depends on itself: frees -> last -> frees; "
        "'last' goes after all its siblings because it says always=True; remove one of these dependencies"
    )
    with pytest.raises(DependencyCycleError, match=exactly(problem)):
        builder.build()


async def test_late_child_that_waits_for_what_goes_last_is_refused() -> None:
    """R15: a node added while running is checked the same way; the run goes on without it."""
    refused: list[str] = []

    async def add(node: TaskNode) -> None:
        late = TaskNode("late", task_fn=ok, depends_on=["cleans up"])
        with pytest.raises(DependencyCycleError) as caught:
            tree.root.add_child(late)
        refused.append(str(caught.value))

    tree = TreeBuilder("root").add_child("adds", task=add).add_child("cleans up", task=ok, always=True).build()
    await AsyncExecutor(tree).run()

    problem = (
        "'late' depends on itself: late -> cleans up -> late; "
        "'cleans up' goes after all its siblings because it says always=True; remove one of these dependencies"
    )
    assert refused == [problem]
    assert statuses(tree) == {"root": "done", "adds": "done", "cleans up": "done"}


async def test_late_clean_up_on_which_a_sibling_would_wait_is_refused() -> None:
    """The cycle is closed by the node that goes last, not by the one with the dependency."""
    refused: list[str] = []

    async def add(node: TaskNode) -> None:
        branch = TaskNode("branch", task_fn=ok)
        branch.add_child(TaskNode("cleans up", task_fn=ok, always=True))
        branch.add_child(TaskNode("waits", task_fn=ok, depends_on=["cleans up"]))
        with pytest.raises(DependencyCycleError) as caught:
            node.add_child(branch)
        refused.append(str(caught.value))

    tree = TreeBuilder("root").add_child("adds", task=add).build()
    await AsyncExecutor(tree).run()

    problem = (
        "'waits' depends on itself: waits -> cleans up -> waits; "
        "'cleans up' goes after all its siblings because it says always=True; remove one of these dependencies"
    )
    assert refused == [problem]
    assert statuses(tree) == {"root": "done", "adds": "done"}


async def test_what_a_waiting_clean_up_waits_for_is_told() -> None:
    """Who asks why it has not begun hears of its siblings."""
    tree = TreeBuilder("root").add_child("work", task=sleeps(2)).add_child("cleans up", task=ok, always=True).build()
    executor = AsyncExecutor(tree)
    told: list[str | None] = []

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await turns()
        assert executor._run is not None
        told.append(executor._run.scheduler.waits_for(node_of(tree, "cleans up"), 0))

    assert told == ["its siblings in 'root'"]
