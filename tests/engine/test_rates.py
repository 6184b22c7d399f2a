"""Named limits of so many starts in any second."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import anyio
import pytest

from tests.engine.desk import Desk
from tests.engine.limits import ONE, limited
from tests.engine.support import Log, ended, fails_times, ok
from treetask import Limit, TaskNode, TaskStatus, TreeBuilder, TreeTaskConfig
from treetask.testing import VirtualClock


def begun_at(desk: Desk, times: Iterable[float]) -> dict[float, list[str]]:
    """Return who begins at each of these times; bodies end at once."""
    begun: dict[float, list[str]] = {}
    for at in times:
        begun[at] = desk.look_again(at)
        for node_id in begun[at]:
            desk.end(node_id, at)
    return begun


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


# -- on the event loop -----------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("per_second", [0.5, 1, 2.5, 4, 10])
@pytest.mark.parametrize("max_concurrency", [None, 3])
async def test_no_window_of_a_second_sees_more_starts(
    per_second: float, max_concurrency: int | None, virtual_clock: VirtualClock
) -> None:
    """With bodies of any length, of which some fail and are repeated; and the limit is made use of."""
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
async def test_repeated_attempts_keep_to_the_rate(virtual_clock: VirtualClock) -> None:
    """Without a wait of their own they have that of the limit."""
    tree = TreeBuilder("root", config=TreeTaskConfig(max_retries=3))
    tree.add_child("flaky", task=fails_times(3), limits=[Limit("rate", per_second=0.5)])
    begun = virtual_clock.now()

    assert await ended(tree.build()) is None
    assert virtual_clock.now() - begun == 6
