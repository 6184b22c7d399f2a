"""Named limits of so many bodies at once, across the tree."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.desk import Desk
from tests.engine.limits import API, ONE, limited, plain
from tests.engine.support import Log, ended, forever, node_of, ok, sleeps, statuses
from treetask import AsyncExecutor, Limit, Retry, TaskNode, TaskStatus, TreeBuilder, TreeTaskConfig
from treetask.testing import VirtualClock

# -- so many at once -------------------------------------------------------------------------------------------------


def test_no_more_than_so_many_run_at_once() -> None:
    """Who ends lets the next one begin; in the order of declaration."""
    desk = Desk(limited(5, API))

    assert desk.begin_all() == ["0", "1"]
    desk.end("1")
    assert desk.begin_all() == ["2"]
    desk.end("0")
    desk.end("2")
    assert desk.begin_all() == ["3", "4"]


def test_limit_is_shared_across_the_tree() -> None:
    """By whoever names it, in any group, below any body."""
    tree = TreeBuilder("root")
    for group in ("a", "b", "c"):
        tree.add_node(group)
        limited(2, API, tree=tree, prefix=group).up()
    desk = Desk(tree)

    assert desk.begin_all() == ["a0", "a1"]
    desk.end("a0")
    assert desk.begin_all() == ["b0"]


def test_others_pass_those_that_wait() -> None:
    """A limit holds back those that name it, and nobody else."""
    tree = limited(3, ONE)
    tree.add_child("free", task=ok).add_child("other", task=ok, limits=[API])

    assert Desk(tree).begin_all() == ["0", "free", "other"]


def test_limit_and_slots_together() -> None:
    """Who waits for a limit holds no slot."""
    tree = limited(3, ONE).add_child("free", task=ok)
    desk = Desk(tree, max_concurrency=2)

    assert desk.begin_all() == ["0", "free"]
    desk.end("0")
    assert desk.begin_all() == ["1"]


def test_limit_of_late_nodes_is_counted_from_the_first_one() -> None:
    """A run without limits gets one while it lasts."""
    desk = Desk(limited(1))
    assert desk.begin_all() == ["0"]

    for number in range(2):
        desk.add(TaskNode(f"late{number}", task_fn=ok, limits=[ONE]), "root")

    assert desk.begin_all() == ["late0"]
    desk.end("late0")
    assert desk.begin_all() == ["late1"]


def test_body_with_children_is_limited_but_its_children_are_not() -> None:
    """A limit counts bodies: it is free again when the body is over, whatever is below."""
    tree = TreeBuilder("root")
    for node_id in ("a", "b"):
        tree.add_node(node_id, task=ok, limits=[ONE]).add_child(f"{node_id}.child", task=ok).up()
    desk = Desk(tree)

    assert desk.begin_all() == ["a"]
    desk.end("a")
    assert desk.begin_all() == ["a.child", "b"]


def test_who_lacks_a_thread_holds_no_limit() -> None:
    """It may wait long for the thread; others can use the limit meanwhile."""
    tree = TreeBuilder("root").add_child("blocks", task=plain).add_child("plain", task=plain, limits=[ONE])
    tree.add_child("async", task=ok, limits=[ONE])
    desk = Desk(tree, max_threads=1)

    assert desk.begin_all() == ["blocks", "async"]
    desk.end("blocks")
    assert desk.begin_all() == []
    desk.end("async")
    assert desk.begin_all() == ["plain"]


# -- several limits of one node --------------------------------------------------------------------------------------


def test_nodes_that_need_two_limits_do_not_block_each_other() -> None:
    """In whatever order they name them."""
    other = Limit("other", max_concurrency=1)
    tree = TreeBuilder("root")
    for number in range(6):
        tree.add_child(f"{number}", task=ok, limits=[ONE, other] if number % 2 else [other, ONE])

    assert Desk(tree).one_by_one() == [f"{number}" for number in range(6)]


def test_who_waits_for_one_limit_leaves_the_other_to_those_that_need_no_more() -> None:
    """One node at most keeps what it has already; the rest of those that wait with it keep nothing."""
    wide = Limit("a", max_concurrency=4)
    tree = limited(8, wide, ONE, prefix="both")
    desk = Desk(limited(8, wide, tree=tree, prefix="wide"))

    assert desk.begin_all() == ["both0", "wide0", "wide1"]
    desk.end("both0")
    assert desk.begin_all() == ["both1", "wide2"]


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_node_that_needs_two_limits_is_not_overtaken_for_ever(names: tuple[str, str]) -> None:
    """Streams of nodes that need one of them never leave both free at the same time."""
    first, second = (Limit(name, max_concurrency=1) for name in names)
    tree = TreeBuilder("root").add_child("f0", task=ok, limits=[first]).add_child("s0", task=ok, limits=[second])
    tree.add_child("both", task=ok, limits=[first, second])
    for number in range(1, 10):
        tree.add_child(f"f{number}", task=ok, limits=[first]).add_child(f"s{number}", task=ok, limits=[second])
    desk = Desk(tree)

    assert desk.begin_all() == ["f0", "s0"]
    begun: list[str] = []
    for _ in range(4):
        # The two take turns, so that there is always one of them held.
        desk.end(next(iter(desk.running)))
        begun += desk.begin_all()

    assert "both" in begun
    for node_id in list(desk.running):
        desk.end(node_id)
    desk.one_by_one()


def keeping() -> Desk:
    """Return a desk where 'low' keeps the limit 'a' while it waits for 'b', which 'holds' has."""
    first, second = Limit("a", max_concurrency=1), Limit("b", max_concurrency=1)
    tree = TreeBuilder("root").add_node("body", task=ok, limits=[first], priority=0).up()
    tree.add_child("holds", task=ok, limits=[second]).add_child("low", task=ok, limits=[first, second], priority=3)
    desk = Desk(tree)
    assert desk.begin_all() == ["body", "holds"]
    desk.suspend("body")
    assert desk.begin_all() == []
    return desk


def test_kept_limit_is_not_for_those_that_go_later() -> None:
    """Else the one that needs both would wait until nobody needs either."""
    desk = keeping()

    desk.add(TaskNode("later", task_fn=ok, limits=[Limit("a", max_concurrency=1)], priority=3), "root")
    assert desk.begin_all() == []
    desk.end("holds")
    assert desk.begin_all() == ["low"]


@pytest.mark.parametrize("names", ["a", "ab"])
def test_kept_limit_is_given_up_for_those_that_go_before(names: str) -> None:
    """Nobody runs who has it, so the first of those that wait may."""
    desk = keeping()

    limits = [Limit(name, max_concurrency=1) for name in names]
    desk.add(TaskNode("high", task_fn=ok, limits=limits, priority=1), "root")
    assert desk.begin_all() == (["high"] if names == "a" else [])
    if names == "ab":
        desk.end("holds")
        assert desk.begin_all() == ["high"]
    else:
        desk.end("holds")
        assert desk.begin_all() == []
    desk.end("high")
    assert desk.begin_all() == ["low"]


def test_kept_limit_is_given_up_for_a_body_that_goes_on() -> None:
    """It goes before all that begin."""
    desk = keeping()

    assert desk.want("body")
    desk.end("holds")
    assert desk.begin_all() == []
    desk.end("body")
    assert desk.begin_all() == ["low"]


def test_kept_limit_is_free_when_who_keeps_it_is_stopped() -> None:
    """As if it had never waited."""
    desk = keeping()

    desk.add(TaskNode("later", task_fn=ok, limits=[Limit("a", max_concurrency=1)], priority=3), "root")
    desk.scheduler.cancel_subtree(desk.node("low"), None, 0.0)
    assert desk.begin_all() == ["later"]


# -- units come back -------------------------------------------------------------------------------------------------


def test_unit_comes_back_when_a_body_fails_and_is_repeated() -> None:
    """What waits for its next attempt holds nothing."""
    tree = TreeBuilder("root", config=TreeTaskConfig(on_failure="continue"))
    tree.add_child("flaky", task=ok, limits=[ONE], retry=Retry(on=OSError, wait_initial=5, wait_jitter=0))
    desk = Desk(tree.add_child("other", task=ok, limits=[ONE]))
    assert desk.begin_all() == ["flaky"]

    desk.node("flaky").exception = OSError("not yet")
    desk.end("flaky", 1.0, TaskStatus.FAILED)
    assert (desk.node("flaky").status, desk.begin_all(1.0)) == ("retrying", ["other"])
    assert desk.look_again(6.0) == []
    desk.end("other", 7.0)
    assert desk.begin_all(7.0) == ["flaky"]


def test_units_of_those_that_are_stopped_come_back() -> None:
    """Running, waiting with one of two limits, and waiting with none."""
    second = Limit("second", max_concurrency=1)
    tree = TreeBuilder("root").add_node("stopped")
    tree.add_child("runs", task=ok, limits=[second]).add_child("keeps one", task=ok, limits=[ONE, second])
    tree.add_child("waits", task=ok, limits=[ONE, second]).up()
    tree.add_child("after", task=ok, limits=[ONE, second])
    desk = Desk(tree)
    assert desk.begin_all() == ["runs"]

    desk.scheduler.cancel_subtree(desk.node("stopped"), None, 1.0)
    assert (desk.interrupted, desk.begin_all(1.0)) == (["runs"], [])
    desk.end("runs", 2.0, TaskStatus.CANCELLED)

    assert desk.begin_all(2.0) == ["after"]


def test_units_come_back_when_a_group_is_repeated() -> None:
    """Those that had begun, and those that waited; all start once more, as often as the limit lets them."""
    tree = TreeBuilder("root", config=TreeTaskConfig(max_retries=0)).add_node("group", max_retries=1)
    desk = Desk(limited(4, API, tree=tree))
    assert desk.begin_all() == ["0", "1"]

    desk.end("0", 1.0, TaskStatus.FAILED)
    assert desk.interrupted == ["1"]
    desk.end("1", 1.0, TaskStatus.CANCELLED)
    assert desk.begin_all(1.0) == ["0", "1"]
    desk.end("0", 1.0)
    assert desk.begin_all(1.0) == ["2"]
    for node_id in ("1", "2"):
        desk.end(node_id, 1.0)
    assert desk.begin_all(1.0) == ["3"]


def test_units_come_back_from_discarded_nodes() -> None:
    """What an attempt has added goes with it when it fails."""
    tree = TreeBuilder("root").add_node("body", task=ok, max_retries=1).up().add_child("other", task=ok, limits=[ONE])
    desk = Desk(tree, max_concurrency=2)
    assert desk.begin_all() == ["body", "other"]
    desk.end("other")
    desk.add(TaskNode("added", task_fn=ok, limits=[ONE]), "body", at_once=True)
    desk.add(TaskNode("waits", task_fn=ok, limits=[ONE]), "body", at_once=True)
    assert desk.begin_all() == ["added"]

    desk.end("body", 1.0, TaskStatus.FAILED)
    desk.end("added", 1.0, TaskStatus.CANCELLED)
    assert (desk.tree.ids(), desk.begin_all(1.0)) == (["root", "body", "other"], ["body"])
    desk.add(TaskNode("again", task_fn=ok, limits=[ONE]), "body", at_once=True)
    assert desk.begin_all(1.0) == ["again"]


def test_skipped_nodes_hold_nothing() -> None:
    """Who is skipped while it waits leaves the rest as it was."""
    tree = TreeBuilder("root", config=TreeTaskConfig(on_failure="continue", max_retries=0))
    tree.add_child("fails", task=ok, limits=[ONE])
    tree.add_child("skipped", task=ok, limits=[ONE], depends_on=["fails"]).add_child("after", task=ok, limits=[ONE])
    desk = Desk(tree)

    assert desk.begin_all() == ["fails"]
    desk.end("fails", 0.0, TaskStatus.FAILED)
    assert (desk.node("skipped").status, desk.one_by_one()) == ("skipped", ["after"])


# -- pause, cancel, books --------------------------------------------------------------------------------------------


def test_nobody_starts_at_a_gate_while_paused() -> None:
    """Neither by a unit that comes free, nor by the time; after the resume all is as it would have been."""
    tree = limited(2, ONE)
    desk = Desk(limited(2, Limit("rate", per_second=1), tree=tree, prefix="r"))
    assert desk.begin_all() == ["0", "r0"]
    desk.slots.is_paused = True

    desk.end("0", 0.5)
    assert desk.look_again(5.0) == []
    desk.slots.is_paused = False

    assert desk.begin_all(5.0) == ["1", "r1"]


def test_cancel_with_nodes_that_wait_at_gates() -> None:
    """They end with the run, and it is over when what runs is."""
    tree = limited(3, ONE)
    desk = Desk(limited(3, Limit("rate", per_second=1), ONE, tree=tree, prefix="r"))
    assert desk.begin_all() == ["0"]

    desk.scheduler.cancel(None, 1.0)
    desk.end("0", 1.0, TaskStatus.CANCELLED)

    assert (desk.scheduler.is_over, desk.begin_all(9.0), desk.tree.get_stats()["cancelled"]) == (True, [], 7)


def test_run_is_not_stuck_while_time_is_waited_for() -> None:
    """Nothing runs, nothing may start now, and yet nothing is wrong."""
    desk = Desk(limited(2, Limit("rate", per_second=1)))
    assert desk.begin_all() == ["0"]
    desk.end("0")

    assert (desk.begin_all(), desk.scheduler.is_stuck()) == ([], False)


# -- on the event loop -----------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_timeout_of_who_waits_does_not_tick(virtual_clock: VirtualClock) -> None:
    """An attempt begins when it has all that it needs."""
    tree = TreeBuilder("root", config=TreeTaskConfig(max_retries=0))
    for number in range(3):
        tree.add_child(f"{number}", task=sleeps(4), limits=[ONE], timeout=5)
        tree.add_child(f"r{number}", task=sleeps(4), limits=[Limit("rate", per_second=0.1)], timeout=5)

    assert await ended(tree.build()) is None


@pytest.mark.anyio
async def test_pause_holds_back_those_that_wait_for_a_limit(virtual_clock: VirtualClock) -> None:
    """Units and time that come while paused are used after the resume."""
    log = Log()
    tree = TreeBuilder("root")
    for number in range(2):
        tree.add_child(f"{number}", task=log.body(1), limits=[ONE])
        tree.add_child(f"r{number}", task=log.body(1), limits=[Limit("rate", per_second=1)])
    executor = AsyncExecutor(tree.build())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await anyio.sleep(0.5)
        executor.pause()
        await anyio.sleep(50)
        assert sorted(line for line in log if "begins" in line) == ["0 begins", "r0 begins"]
        executor.resume()

    assert len(log) == 8


@pytest.mark.anyio
async def test_cancel_ends_those_that_wait_for_a_limit(virtual_clock: VirtualClock) -> None:
    """At once, though the limit is not free."""
    tree = TreeBuilder("root")
    for number in range(3):
        tree.add_child(f"{number}", task=forever, limits=[ONE, Limit("rate", per_second=0.001)])
    executor = AsyncExecutor(tree.build())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        executor.cancel("enough")

    assert set(statuses(executor.tree).values()) == {"cancelled"}
    assert virtual_clock.now() < 10
    assert node_of(executor.tree, "2").started_at is None
