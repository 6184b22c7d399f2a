"""Bars, lanes, the curve of what ran at once, distinct failures, and where the time went."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, strategies

from tests.report.stories import DONE, FAILED, WORKING, node, story
from treetask.events import Attempt, Fault, Frame, Story
from treetask.report._bars import bars_of, concurrency
from treetask.report._findings import Kind, busy_times, distinct_failures, kinds, slowest


def test_lanes_are_as_few_as_can_be() -> None:
    """A bar lies in the lowest lane that is free, also at the moment at which another one ends."""
    run = story(
        node("root", -1, (0, 4), has_body=False), node("a", 0, (0, 2)), node("b", 0, (1, 4)), node("c", 0, (2, 3))
    )

    assert [(run.nodes[bar.node].name, bar.lane) for bar in bars_of(run)] == [("a", 0), ("b", 1), ("c", 0)]


def test_each_attempt_is_a_bar_of_its_own() -> None:
    """The one that is not over lasts until the end of what is on record."""
    attempts = [Attempt(1, 0, 1, FAILED), Attempt(2, 2, None, WORKING)]
    run = story(node("root", -1, (0, 5), has_body=False), node("a", 0, (0, 5), attempts=attempts, status=WORKING))

    assert [(bar.number, bar.start, bar.end, bar.status) for bar in bars_of(run)] == [
        (1, 0, 1, FAILED),
        (2, 2, 5, WORKING),
    ]


def test_body_that_waits_for_its_children_does_not_count_as_running() -> None:
    """It would be counted beside each of them."""
    run = story(node("root", -1, (0, 4)), node("a", 0, (0, 2)), node("b", 0, (1, 3)), node("c", 0, (3, 4)))

    assert concurrency(run, bars_of(run)) == [(0, 1), (1, 2), (2, 1), (4, 0)]


@given(strategies.lists(strategies.tuples(strategies.integers(0, 9), strategies.integers(0, 5)), max_size=20))
def test_bars_of_a_lane_never_overlap(times: list[tuple[int, int]]) -> None:
    """Whatever the times, and there are no more lanes than bodies at once."""
    leaves = [node(str(number), 0, (begin, begin + took)) for number, (begin, took) in enumerate(times)]
    run = story(node("root", -1, (0, 20), has_body=False), *leaves)
    bars = bars_of(run)
    most = max((running for _, running in concurrency(run, bars)), default=0)

    for lane in {bar.lane for bar in bars}:
        mine = [bar for bar in bars if bar.lane == lane]
        assert all(one.end <= other.start for one, other in pairwise(mine))
    assert len({bar.lane for bar in bars if bar.end > bar.start}) <= most + any(not took for _, took in times)


def test_same_failures_are_one() -> None:
    """Of the same kind, message and place; a group that failed for what is below it is none."""
    fault, elsewhere = (Fault("OSError", "gone", (Frame("app.py", line, "fetch"),)) for line in (3, 9))
    run = story(
        node("root", -1, (0, 1), status=FAILED, failed_below=True),
        node("a", 0, (0, 1), status=FAILED, faults=[fault]),
        node("b", 0, (0, 1), status=FAILED, faults=[elsewhere]),
        node("c", 0, (0, 1), status=FAILED, faults=[fault]),
        node("d", 0, (0, 1), status=DONE),
        node("e", 0, (0, 1), status=FAILED, reason="gave up"),
    )

    assert distinct_failures(run) == [[1, 3], [2], [5]]


def timed() -> Story:
    """Two declarations, one of them with children below a group that waits for them."""
    return story(
        node("root", -1, (0, 9), has_body=False),
        node("crawl", 0, (0, 9)),
        node("fetch[a]", 1, (0, 1)),
        node("fetch[b]", 1, (0, 5), attempts=[Attempt(1, 0, 1, FAILED), Attempt(2, 3, 5, DONE)]),
        node("fetch[c]", 1, (0, 2), status=FAILED),
        node("publish", 0, (5, 9)),
    )


def test_slowest_are_those_whose_bodies_ran_longest() -> None:
    """Waits between attempts do not count, nor bodies that wait for their children."""
    run = timed()
    times = busy_times(bars_of(run))

    found = [(run.nodes[place].name, times[place]) for place in slowest(run, times)]
    assert found == [("publish", 4), ("fetch[b]", 3), ("fetch[c]", 2), ("fetch[a]", 1)]


def test_kinds_gather_what_differs_in_its_arguments_alone() -> None:
    """The kind that took the most time first."""
    run = timed()

    assert kinds(run, busy_times(bars_of(run))) == [
        Kind("fetch", 3, 1, 6, 2, 3),
        Kind("publish", 1, 0, 4, 4, 4),
    ]
