"""Named limits: so many bodies at once and so many starts in any second, across the tree (R32, R22, R15)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from random import Random
from typing import Any, cast

import anyio
import pytest

from tests.engine.desk import Desk
from tests.engine.support import Log, ended, fails_times, forever, node_of, ok, sleeps, statuses
from tests.sentences import exactly
from treetask import (
    JOIN,
    AsyncExecutor,
    DefinitionError,
    Limit,
    Registry,
    Retry,
    Spawns,
    TaskNode,
    TaskStatus,
    TreeBuilder,
    TreeTaskConfig,
)
from treetask.testing import VirtualClock

API = Limit("api", max_concurrency=2)
ONE = Limit("one", max_concurrency=1)


def plain(node: TaskNode) -> None:
    """Do nothing, in a thread."""


def limited(count: int, *limits: Limit, tree: TreeBuilder | None = None, prefix: str = "") -> TreeBuilder:
    """Return a tree with that many bodies below the root, or add them to one."""
    tree = TreeBuilder("root") if tree is None else tree
    for number in range(count):
        tree.add_child(f"{prefix}{number}", task=ok, limits=limits)
    return tree


def begun_at(desk: Desk, times: Iterable[float]) -> dict[float, list[str]]:
    """Return who begins at each of these times; bodies end at once."""
    begun: dict[float, list[str]] = {}
    for at in times:
        begun[at] = desk.look_again(at)
        for node_id in begun[at]:
            desk.end(node_id, at)
    return begun


# -- what is refused -------------------------------------------------------------------------------------------------


async def spawner(node: TaskNode) -> AsyncGenerator[None, None]:
    """Yield nothing."""
    yield None


def thread_spawner(node: TaskNode) -> Generator[None, None, None]:
    """Yield nothing, in a thread."""
    yield None


@pytest.mark.parametrize(
    ("body", "what"), [(None, "has no body"), (spawner, "yields children"), (thread_spawner, "yields children")]
)
def test_limit_on_what_has_no_body_of_its_own_is_refused(body: Callable[[TaskNode], Any] | None, what: str) -> None:
    """R22: a spawner waits for its children, who may need that very limit; a group does nothing itself."""
    tree = TreeBuilder("root").add_node("crawl", task=body, limits=[ONE, API]).add_child("page", task=ok)
    message = f"node 'crawl' {what}, so it cannot be limited by 'one', 'api'; limit its children"

    with pytest.raises(DefinitionError, match=exactly(message)):
        tree.build()


def test_limit_on_a_late_group_is_refused() -> None:
    """The same while the tree runs; the tree is as it was."""
    desk = Desk(limited(1))

    with pytest.raises(
        DefinitionError, match=exactly("node 'late' has no body, so it cannot be limited by 'api'; limit its children")
    ):
        desk.add(TaskNode("late", limits=[API]), "root")
    assert desk.tree.ids() == ["root", "0"]


def test_limit_on_a_spawned_spawner_is_refused() -> None:
    """By the options of the child, where it is yielded."""
    registry = Registry("root")

    @registry.group(static=False)
    async def pages() -> Spawns[None]:
        yield JOIN

    @registry.group
    async def crawl() -> Spawns[None]:
        with pytest.raises(DefinitionError, match="yields children, so it cannot be limited by 'api'"):
            yield pages.child().with_options(limits=[API])

    assert registry.run_sync().success


def test_two_limits_of_one_name_are_refused() -> None:
    """What limits by one name have to share cannot be two things."""
    tree = limited(1, API).add_child("other", task=ok, limits=[Limit("api", max_concurrency=2, per_second=5)])
    message = (
        "node 'other' names another limit 'api' than the nodes before it: "
        "Limit(name='api', max_concurrency=2, per_second=5), not "
        "Limit(name='api', max_concurrency=2, per_second=None); share one Limit, or give one of them another name"
    )

    with pytest.raises(DefinitionError, match=exactly(message)):
        tree.build()


def test_equal_limits_are_one() -> None:
    """Written twice, it counts once."""
    tree = limited(2, Limit("api", max_concurrency=1)).add_child("2", task=ok, limits=[Limit("api", max_concurrency=1)])

    assert Desk(tree).begin_all() == ["0"]


def test_refused_node_leaves_no_limit_behind() -> None:
    """Neither one whose own limits were right, nor those of one that has a wrong one beside it."""
    desk = Desk(limited(1, API))
    other = Limit("other", max_concurrency=1)

    for limits, depends_on in (([other], ["nobody"]), ([other, Limit("api", max_concurrency=9)], [])):
        with pytest.raises(DefinitionError):
            desk.add(TaskNode("refused", task_fn=ok, limits=limits, depends_on=depends_on), "root")
    desk.add(TaskNode("late", task_fn=ok, limits=[Limit("other", max_concurrency=5)]), "root")

    assert desk.one_by_one() == ["0", "late"]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Limit(""), TypeError, "a limit's name is ''; expected a string that is not empty"),
        (lambda: Limit(cast("str", 3)), TypeError, "a limit's name is 3; expected a string that is not empty"),
        (lambda: Limit("a"), ValueError, "limit 'a' limits nothing; give it max_concurrency=, per_second= or both"),
        (
            lambda: Limit("a", max_concurrency=0),
            ValueError,
            "limit 'a': max_concurrency is 0; expected at least 1; None means no limit",
        ),
        (
            lambda: Limit("a", per_second=float("inf")),
            ValueError,
            "limit 'a': per_second is inf; expected a finite number over 0; None means no limit",
        ),
        (
            lambda: Limit("a", per_second=True),
            TypeError,
            "limit 'a': per_second is True; expected a number of starts or None",
        ),
    ],
)
def test_limit_of_wrong_values_is_refused(make: Callable[[], Limit], error: type[Exception], message: str) -> None:
    """Where it is made, by name."""
    with pytest.raises(error, match=exactly(message)):
        make()


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


# -- so many in a second -----------------------------------------------------------------------------------------------


def test_no_more_than_so_many_start_in_any_second() -> None:
    """The window slides: it is not the clock's second."""
    desk = Desk(limited(9, Limit("api", per_second=3)))

    begun = begun_at(desk, [0.0, 0.5, 0.999, 1.0, 1.5, 2.0, 3.0])

    assert begun == {
        0.0: ["0", "1", "2"],
        0.5: [],
        0.999: [],
        1.0: ["3", "4", "5"],
        1.5: [],
        2.0: ["6", "7", "8"],
        3.0: [],
    }


def test_starts_that_came_apart_count_apart() -> None:
    """Each start keeps its place for a second, and no longer."""
    desk = Desk(limited(1, Limit("api", per_second=2)))
    begun: list[list[str]] = [desk.begin_all(0.0)]
    for number, at in ((1, 0.75), (2, 0.8), (3, 0.9)):
        desk.add(TaskNode(f"{number}", task_fn=ok, limits=[Limit("api", per_second=2)]), "root")
        begun.append(desk.begin_all(at))
    begun += [desk.look_again(at) for at in (1.0, 1.7, 1.75)]

    assert begun == [["0"], ["1"], [], [], ["2"], [], ["3"]]
    assert sorted(set(desk.looks)) == [1.0, 1.75]


@pytest.mark.parametrize(
    ("per_second", "times"),
    [
        (0.5, [0.0, 2.0, 4.0, 6.0]),
        (0.1, [0.0, 10.0, 20.0, 30.0]),
        (1, [0.0, 1.0, 2.0, 3.0]),
        (1.5, [0.0, 1.0, 2.0, 3.0]),
        (2.5, [0.0, 0.0, 1.0, 1.0]),
        (1e300, [0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_rate_need_not_be_whole(per_second: float, times: list[float]) -> None:
    """Below one a second it is the time between two; above, no window of a second sees more than it says."""
    desk = Desk(limited(4, Limit("api", per_second=per_second)))
    begun = [0.0 for _ in desk.begin_all(0.0)]
    while desk.looks and len(begun) < 4:
        at = desk.looks.pop()
        begun += [at for _ in desk.look_again(at)]

    assert begun == times


def test_each_attempt_counts_as_a_start() -> None:
    """A node that is repeated waits for its turn like any other."""
    tree = limited(1, Limit("api", per_second=1))
    desk = Desk(tree)
    assert desk.begin_all(0.0) == ["0"]

    desk.end("0", 0.25, TaskStatus.FAILED)
    assert (desk.begin_all(0.25), desk.node("0").status) == ([], "retrying")
    assert desk.look_again(1.0) == ["0"]


def test_rate_and_number_together() -> None:
    """Both hold: a unit that comes free is of no use before its time, nor the time without a unit."""
    desk = Desk(limited(5, Limit("api", max_concurrency=2, per_second=3)))

    assert desk.begin_all(0.0) == ["0", "1"]
    desk.end("0", 0.1)
    assert desk.begin_all(0.1) == ["2"]
    desk.end("1", 0.2)
    assert desk.begin_all(0.2) == []
    assert desk.look_again(1.0) == ["3"]
    assert desk.look_again(2.0) == []
    desk.end("3", 2.5)
    assert desk.begin_all(2.5) == ["4"]


def test_who_waits_for_the_time_is_looked_at_in_time() -> None:
    """Also where somebody else begins in the meantime, and nothing else happens for long."""
    tree = limited(2, Limit("api", per_second=1)).add_child("other", task=ok)
    desk = Desk(tree)

    assert [desk.begin(0.0), desk.begin(0.0)] == ["0", "other"]
    assert desk.looks == [1.0]


def test_start_counts_from_when_the_body_begins() -> None:
    """What comes between the decision and the body, as an observer's work, leaves no room for one more start."""
    desk = Desk(limited(2, Limit("api", per_second=1)))
    assert desk.begin(0.0) == "0"

    desk.slots.begun(desk.node("0"), 0.25)

    assert desk.look_again(1.0) == []
    assert desk.look_again(1.25) == ["1"]


def test_limits_of_which_one_has_a_rate() -> None:
    """Who has the unit of one keeps it while it waits for the time of another that has closed meanwhile."""
    rate = Limit("a", per_second=1)
    tree = TreeBuilder("root").add_child("holds", task=ok, limits=[ONE])
    tree.add_child("both", task=ok, limits=[rate, ONE]).add_child("rate", task=ok, limits=[rate])
    tree.add_child("one", task=ok, limits=[ONE])
    desk = Desk(tree)

    assert desk.begin_all(0.0) == ["holds", "rate"]
    desk.end("holds", 0.5)
    assert desk.begin_all(0.5) == []
    assert desk.look_again(1.0) == ["both"]
    desk.end("both", 1.0)
    assert desk.begin_all(1.0) == ["one"]


# -- units come back -------------------------------------------------------------------------------------------------


def test_unit_comes_back_when_a_body_fails_and_is_repeated() -> None:
    """R32: what waits for its next attempt holds nothing."""
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


# -- bodies that wait ------------------------------------------------------------------------------------------------


def test_body_that_waits_holds_no_limit() -> None:
    """R22: its child may need that very limit. It goes on when the limit is free again."""
    desk = Desk(TreeBuilder("root").add_node("body", task=ok, limits=[ONE]))
    assert desk.begin_all() == ["body"]
    desk.add(TaskNode("child", task_fn=ok, limits=[ONE]), "body", at_once=True)

    desk.suspend("body")
    assert desk.begin_all() == ["child"]
    assert not desk.want("body")
    desk.end("child")

    assert desk.granted == ["body"]


def test_body_that_goes_on_is_no_start() -> None:
    """It has started before: no rate counts it again, nor keeps it waiting."""
    rate = Limit("api", per_second=1)
    desk = Desk(TreeBuilder("root").add_node("body", task=ok, limits=[rate]))
    assert desk.begin_all(0.0) == ["body"]
    desk.add(TaskNode("child", task_fn=ok), "body", at_once=True)
    desk.add(TaskNode("limited", task_fn=ok, limits=[rate]), "body", at_once=True)

    desk.suspend("body")
    assert desk.begin_all(0.5) == ["child"]
    assert desk.want("body")
    assert desk.look_again(1.0) == ["limited"]


def test_body_that_goes_on_goes_before_those_that_begin() -> None:
    """Whoever waits for the limit, whatever its priority."""
    tree = TreeBuilder("root").add_node("body", task=ok, limits=[ONE], priority=3).up()
    desk = Desk(limited(2, ONE, tree=tree))
    for node_id in ("0", "1"):
        assert desk.begin() == node_id
        desk.end(node_id)
    assert desk.begin() == "body"
    desk.add(TaskNode("child", task_fn=ok, limits=[ONE]), "body", at_once=True)
    desk.add(TaskNode("urgent", task_fn=ok, limits=[ONE], priority=0), "root")

    desk.suspend("body")
    assert desk.begin_all() == ["urgent"]
    assert not desk.want("body")
    desk.end("urgent")
    assert (desk.granted, desk.begin_all()) == (["body"], [])
    desk.end("body")
    assert desk.begin_all() == ["child"]


def test_who_waits_to_go_on_with_a_limit_keeps_nobody_else_from_going_on() -> None:
    """The others need nothing of what it lacks."""
    tree = TreeBuilder("root").add_node("limited", task=ok, limits=[ONE]).up().add_node("free", task=ok).up()
    tree.add_child("holds", task=ok, limits=[ONE])
    desk = Desk(tree)
    assert desk.begin_all() == ["limited", "free"]
    desk.suspend("limited")
    desk.suspend("free")
    assert desk.begin_all() == ["holds"]

    assert [desk.want("limited"), desk.want("free")] == [False, True]
    desk.end("holds")
    assert desk.granted == ["free", "limited"]


def test_who_waits_to_go_on_with_a_thread_keeps_nobody_else_from_going_on() -> None:
    """One that needs no thread has its slot at once."""
    tree = TreeBuilder("root").add_node("plain", task=thread_spawner).up().add_node("async", task=ok).up()
    tree.add_child("blocks", task=plain)
    desk = Desk(tree, max_threads=1)
    assert desk.begin_all() == ["plain", "async"]
    desk.suspend("plain")
    desk.suspend("async")
    assert desk.begin_all() == ["blocks"]

    assert [desk.want("plain"), desk.want("async")] == [False, True]
    desk.end("blocks")
    assert desk.granted == ["async", "plain"]


def test_bodies_that_go_on_with_two_limits_do_not_block_each_other() -> None:
    """They take both or none."""
    other = Limit("other", max_concurrency=1)
    tree = TreeBuilder("root")
    for node_id, limits in (("a", [ONE]), ("b", [other]), ("both", [ONE, other]), ("c", [ONE])):
        tree.add_node(node_id, task=ok, limits=limits).up()
    desk = Desk(tree)
    assert desk.begin_all() == ["a", "b"]
    desk.suspend("a")
    desk.suspend("b")
    assert desk.begin_all() == ["both"]

    assert [desk.want("a"), desk.want("b")] == [False, False]
    desk.suspend("both")
    assert desk.granted == ["a", "b"]
    assert not desk.want("both")
    desk.end("a")
    assert (desk.granted, desk.begin_all()) == (["a", "b"], ["c"])
    desk.end("b")
    assert desk.granted == ["a", "b"]
    desk.end("c")
    assert desk.granted == ["a", "b", "both"]


def test_wish_that_was_taken_back_is_passed_on() -> None:
    """The next of those that want to go on has what the first one does not need any more."""
    desk = Desk(limited(3, Limit("two", max_concurrency=2)))
    assert desk.begin_all() == ["0", "1"]
    desk.suspend("0")
    desk.suspend("1")
    desk.add(TaskNode("x", task_fn=ok, limits=[Limit("two", max_concurrency=2)]), "root")
    assert desk.begin_all() == ["2", "x"]
    assert [desk.want("0"), desk.want("1")] == [False, False]

    assert desk.slots.forget_wish(desk.node("0"))
    assert not desk.slots.forget_wish(desk.node("2"))
    desk.end("2")

    assert desk.granted == ["1"]


def test_body_stopped_while_it_waits_gives_nothing_back_that_it_has_not() -> None:
    """It goes on without a slot, to clean up; the limit is as it was."""
    tree = TreeBuilder("root").add_node("body", task=ok, limits=[ONE]).up()
    desk = Desk(limited(3, ONE, tree=tree))
    assert desk.begin() == "body"
    desk.suspend("body")
    assert desk.begin_all() == ["0"]
    assert not desk.want("body")

    desk.scheduler.cancel_subtree(desk.node("body"), None, 1.0)
    assert desk.slots.forget_wish(desk.node("body"))
    desk.slots.seize(desk.slots.kind(desk.node("body")))
    desk.end("body", 1.0, TaskStatus.CANCELLED)

    assert desk.begin_all(1.0) == []
    desk.end("0")
    assert desk.begin_all() == ["1"]


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


@pytest.mark.slow
@pytest.mark.timeout(30)
def test_many_limits_and_many_that_wait_cost_the_same_for_each() -> None:
    """R45: a start costs what it costs, whoever waits where."""
    limits = [Limit(f"{number}", max_concurrency=1 + number % 3) for number in range(200)]
    tree = TreeBuilder("root")
    for number in range(20_000):
        tree.add_child(f"{number}", task=ok, limits=[limits[number % 200], limits[number % 7]])
    desk = Desk(tree)

    ended = 0
    while desk.begin_all() or desk.running:
        desk.end(next(iter(desk.running)))
        ended += 1
    assert ended == 20_000


@pytest.mark.slow
@pytest.mark.timeout(30)
def test_many_rates_cost_the_same_for_each_start() -> None:
    """R45: as many that wait for time."""
    limits = [Limit(f"{number}", per_second=1 + number % 3) for number in range(200)]
    tree = TreeBuilder("root")
    for number in range(20_000):
        tree.add_child(f"{number}", task=ok, limits=[limits[number % 200]])
    desk = Desk(tree, max_concurrency=1)

    at, ended = 0.0, 0
    while not desk.scheduler.is_over:
        while (node_id := desk.begin(at)) is not None:
            desk.end(node_id, at)
            ended += 1
        at += 1.0
        desk.scheduler.look_again(at)
    assert ended == 20_000


@pytest.mark.slow
@pytest.mark.timeout(30)
def test_many_bodies_that_go_on_cost_the_same_for_each() -> None:
    """R45: with one limit that all of them need, and when all of them give up."""
    count = 20_000
    desk = Desk(limited(count, Limit("all", max_concurrency=count)), max_concurrency=count)
    assert len(desk.begin_all()) == count
    for node_id in list(desk.running):
        desk.suspend(node_id)
    holder = Limit("all", max_concurrency=count)
    for number in range(count):
        desk.add(TaskNode(f"holder{number}", task_fn=ok, limits=[holder]), "root")
    assert len(desk.begin_all()) == count

    assert not any(desk.want(f"{number}") for number in range(count))
    for number in range(count // 2):
        assert desk.slots.forget_wish(desk.node(f"{number}"))
    for number in range(count):
        desk.end(f"holder{number}")
    assert desk.granted == [f"{number}" for number in range(count // 2, count)]


# -- on the event loop -----------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("per_second", [0.5, 1, 2.5, 4, 10])
@pytest.mark.parametrize("max_concurrency", [None, 3])
async def test_no_window_of_a_second_sees_more_starts(
    per_second: float, max_concurrency: int | None, virtual_clock: VirtualClock
) -> None:
    """R32: with bodies of any length, of which some fail and are repeated; and the limit is made use of."""
    random, begun, running = Random(7), list[float](), set[str]()
    most_at_once = 0

    async def call(node: TaskNode) -> None:
        nonlocal most_at_once
        begun.append(virtual_clock.now())
        running.add(node.id)
        most_at_once = max(most_at_once, len(running))
        await anyio.sleep(random.choice([0, 0.1, 0.37, 1]))
        running.discard(node.id)
        if random.random() < 0.3:
            raise OSError("not yet")

    limit = Limit("api", max_concurrency=max_concurrency, per_second=per_second)
    tree = TreeBuilder("root", config=TreeTaskConfig(max_retries=50))
    for number in range(25):
        tree.add_child(f"{number}", task=call, limits=[limit])
    assert await ended(tree.build()) is None

    window = 1 if per_second >= 1 else 1 / per_second
    most = max(1, int(per_second))
    crowded = [(first, last) for first, last in zip(begun, begun[most:], strict=False) if last - first < window]
    assert (crowded, most_at_once <= (max_concurrency or 25)) == ([], True)
    assert len(begun) > 25
    if per_second <= 1:
        assert begun == [begun[0] + number * window for number in range(len(begun))]


@pytest.mark.anyio
async def test_next_start_comes_in_time_while_all_that_runs_takes_long(virtual_clock: VirtualClock) -> None:
    """Nobody has to end for it."""
    log, limit = Log(), Limit("api", per_second=1)
    tree = TreeBuilder("root").add_child("a", task=log.body(100), limits=[limit])
    tree.add_child("b", task=log.body(), limits=[limit]).add_child("c", task=log.body(100))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, tree.build())
        await anyio.sleep(0.9)
        assert log == ["a begins", "c begins"]
        await anyio.sleep(0.2)
        assert log[2:] == ["b begins", "b ends"]


@pytest.mark.anyio
async def test_body_that_awaits_a_child_gives_its_limit_up_and_takes_it_back(virtual_clock: VirtualClock) -> None:
    """R22: at any depth, with one unit for all of them, and one slot."""
    registry = Registry("root")
    one = registry.limit("one", max_concurrency=1)
    running: list[str] = []
    most_at_once = 0

    def note(name: str) -> None:
        nonlocal most_at_once
        running.append(name)
        most_at_once = max(most_at_once, len(running))

    @registry.task(limits=[one])
    async def dig(node: TaskNode, depth: int, number: int) -> int:
        found = 1
        for child in range(2):
            note(node.id)
            await anyio.sleep(1)
            running.remove(node.id)
            found += await node.spawn(dig, depth - 1, child) if depth else 0
        note(node.id)
        await anyio.sleep(1)
        running.remove(node.id)
        return found

    @registry.task
    async def top(node: TaskNode) -> int:
        return await node.spawn(dig, 3, 0)

    with anyio.fail_after(1000):
        result = await registry.run(config=TreeTaskConfig(max_concurrency=1))

    assert (result.tree.root.children[0].result, most_at_once) == (15, 1)


@pytest.mark.anyio
async def test_timeout_of_who_waits_does_not_tick(virtual_clock: VirtualClock) -> None:
    """R36: an attempt begins when it has all that it needs."""
    tree = TreeBuilder("root", config=TreeTaskConfig(max_retries=0))
    for number in range(3):
        tree.add_child(f"{number}", task=sleeps(4), limits=[ONE], timeout=5)
        tree.add_child(f"r{number}", task=sleeps(4), limits=[Limit("rate", per_second=0.1)], timeout=5)

    assert await ended(tree.build()) is None


@pytest.mark.anyio
async def test_repeated_attempts_keep_to_the_rate(virtual_clock: VirtualClock) -> None:
    """Without a wait of their own they have that of the limit."""
    tree = TreeBuilder("root", config=TreeTaskConfig(max_retries=3))
    tree.add_child("flaky", task=fails_times(3), limits=[Limit("rate", per_second=0.5)])
    begun = virtual_clock.now()

    assert await ended(tree.build()) is None
    assert virtual_clock.now() - begun == 6


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
