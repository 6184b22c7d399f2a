"""Nodes that always run: what cannot wait for them, and for what they cannot wait."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.support import node_of, ok, sleeps, statuses, turns
from tests.sentences import exactly
from treetask import AsyncExecutor, DependencyCycleError, TaskNode, TreeBuilder, optional

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


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
    """A node added while running is checked the same way; the run goes on without it."""
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
