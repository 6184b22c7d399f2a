"""What a recorder keeps of a run, and how it answers."""

from __future__ import annotations

import contextlib

import anyio
import pytest

from treetask import TaskNode, TaskStatus, TaskTree, TreeBuilder, TreeFailed
from treetask.engine import AsyncExecutor
from treetask.model import NodeAdded, ProgressChanged, RunEnded, RunStarted
from treetask.testing import Recorder, VirtualClock

pytestmark = pytest.mark.anyio


async def sleep_a_second(node: TaskNode) -> None:
    """Take one second."""
    await anyio.sleep(1)


async def fail_once(node: TaskNode) -> None:
    """Fail at the first attempt, after two seconds."""
    await anyio.sleep(2)
    if not node.retry_count:
        raise OSError("not yet")


async def record(tree: TaskTree) -> Recorder:
    """Return what was told of a run of the tree."""
    recorder = Recorder()
    executor = AsyncExecutor(tree)
    executor.subscribe(recorder)
    with contextlib.suppress(TreeFailed):
        await executor.run()
    return recorder


async def test_starts_and_ends_are_in_the_order_of_time(virtual_clock: VirtualClock) -> None:
    """A node starts once for each attempt and ends once; groups end after their children."""
    tree = TreeBuilder("root").add_child("slow", task=fail_once).add_child("quick", task=sleep_a_second).build()

    recorder = await record(tree)

    assert recorder.starts == ["root", "slow", "quick", "slow"]
    assert recorder.ends == ["quick", "slow", "root"]


async def test_statuses_of_a_node_in_time(virtual_clock: VirtualClock) -> None:
    """Every status, from the one before the first change, and when each change was."""
    tree = TreeBuilder("root").add_child("slow", task=fail_once).build()

    recorder = await record(tree)

    assert recorder.statuses("slow") == ["pending", "working", "retrying", "working", "done"]
    assert recorder.times("slow") == [0, 2, 2, 4]
    assert recorder.statuses(tree.root) == ["pending", "working", "done"]


async def test_node_that_never_starts_ends(virtual_clock: VirtualClock) -> None:
    """What a policy or a dependency keeps from starting is among the ends alone."""

    async def fail(node: TaskNode) -> None:
        raise OSError("no")

    tree = TreeBuilder("root").add_child("a", task=fail, max_retries=0).add_child("b", depends_on=["a"]).build()

    recorder = await record(tree)

    assert recorder.starts == ["root", "a"]
    assert recorder.ends == ["a", "b", "root"]
    assert recorder.statuses("b") == [TaskStatus.PENDING, TaskStatus.SKIPPED]


async def test_events_of_one_kind(virtual_clock: VirtualClock) -> None:
    """Progress, new nodes, the beginning and the end are kept like the rest."""

    async def grow(node: TaskNode) -> None:
        node.progress = (1, 2)
        node.add_child(TaskNode("late", task_fn=sleep_a_second))

    tree = TreeBuilder("root").add_child("grow", task=grow).build()

    recorder = await record(tree)

    assert [event.progress for event in recorder.of(ProgressChanged)] == [(1, 2)]
    assert [event.node.id for event in recorder.of(NodeAdded)] == ["late"]
    assert recorder.events[0] == recorder.of(RunStarted)[0]
    assert recorder.events[-1] == recorder.of(RunEnded)[0]


async def test_node_that_nothing_was_told_of(virtual_clock: VirtualClock) -> None:
    """An id without events has no statuses and no times."""
    recorder = await record(TreeBuilder("root").build())

    assert (recorder.statuses("nobody"), recorder.times("nobody")) == ([], [])
