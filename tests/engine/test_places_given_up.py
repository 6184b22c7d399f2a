"""Places in groups with `max_parallel`: who waits gives its place up, and takes it back."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.engine.desk import Desk
from tests.engine.places import awaits, branch, goes_on, group_of, leaf
from tests.engine.support import Log, ended, ok, statuses
from treetask import AsyncExecutor, Child, Registry, TaskNode, TaskStatus, TaskTree, TreeTaskConfig
from treetask.testing import VirtualClock

# -- bodies that wait ------------------------------------------------------------------------------------------------


def test_body_that_waits_for_its_children_keeps_its_place() -> None:
    """They are below it, and count with it."""
    desk = Desk(group_of(branch("a", task_fn=ok), leaf("b")))
    assert desk.begin_all() == ["a"]
    desk.add(leaf("a.child"), "a", at_once=True)

    end = awaits(desk, "a", "a.child")
    assert desk.begin_all() == ["a.child"]
    assert desk.begin_all() == []
    desk.end("a.child")
    assert goes_on(desk, "a", end)
    desk.end("a")
    assert desk.begin_all() == ["b"]


@pytest.mark.parametrize("aside", [False, True])
def test_body_that_waits_for_a_sibling_gives_its_place_up_and_takes_it_back(aside: bool) -> None:
    """The sibling may need that very place; never do more have one than there are."""
    desk = Desk(group_of(leaf("a"), leaf("b"), leaf("c")))
    assert desk.begin_all() == ["a"]

    end = awaits(desk, "a", "b", aside=aside)
    assert desk.begin_all() == ["b"]
    desk.end("b")
    assert goes_on(desk, "a", end)
    assert desk.begin_all() == []
    desk.end("a")
    assert desk.begin_all() == ["c"]


def test_body_that_goes_on_waits_for_a_place() -> None:
    """Where somebody else has taken it meanwhile; it goes before those that begin."""
    desk = Desk(TaskTree(branch("root", branch("group", leaf("a"), leaf("c"), leaf("d"), max_parallel=1), leaf("b"))))
    assert desk.begin_all() == ["a", "b"]

    end = awaits(desk, "a", "b")
    assert desk.begin_all() == ["c"]
    desk.end("b")
    assert not goes_on(desk, "a", end)
    assert desk.begin_all() == []
    desk.end("c")
    assert (desk.granted, desk.begin_all()) == (["a"], [])
    desk.end("a")
    assert desk.begin_all() == ["d"]


def test_place_is_kept_while_nobody_wants_it() -> None:
    """Who goes on has it still."""
    desk = Desk(TaskTree(branch("root", branch("group", leaf("a"), max_parallel=1), leaf("b"))))
    assert desk.begin_all() == ["a", "b"]
    end = awaits(desk, "a", "b")
    assert desk.begin_all() == []
    desk.end("b")
    assert goes_on(desk, "a", end)

    desk.add(leaf("late"), "group")
    assert desk.begin_all() == []


def test_place_of_a_group_goes_with_the_body_in_it_that_waits() -> None:
    """What is awaited may need the place of one above."""
    desk = Desk(group_of(branch("a", leaf("body")), leaf("b")))
    assert desk.begin_all() == ["body"]

    end = awaits(desk, "body", "b")
    assert desk.begin_all() == ["b"]
    desk.end("b")
    assert goes_on(desk, "body", end)


def test_group_in_which_something_else_runs_keeps_its_place() -> None:
    """Until that is over: the group runs."""
    desk = Desk(group_of(branch("a", leaf("body"), leaf("runs")), leaf("b")))
    assert desk.begin_all() == ["body", "runs"]

    awaits(desk, "body", "b")
    assert desk.begin_all() == []
    desk.end("runs")
    assert desk.begin_all() == ["b"]


def test_body_that_waits_for_something_in_its_group_keeps_the_place_of_the_group() -> None:
    """Not that of its own, if there is a number of them there."""
    desk = Desk(group_of(branch("a", leaf("body"), leaf("awaited"), max_parallel=1), leaf("b")))
    assert desk.begin_all() == ["body"]

    end = awaits(desk, "body", "awaited")
    assert desk.begin_all() == ["awaited"]
    desk.end("awaited")
    assert goes_on(desk, "body", end)


def test_places_at_all_levels_are_given_up_and_taken_back() -> None:
    """At any depth."""
    deep = branch("l1", branch("l2", branch("l3", leaf("body"), max_parallel=1), max_parallel=1), max_parallel=1)
    other = branch("o1", branch("o2", leaf("awaited"), max_parallel=1), max_parallel=1)
    desk = Desk(group_of(deep, other))
    assert desk.begin_all() == ["body"]

    end = awaits(desk, "body", "awaited")
    assert desk.begin_all() == ["awaited"]
    desk.add(leaf("wants in"), "l3")
    assert desk.begin_all() == []
    desk.end("awaited")
    assert goes_on(desk, "body", end)
    assert desk.begin_all() == []
    desk.end("body")
    assert desk.begin_all() == ["wants in"]


def test_new_node_below_one_that_has_given_its_place_up_needs_it() -> None:
    """It is not counted as if it had it; once it has, all below that child have."""
    desk = Desk(group_of(branch("a", leaf("body")), leaf("b"), leaf("c", priority=3)))
    assert desk.begin_all() == ["body"]
    end = awaits(desk, "body", "b")
    assert desk.begin_all() == ["b"]

    for number in range(2):
        desk.add(leaf(f"a{number}"), "a")
    assert desk.begin_all() == []
    desk.end("b")
    assert desk.begin_all() == ["a0", "a1"]
    assert goes_on(desk, "body", end)
    for node_id in ("a0", "a1", "body"):
        assert desk.begin_all() == []
        desk.end(node_id)
    assert desk.begin_all() == ["c"]


def test_bodies_that_go_on_below_one_child_need_one_place() -> None:
    """Who wants to go on while the place is taken waits no more when another one has it."""
    desk = Desk(group_of(branch("a", leaf("a0"), leaf("a1"), leaf("a2")), leaf("b"), leaf("c")))
    assert desk.begin_all() == ["a0", "a1", "a2"]
    ends = [awaits(desk, f"a{number}", "b") for number in range(3)]
    assert desk.begin_all() == ["b"]
    awaits(desk, "b", "c")
    assert desk.begin_all() == ["c"]

    assert not any(goes_on(desk, f"a{number}", end) for number, end in enumerate(ends))
    desk.end("c")
    assert desk.granted == ["a0", "a1", "a2"]


def test_many_bodies_that_wait_for_the_last_sibling() -> None:
    """Each gives its place to the next, and they take it back one after another."""
    desk = Desk(group_of(*(leaf(f"{number}") for number in range(50))))
    ends: dict[str, Any] = {}
    for number in range(49):
        assert desk.begin_all() == [f"{number}"]
        ends[f"{number}"] = awaits(desk, f"{number}", "49")
    assert desk.begin_all() == ["49"]
    desk.end("49")

    assert goes_on(desk, "0", ends["0"])
    assert not any(goes_on(desk, f"{number}", ends[f"{number}"]) for number in range(1, 49))
    for number in range(49):
        assert desk.granted == [f"{done}" for done in range(number + 1)]
        desk.end(f"{number}")
    assert desk.scheduler.is_over


def test_body_stopped_while_it_waits_without_its_place() -> None:
    """The books are right afterwards."""
    desk = Desk(group_of(leaf("a"), leaf("b"), leaf("c"), on_failure="continue"))
    assert desk.begin_all() == ["a"]
    end = awaits(desk, "a", "b")
    assert desk.begin_all() == ["b"]

    desk.scheduler.cancel_subtree(desk.node("a"), None, 1.0)
    end()
    desk.slots.seize(desk.slots.kind(desk.node("a")))
    desk.running["a"] = desk.node("a")
    desk.end("a", 1.0, TaskStatus.CANCELLED)
    assert desk.begin_all(1.0) == []
    desk.end("b", 1.0)
    assert desk.begin_all(1.0) == ["c"]


def test_body_goes_on_in_a_place_while_the_run_is_paused() -> None:
    """Pause holds back starts; a body that has begun takes its place back."""
    desk = Desk(group_of(leaf("a"), leaf("b"), max_parallel=1))
    assert desk.begin_all() == ["a"]
    end_a = awaits(desk, "a", "b")
    assert desk.begin_all() == ["b"]
    desk.slots.is_paused = True

    # Now it waits for something that is nobody's.
    desk.add(leaf("elsewhere"), "root")
    awaits(desk, "b", "elsewhere")
    assert not desk.begin_all()
    end_a()
    assert desk.want("a")


# -- those that wait without a body ----------------------------------------------------------------------------------


def test_group_that_needs_a_sibling_gives_its_place_up_for_it() -> None:
    """It has begun, and would wait for ever: what it needs may not begin without its place."""
    desk = Desk(group_of(branch("a", leaf("needs", "b")), leaf("b")))

    assert desk.begin_all() == ["b"]
    desk.end("b")
    assert desk.one_by_one() == ["needs"]


def test_groups_that_need_each_other_take_turns() -> None:
    """In a group with one place, the one with more to do gives it up as often as needed."""
    first = branch("a", *(leaf(f"a{number}", *([f"b{number - 1}"] if number else [])) for number in range(5)))
    second = branch("b", *(leaf(f"b{number}", f"a{number}") for number in range(5)))
    desk = Desk(group_of(first, second))

    assert desk.one_by_one() == [f"{name}{number}" for number in range(5) for name in "ab"]


def test_groups_that_keep_each_others_places_are_found() -> None:
    """Through the places of two groups, where no dependency leads from either back to itself."""
    first = branch("one", branch("x1", leaf("p", "y2")), branch("x2", leaf("x2.leaf")), max_parallel=1)
    second = branch("two", branch("y1", leaf("q", "x2.leaf")), leaf("y2"), max_parallel=1)
    desk = Desk(TaskTree(branch("root", first, second)))

    assert sorted(desk.one_by_one()) == ["p", "q", "x2.leaf", "y2"]


def test_place_is_given_up_through_a_body_that_waits() -> None:
    """What the group needs runs, and awaits what needs the place of the group."""
    desk = Desk(
        TaskTree(
            branch(
                "root", branch("group", branch("a", leaf("needs", "other")), leaf("b"), max_parallel=1), leaf("other")
            )
        )
    )
    assert desk.begin_all() == ["other"]

    end = awaits(desk, "other", "b")
    assert desk.begin_all() == ["b"]
    desk.end("b")
    assert goes_on(desk, "other", end)
    desk.end("other")
    assert desk.begin_all() == ["needs"]


def test_group_that_needs_what_will_come_keeps_its_place() -> None:
    """It has started and has not ended, and nothing that it waits for wants a place."""
    desk = Desk(
        TaskTree(
            branch(
                "root",
                branch("group", branch("a", leaf("first"), leaf("needs", "other")), leaf("b"), max_parallel=1),
                leaf("other"),
            )
        )
    )
    assert desk.begin_all() == ["first", "other"]

    desk.end("first")
    assert desk.begin_all() == []
    desk.end("other")
    assert desk.begin_all() == ["needs"]
    desk.end("needs")
    assert desk.begin_all() == ["b"]


def test_late_dependency_makes_a_group_give_its_place_up() -> None:
    """What waits for the sibling came when nobody looked any more."""
    other = branch("other", leaf("runs"), parallel=False)
    desk = Desk(
        TaskTree(branch("root", branch("group", branch("a", leaf("needs", "other")), leaf("b"), max_parallel=1), other))
    )
    assert desk.begin_all() == ["runs"]

    desk.add(leaf("late", "b"), "other")
    assert desk.begin_all() == ["b"]
    for node_id in ("b", "runs"):
        desk.end(node_id)
    assert desk.one_by_one() == ["late", "needs"]


# -- on the event loop -----------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("max_concurrency", [None, 1])
async def test_child_awaits_a_sibling_that_needs_its_place(
    max_concurrency: int | None, virtual_clock: VirtualClock
) -> None:
    """A body that waits holds no place in a group: no deadlock with one place, nor with one slot."""
    registry = Registry("root")
    handles: list[Child[int]] = []

    @registry.task
    async def second(number: int) -> int:
        await anyio.sleep(1)
        return number

    @registry.task
    async def first(number: int) -> int:
        return await handles[0] + number

    @registry.group(max_parallel=1)
    async def group(node: TaskNode) -> int:
        one = node.spawn(first, 1)
        handles.append(node.spawn(second, 2))
        return await one

    with anyio.fail_after(100):
        result = await registry.run(config=TreeTaskConfig(max_concurrency=max_concurrency))

    assert result[group] == 3


@pytest.mark.anyio
async def test_sub_task_of_a_body_awaits_a_sibling_that_needs_its_place(virtual_clock: VirtualClock) -> None:
    """From a sub-task of the body too."""
    registry = Registry("root")
    handles: list[Child[int]] = []

    @registry.task
    async def second(number: int) -> int:
        return number

    @registry.task
    async def first(number: int) -> None:
        async def wait() -> None:
            await handles[0]

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            tasks.start_soon(wait)

    @registry.group(max_parallel=1)
    async def group(node: TaskNode) -> None:
        _ = node.spawn(first, 1)
        handles.append(node.spawn(second, 2))

    with anyio.fail_after(100):
        assert (await registry.run()).success


@pytest.mark.anyio
async def test_body_gives_up_waiting_for_a_sibling(virtual_clock: VirtualClock) -> None:
    """Its own time limit passes; it goes on when it has its place again, and the sibling is let be."""
    registry = Registry("root")
    handles: list[Child[None]] = []
    log = Log()

    @registry.task(static=False)
    async def second() -> None:
        await anyio.sleep(10)
        log.append("second ends")

    @registry.task(static=False)
    async def first() -> None:
        with anyio.move_on_after(1):
            await handles[0]
        log.append("first goes on")

    @registry.group(max_parallel=1)
    async def group(node: TaskNode) -> None:
        _ = node.spawn(first)
        handles.append(node.spawn(second))

    with anyio.fail_after(100):
        assert (await registry.run()).success
    assert sorted(log) == ["first goes on", "second ends"]


@pytest.mark.anyio
async def test_cancel_with_bodies_that_wait_without_their_places(virtual_clock: VirtualClock) -> None:
    """All end, whatever they wait for."""
    registry = Registry("root")
    handles: list[Child[None]] = []

    @registry.task(static=False)
    async def last() -> None:
        await anyio.sleep_forever()

    @registry.task
    async def waits(number: int) -> None:
        await handles[0]

    @registry.group(max_parallel=1)
    async def group(node: TaskNode) -> None:
        for number in range(3):
            _ = node.spawn(waits, number)
        handles.append(node.spawn(last))

    executor = AsyncExecutor(registry.build())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        assert len(executor.running) == 4
        executor.cancel("enough")

    assert set(statuses(executor.tree).values()) == {"cancelled"}
