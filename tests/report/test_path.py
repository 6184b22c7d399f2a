"""The critical path: which nodes determined when a run ended."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, strategies

from tests.report.stories import DONE, WORKING, node, story
from treetask.events import Story
from treetask.report._path import Step, critical_path


def told(of: Story) -> list[tuple[str, float, float, float]]:
    """The steps, with names for places and times that can be compared."""
    return [
        (of.nodes[step.node].name, round(step.start, 3), round(step.end, 3), round(step.waited, 3))
        for step in critical_path(of)
    ]


def test_path_leads_through_what_was_waited_for() -> None:
    """Of two dependencies the one that ended last, not the one that took longest."""
    run = story(
        node("root", -1, (0, 9), has_body=False),
        node("long", 0, (0, 4)),
        node("short", 0, (4.5, 5)),
        node("last", 0, (5, 9), needs=[1, 2]),
    )

    assert told(run) == [("long", 0, 4, 0), ("short", 4.5, 5, 0.5), ("last", 5, 9, 0)]


def test_path_goes_down_into_the_group_that_was_waited_for() -> None:
    """What a body did before its first child, and after its last, is its own."""
    run = story(
        node("root", -1, (0, 9), has_body=False),
        node("crawl", 0, (0, 6)),
        node("fetch[a]", 1, (1, 3)),
        node("fetch[b]", 1, (1, 5)),
        node("publish", 0, (6, 9), needs=[1]),
    )

    assert told(run) == [("crawl", 0, 1, 0), ("fetch[b]", 1, 5, 0), ("crawl", 5, 6, 0), ("publish", 6, 9, 0)]


def test_node_without_dependencies_waited_for_a_sibling() -> None:
    """Whose turn or slot it took over, as far as anybody can tell; the gap between is told."""
    run = story(
        node("root", -1, (0, 5), has_body=False),
        node("a", 0, (0, 2)),
        node("b", 0, (0, 1)),
        node("c", 0, (2.5, 5)),
    )

    assert told(run) == [("a", 0, 2, 0), ("c", 2.5, 5, 0.5)]


def test_first_child_waited_for_what_its_group_waited_for() -> None:
    """The dependencies of a parent are those of all that is in it."""
    run = story(
        node("root", -1, (0, 4), has_body=False),
        node("extract", 0, (0, 2)),
        node("load", 0, (2, 4), has_body=False, needs=[1]),
        node("table", 2, (2, 4)),
    )

    assert told(run) == [("extract", 0, 2, 0), ("table", 2, 4, 0)]


def test_run_that_was_broken_off_has_the_path_to_what_still_ran() -> None:
    """What did not end was the last thing to be waited for."""
    unended = replace(node("b", 0, (2, 2), status=WORKING), ended_at=None)
    run = story(node("root", -1, (0, 4), has_body=False, status=WORKING), node("a", 0, (0, 1.5)), unended)

    assert told(run) == [("a", 0, 1.5, 0), ("b", 2, 4, 0.5)]


def test_wait_of_a_group_is_told_at_what_ran_first_in_it() -> None:
    """A group without a body does nothing itself."""
    run = story(
        node("root", -1, (0, 4), has_body=False),
        node("a", 0, (0, 1)),
        node("b", 0, (1.5, 4), has_body=False, needs=[1]),
        node("c", 2, (2, 4)),
    )

    assert told(run) == [("a", 0, 1, 0), ("c", 2, 4, 1)]


def test_root_with_a_body_did_something_first() -> None:
    """Before its first child, like any other group."""
    run = story(node("root", -1, (0, 3)), node("a", 0, (1, 3)))

    assert told(run) == [("root", 0, 1, 0), ("a", 1, 3, 0)]


def test_path_leads_through_what_was_waited_for_elsewhere() -> None:
    """A dependency need not be a sibling, and it counts if it ended later than those."""
    run = story(
        node("root", -1, (0, 6), has_body=False),
        node("load", 0, (0, 3.5), has_body=False),
        node("slow", 1, (0, 3)),
        node("clean", 1, (3, 3.5)),
        node("publish", 0, (0, 6), has_body=False),
        node("draft", 4, (0, 1)),
        node("check", 4, (3, 6), needs=[2]),
    )

    assert told(run) == [("slow", 0, 3, 0), ("check", 3, 6, 0)]


def test_run_in_which_nothing_began_has_no_path() -> None:
    """Of a root that waits there is nothing to tell."""
    assert critical_path(story(node("root", -1))) == []


@strategies.composite
def stories(draw: strategies.DrawFn) -> Story:
    """Runs whose nodes begin and end at few moments, so that many do at the same one, after earlier nodes."""
    nodes = [node("root", -1, (0, 20), has_body=draw(strategies.booleans()))]
    for number in range(1, draw(strategies.integers(1, 12))):
        parent = draw(strategies.integers(0, number - 1))
        begin = draw(strategies.integers(0, 6))
        times = (begin, begin + draw(strategies.integers(0, 6)))
        needs = draw(strategies.lists(strategies.integers(1, number - 1), max_size=2)) if number > 1 else []
        nodes.append(node(str(number), parent, times, has_body=draw(strategies.booleans()), needs=needs, status=DONE))
    return story(*nodes)


@given(stories())
def test_path_is_one_line_through_time(run: Story) -> None:
    """Whatever the times: it ends with the run, and each step begins where the one before ended, or waited since."""
    path = critical_path(run)

    assert path[-1].end == 20
    assert all(before.end == step.start - step.waited for before, step in pairwise(path))
    assert all(is_within(step, run) for step in path)


def is_within(step: Step, run: Story) -> bool:
    """Whether a step is a part of its node's time."""
    begun, ended = run.nodes[step.node].started_at, run.nodes[step.node].ended_at
    assert begun is not None
    assert ended is not None
    return begun <= step.start <= step.end <= ended
