"""Places in groups with `max_parallel`: who has one, with what is below it, and who gives it up (R32, R22)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from tests.engine.desk import Desk
from tests.engine.support import AsyncBody, Log, ended, fail, node_of, ok, sleeps, statuses, turns
from treetask import (
    JOIN,
    AsyncExecutor,
    Child,
    Limit,
    OnFailure,
    Registry,
    Retry,
    Spawns,
    TaskNode,
    TaskStatus,
    TaskTree,
    TreeBuilder,
    TreeTaskConfig,
)
from treetask.testing import VirtualClock

CANCEL, FINISH, CONTINUE = OnFailure
ONE = Limit("one", max_concurrency=1)


def group_of(*children: TaskNode, max_parallel: int = 1, **options: Any) -> TaskTree:  # noqa: ANN401 - as TaskNode takes them
    """Return a tree whose root is a group with so many places."""
    root = TaskNode("root", max_parallel=max_parallel, **options)
    for child in children:
        root.add_child(child)
    return TaskTree(root, TreeTaskConfig(max_retries=0))


def leaf(node_id: str, *depends_on: str, **options: Any) -> TaskNode:  # noqa: ANN401 - as TaskNode takes them
    """Return a node with a body."""
    return TaskNode(node_id, task_fn=ok, depends_on=depends_on, **options)


def branch(node_id: str, *children: TaskNode, **options: Any) -> TaskNode:  # noqa: ANN401 - as TaskNode takes them
    """Return a node with children, and without a body unless it is given one."""
    node = TaskNode(node_id, **options)
    for child in children:
        node.add_child(child)
    return node


# -- who has a place -------------------------------------------------------------------------------------------------


def test_no_more_children_than_places() -> None:
    """Who ends lets the next one start, in the order of declaration; who waits is pending."""
    desk = Desk(group_of(*(leaf(f"{number}") for number in range(4)), max_parallel=2))

    assert desk.begin_all() == ["0", "1"]
    desk.end("1")
    assert (desk.begin_all(), desk.node("3").status) == (["2"], "pending")
    desk.end("0")
    assert desk.begin_all() == ["3"]


def test_places_are_those_of_one_group() -> None:
    """Others have their own, or need none."""
    tree = TreeBuilder("root").add_child("free", task=ok)
    for group in ("a", "b"):
        tree.add_node(group, max_parallel=1).add_child(f"{group}0", task=ok).add_child(f"{group}1", task=ok).up()

    assert Desk(tree).begin_all() == ["free", "a0", "b0"]


def test_child_keeps_its_place_until_all_below_it_has_ended() -> None:
    """R32: children count with their subtrees, also when their own body is over."""
    desk = Desk(group_of(branch("a", leaf("a.child"), task_fn=ok), leaf("b")))

    assert desk.begin_all() == ["a"]
    desk.end("a")
    assert desk.begin_all() == ["a.child"]
    assert desk.begin_all() == []
    desk.end("a.child")
    assert desk.begin_all() == ["b"]


def test_child_without_a_body_needs_a_place() -> None:
    """A group among the children has not begun before it has one, nor has anything below it."""
    desk = Desk(group_of(branch("a", leaf("a.child")), branch("b", leaf("b.child"))))

    assert desk.begin_all() == ["a.child"]
    assert desk.node("b").status == "pending"
    desk.end("a.child")
    assert desk.begin_all() == ["b.child"]


def test_child_that_has_nothing_to_do_passes() -> None:
    """Ten thousand groups without anything in them, one after another; nothing recurses."""
    desk = Desk(group_of(*(TaskNode(f"{number}") for number in range(10_000)), leaf("last")))

    assert desk.one_by_one() == ["last"]


def test_places_within_places() -> None:
    """A node starts when it has all that it needs: its own place, and that of the group it is in."""
    groups = [branch(name, *(leaf(f"{name}{number}") for number in range(3)), max_parallel=2) for name in "abc"]
    desk = Desk(group_of(*groups, max_parallel=2))

    assert desk.begin_all() == ["a0", "a1", "b0", "b1"]
    desk.end("a1")
    assert desk.begin_all() == ["a2"]
    for node_id in ("a0", "a2"):
        desk.end(node_id)
    assert desk.begin_all() == ["c0", "c1"]


@pytest.mark.parametrize("places", [1, 3])
def test_sequence_goes_on_one_after_another(places: int) -> None:
    """A place more or less changes nothing where one runs at a time anyway."""
    desk = Desk(group_of(branch("a", leaf("a.child")), leaf("b"), leaf("c"), max_parallel=places, parallel=False))

    order: list[str] = []
    while begun := desk.begin_all():
        assert len(begun) == 1
        order += begun
        desk.end(begun[0])
    assert order == ["a.child", "b", "c"]


def test_body_of_the_group_needs_none_of_its_places() -> None:
    """They are for the children."""
    desk = Desk(group_of(leaf("child"), task_fn=ok))

    assert desk.one_by_one() == ["root", "child"]


def test_child_that_will_be_repeated_keeps_its_place() -> None:
    """R32: it is started and not terminal, between two attempts as well."""
    again = Retry(on=OSError, attempts=3, wait_initial=5, wait_jitter=0)
    desk = Desk(group_of(leaf("a", retry=again), leaf("b"), on_failure="continue"))
    assert desk.begin_all() == ["a"]

    desk.node("a").exception = OSError("not yet")
    desk.end("a", 1.0, TaskStatus.FAILED)
    assert (desk.node("a").status, desk.begin_all(1.0)) == ("retrying", [])
    assert desk.look_again(6.0) == ["a"]
    desk.end("a", 7.0)
    assert desk.begin_all(7.0) == ["b"]


def test_child_of_which_something_will_be_repeated_keeps_its_place() -> None:
    """The same for what is below it."""
    again = Retry(on=OSError, attempts=3, wait_initial=5, wait_jitter=0)
    desk = Desk(group_of(branch("a", leaf("deep", retry=again)), leaf("b"), on_failure="continue"))
    assert desk.begin_all() == ["deep"]

    desk.node("deep").exception = OSError("not yet")
    desk.end("deep", 1.0, TaskStatus.FAILED)
    assert desk.begin_all(1.0) == []
    assert desk.look_again(6.0) == ["deep"]


@pytest.mark.parametrize("status", [TaskStatus.FAILED, TaskStatus.TIMED_OUT, TaskStatus.CANCELLED])
def test_place_comes_back_from_a_child_that_did_not_end_well(status: TaskStatus) -> None:
    """However it ended."""
    desk = Desk(group_of(leaf("a"), leaf("b"), on_failure="continue"))
    assert desk.begin_all() == ["a"]

    desk.end("a", 0.0, status)
    assert desk.begin_all() == ["b"]


def test_places_come_back_when_the_group_is_repeated() -> None:
    """Those of children that ran, and of those that waited."""
    tree = TaskTree(branch("root", branch("group", leaf("a"), leaf("b"), leaf("c"), max_parallel=2, max_retries=1)))
    tree.config.max_retries = 0
    desk = Desk(tree)
    assert desk.begin_all() == ["a", "b"]

    desk.end("a", 1.0, TaskStatus.FAILED)
    desk.end("b", 1.0, TaskStatus.CANCELLED)
    assert desk.begin_all(1.0) == ["a", "b"]
    desk.end("a", 1.0)
    assert desk.begin_all(1.0) == ["c"]


def test_cancelled_children_leave_their_places_to_the_others() -> None:
    """One that ran, and one that waited for a place."""
    desk = Desk(group_of(leaf("a"), leaf("b"), leaf("c"), on_failure="continue"))
    assert desk.begin_all() == ["a"]

    for node_id in ("b", "a"):
        desk.scheduler.cancel_subtree(desk.node(node_id), None, 1.0)
    assert desk.begin_all(1.0) == []
    desk.end("a", 1.0, TaskStatus.CANCELLED)
    assert desk.begin_all(1.0) == ["c"]


def test_late_children_need_places() -> None:
    """In a group that has them, and in one that comes late itself."""
    desk = Desk(TaskTree(branch("root", leaf("runs"))))
    assert desk.begin_all() == ["runs"]

    desk.add(branch("late", leaf("a"), leaf("b"), max_parallel=1), "root")
    assert desk.begin_all() == ["a"]
    desk.add(leaf("c"), "late")
    desk.end("a")
    assert desk.begin_all() == ["b"]
    desk.end("b")
    assert desk.begin_all() == ["c"]


def test_who_waits_for_a_limit_has_no_place() -> None:
    """The place is for a sibling that can start now."""
    desk = Desk(
        TaskTree(
            branch(
                "root", leaf("holds", limits=[ONE]), branch("group", leaf("a", limits=[ONE]), leaf("b"), max_parallel=1)
            )
        )
    )

    assert desk.begin_all() == ["holds", "b"]
    desk.end("holds")
    assert desk.begin_all() == []
    desk.end("b")
    assert desk.begin_all() == ["a"]


def test_who_waits_for_a_place_has_no_limit() -> None:
    """The limit is for somebody who can start now, wherever it is."""
    desk = Desk(
        TaskTree(
            branch(
                "root", branch("group", leaf("holds"), leaf("a", limits=[ONE]), max_parallel=1), leaf("b", limits=[ONE])
            )
        )
    )

    assert desk.begin_all() == ["holds", "b"]
    desk.end("holds")
    assert desk.begin_all() == []
    desk.end("b")
    assert desk.begin_all() == ["a"]


def test_places_and_slots_together() -> None:
    """Who waits for a place holds no slot, who waits for a slot no place."""
    desk = Desk(
        TaskTree(branch("root", branch("group", leaf("a"), leaf("b"), max_parallel=1), leaf("c"), leaf("d"))),
        max_concurrency=2,
    )

    assert desk.begin_all() == ["a", "c"]
    desk.end("a")
    assert desk.begin_all() == ["b"]
    desk.end("c")
    assert desk.begin_all() == ["d"]


# -- bodies that wait ------------------------------------------------------------------------------------------------


def awaits(desk: Desk, body: str, awaited: str, *, aside: bool = False) -> Callable[[], None]:
    """Let a body wait for a node, as `await` does; return what ends the wait."""
    if not aside:
        desk.scheduler.refuse_to_wait(desk.node(body), desk.node(awaited))
    end = desk.scheduler.begin_wait(desk.node(body), desk.node(awaited), aside=aside)
    desk.suspend(body)
    return end or (lambda: None)


def goes_on(desk: Desk, body: str, end: Callable[[], None]) -> bool:
    """Let a body whose wait is over ask for its slot; return whether it has it at once."""
    end()
    return desk.want(body)


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
    """R22: the sibling may need that very place; never do more have one than there are."""
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
    """R22: at any depth."""
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
    """R32: it has started and has not ended, and nothing that it waits for wants a place."""
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


# -- cost ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(40)
@pytest.mark.parametrize("places", [1, 1_000])
def test_hundred_thousand_children_cost_the_same_each(places: int) -> None:
    """R45: whatever waits."""
    desk = Desk(group_of(*(leaf(f"{number}") for number in range(100_000)), max_parallel=places))

    ended = 0
    while desk.begin_all() or desk.running:
        desk.end(next(iter(desk.running)))
        ended += 1
    assert ended == 100_000


@pytest.mark.slow
@pytest.mark.timeout(40)
def test_many_groups_with_places_cost_the_same_each() -> None:
    """R45: as many gates as groups, all of which open at the same time."""
    tree = TreeBuilder("root")
    for group in range(10_000):
        tree.add_node(f"{group}", max_parallel=1)
        for number in range(3):
            tree.add_child(f"{group}.{number}", task=ok)
        tree.up()
    desk = Desk(tree)

    for _ in range(3):
        assert len(desk.begin_all()) == 10_000
        for node_id in list(desk.running):
            desk.end(node_id)
    assert desk.scheduler.is_over


@pytest.mark.slow
@pytest.mark.timeout(40)
def test_chain_of_groups_with_places_costs_the_same_at_any_depth() -> None:
    """R7, R45: one place at each of so many levels."""
    tree = TreeBuilder("0", task_fn=ok, max_parallel=1)
    for level in range(1, 20_000):
        tree.add_node(f"{level}", task=ok, max_parallel=1)

    assert len(Desk(tree).one_by_one()) == 20_000


# -- on the event loop -----------------------------------------------------------------------------------------------


class Count:
    """How many bodies of a name run at the same time, at most."""

    def __init__(self) -> None:
        self.running: dict[str, int] = {}
        self.most: dict[str, int] = {}

    def body(self, name: str, seconds: float = 1) -> AsyncBody:
        """Return a body that is counted."""

        async def count(node: TaskNode) -> None:
            self.running[name] = self.running.get(name, 0) + 1
            self.most[name] = max(self.most.get(name, 0), self.running[name])
            await anyio.sleep(seconds)
            self.running[name] -= 1

        return count


@pytest.mark.anyio
async def test_places_on_the_event_loop(virtual_clock: VirtualClock) -> None:
    """Groups and bodies, with what is below them."""
    count = Count()
    tree = TreeBuilder("root", max_parallel=2)
    for number in range(5):
        tree.add_node(f"{number}", task=count.body("top"))
        tree.add_child(f"{number}.a", task=count.body("below")).add_child(f"{number}.b", task=count.body("below")).up()
    begun = virtual_clock.now()

    assert await ended(tree.build()) is None
    assert (count.most, virtual_clock.now() - begun) == ({"top": 2, "below": 4}, 6)


@pytest.mark.anyio
async def test_spawned_children_need_places(virtual_clock: VirtualClock) -> None:
    """A body may yield as many as it likes; JOIN waits for them all, without a place of its own."""
    registry = Registry("root")
    running = most = 0

    @registry.task
    async def page(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await anyio.sleep(1)
        running -= 1
        return number

    @registry.group(max_parallel=3, max_queued=4)
    async def crawl() -> Spawns[int]:
        pages: list[Child[int]] = yield [page.child(number) for number in range(10)]
        yield JOIN
        assert sum(each.result for each in pages) == 45

    begun = virtual_clock.now()
    await registry.run()

    assert (most, virtual_clock.now() - begun) == (3, 4)


@pytest.mark.anyio
@pytest.mark.parametrize("max_concurrency", [None, 1])
async def test_child_awaits_a_sibling_that_needs_its_place(
    max_concurrency: int | None, virtual_clock: VirtualClock
) -> None:
    """R22: a body that waits holds no place in a group: no deadlock with one place, nor with one slot."""
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
    """R22: from a sub-task of the body too."""
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


@pytest.mark.anyio
async def test_timeout_of_who_waits_for_a_place_does_not_tick(virtual_clock: VirtualClock) -> None:
    """R36: neither that of a body, nor that of a group."""
    tree = TreeBuilder("root", max_parallel=1, config=TreeTaskConfig(max_retries=0))
    for number in range(3):
        tree.add_child(f"{number}", task=sleeps(4), timeout=5)
        tree.add_node(f"g{number}", timeout=5).add_child(f"g{number}.child", task=sleeps(4)).up()

    assert await ended(tree.build()) is None


@pytest.mark.anyio
async def test_failure_in_a_group_with_places(virtual_clock: VirtualClock) -> None:
    """R33: who waits for a place is not started any more, by any policy but "continue"."""
    for policy, after in ((CANCEL, "cancelled"), (FINISH, "cancelled"), (CONTINUE, "done")):
        tree = TreeBuilder("root", max_parallel=1, on_failure=policy, config=TreeTaskConfig(max_retries=0))
        tree.add_child("fails", task=fail).add_child("after", task=ok)
        built = tree.build()

        await ended(built)
        assert statuses(built) == {"root": "failed", "fails": "failed", "after": after}


@pytest.mark.anyio
async def test_pause_with_children_that_wait_for_places(virtual_clock: VirtualClock) -> None:
    """A place that comes free while paused is taken after the resume."""
    log = Log()
    tree = TreeBuilder("root", max_parallel=1).add_child("a", task=log.body(2)).add_child("b", task=log.body())
    tree.add_node("c").add_child("c.child", task=log.body())
    executor = AsyncExecutor(tree.build())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await anyio.sleep(1)
        executor.pause()
        await anyio.sleep(50)
        await turns()
        assert (log, node_of(executor.tree, "c").status) == (["a begins", "a ends"], "pending")
        executor.resume()

    assert log[2:] == ["b begins", "b ends", "c.child begins", "c.child ends"]
