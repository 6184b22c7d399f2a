"""Places in groups with `max_parallel`: who has one, with what is below it."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.desk import Desk
from tests.engine.places import branch, group_of, leaf
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
    """Children count with their subtrees, also when their own body is over."""
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
    """It is started and not terminal, between two attempts as well."""
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
async def test_timeout_of_who_waits_for_a_place_does_not_tick(virtual_clock: VirtualClock) -> None:
    """Neither that of a body, nor that of a group."""
    tree = TreeBuilder("root", max_parallel=1, config=TreeTaskConfig(max_retries=0))
    for number in range(3):
        tree.add_child(f"{number}", task=sleeps(4), timeout=5)
        tree.add_node(f"g{number}", timeout=5).add_child(f"g{number}.child", task=sleeps(4)).up()

    assert await ended(tree.build()) is None


@pytest.mark.anyio
async def test_failure_in_a_group_with_places(virtual_clock: VirtualClock) -> None:
    """Who waits for a place is not started any more, by any policy but "continue"."""
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
