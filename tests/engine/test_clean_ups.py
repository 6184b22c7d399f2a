"""What always runs, in groups that are repeated, that have failed, or that are not even waited for."""

from __future__ import annotations

import pytest

from tests.engine.by_hand import ByHand
from tests.engine.support import Log, ended, fails_after, fails_times, node_of, ok, sleeps, statuses
from treetask import (
    AsyncExecutor,
    DependencyCycleError,
    FinishedParentError,
    Limit,
    Registry,
    Retry,
    Spawns,
    TaskNode,
    TreeBuilder,
    TreeTaskConfig,
    optional,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

ONCE = TreeTaskConfig(max_retries=0)


async def test_repeated_group_cleans_up_after_each_attempt_of_what_is_in_it() -> None:
    """A clean-up is not done once and for all; what it cleans up after is done again."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_node("repeated", max_retries=1)
        .add_node("session")
        .add_child("works", task=fails_times(99))
        .add_node("closes", always=True, task=log.body())
        .add_child("below", task=log.body())
        .build()
    )
    await ended(tree)

    assert log == ["closes begins", "closes ends", "below begins", "below ends"] * 2
    assert statuses(tree)["repeated"] == "failed"


async def test_what_goes_last_waits_for_what_always_runs_but_depends_on_something() -> None:
    """Also in a group that has failed, where all of it is let go ahead together."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("measures", task=sleeps(2))
        .add_node("group", task=fails_after(1))
        .add_child("last", task=log.body(1), always=True)
        .add_child("notice", task=log.body(1), always=True, depends_on=[optional("measures")])
        .up()
        .build()
    )
    await ended(tree)

    assert log == ["notice begins", "notice ends", "last begins", "last ends"]


async def test_child_for_a_group_that_cleans_up_is_refused() -> None:
    """What it is to work with may be closed already; another clean-up may come."""
    refusals: list[str] = []

    async def add(node: TaskNode) -> None:
        with pytest.raises(FinishedParentError) as caught:
            tree.root.add_child(TaskNode("late", task_fn=ok))
        refusals.append(str(caught.value))
        tree.root.add_child(TaskNode("another", task_fn=ok, always=True))

    tree = TreeBuilder("root").add_child("works", task=ok).add_child("closes", task=add, always=True).build()
    await AsyncExecutor(tree).run()

    assert "".join(refusals) == (
        "node 'late' cannot be added: its parent 'root' is already cleaning up; "
        "add it before the parent ends, or to a node that still runs"
    )
    assert statuses(tree) == {"root": "done", "works": "done", "closes": "done", "another": "done"}


async def test_what_goes_last_waits_for_the_others_when_it_comes_late() -> None:
    """Also when it is added while they run, and nothing else is left."""
    log = Log()

    async def add(node: TaskNode) -> None:
        node_of(tree, "group").add_child(TaskNode("last", task_fn=log.body(1), always=True))

    tree = (
        TreeBuilder("root", config=ONCE, on_failure="continue")
        .add_child("measures", task=sleeps(2))
        .add_node("group", task=fails_after(1))
        .add_child("notice", task=log.body(5), always=True, depends_on=[optional("measures")])
        .up()
        .add_child("adds", task=add, depends_on=["measures"])
        .build()
    )
    await ended(tree)

    assert log == ["notice begins", "notice ends", "last begins", "last ends"]


def test_nothing_begins_once_the_run_is_hurried() -> None:
    """What always runs is stopped as well: what runs, what only queues, and what comes then."""
    run = ByHand(
        TreeBuilder("root", config=ONCE)
        .add_child("works", task=ok)
        .add_child("closes", task=ok, always=True)
        .add_child("reports", task=ok, always=True)
        .build(),
        max_concurrency=1,
    )
    run.start()
    run.scheduler.cancel("asked", run.now)
    run.stop("works")
    assert statuses(run.tree)["closes"] == "working"

    run.scheduler.hurry(run.now)
    run.scheduler.add(TaskNode("late", task_fn=ok, always=True), run.tree.root, run.now)

    run.stop("closes")
    assert statuses(run.tree) == dict.fromkeys(["root", "works", "closes", "reports", "late"], "cancelled")


def test_node_that_cleans_up_instead_of_another_attempt_holds_no_limit() -> None:
    """It had got one of two when it was stopped."""
    free, taken = Limit("free", max_concurrency=1), Limit("taken", max_concurrency=1)
    run = ByHand(
        TreeBuilder("root", config=ONCE)
        .add_node("works", task=ok, retry=Retry(OSError, wait_initial=1, wait_jitter=0), limits=[free, taken])
        .add_child("closes", task=ok, always=True)
        .up()
        .add_child("has taken", task=ok, limits=[taken])
        .build()
    )
    assert run.start() == ["works"]
    assert run.fail("works") == ["has taken"]
    assert run.wait(1) == []
    run.scheduler.add(TaskNode("wants free", task_fn=ok, limits=[free]), run.tree.root, run.now)
    assert run.start() == []

    run.scheduler.cancel_subtree(run.node("works"), "asked", run.now)
    assert run.start() == ["closes", "wants free"]


async def test_child_that_would_wait_for_a_sibling_behind_a_spawned_clean_up_is_refused() -> None:
    """Spawned in a sequence, what always runs has its turn where it came, and what comes later waits for it."""
    registry = Registry("root")
    refusals: list[str] = []

    @registry.task(static=False, always=True)
    async def frees(node: TaskNode) -> None:
        assert node.parent is not None
        node.parent.add_child(TaskNode("later", task_fn=ok))
        with pytest.raises(DependencyCycleError) as caught:
            node.add_child(TaskNode("waits", task_fn=ok, depends_on=["later"]))
        refusals.append(str(caught.value))

    @registry.group(parallel=False)
    async def group() -> Spawns[None]:
        yield frees.child()

    await AsyncExecutor(registry.build()).run()

    assert "".join(refusals) == (
        "'waits' depends on itself: waits -> later -> root/group/frees -> waits; "
        "'later' starts after 'root/group/frees' because 'root/group' is sequential; "
        "'root/group/frees' ends after its child 'waits'; remove one of these dependencies"
    )
