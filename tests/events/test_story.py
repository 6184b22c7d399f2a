"""A run told from its end: what a report is made of."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.sentences import exactly
from treetask import TaskStatus, TreeTaskError
from treetask.events import (
    EndLine,
    Fault,
    Line,
    LogLine,
    NodeLine,
    ProgressLine,
    RemovalLine,
    StartLine,
    StatusLine,
    story_of,
)

DONE, FAILED, WORKING = TaskStatus.DONE, TaskStatus.FAILED, TaskStatus.WORKING


def lines(*rest: Line) -> list[Line]:
    """The lines of a run of `r`, which begins."""
    start = StartLine(seq=1, at=0, wall=100, version=1, root="r", name="R", run=7, target="app:r")
    return [start, node("r", parent=None), change("r", 0, "pending", "working"), *rest]


def node(name: str, *, parent: str | None = "r", at: float = 0, depends_on: Iterable[str] = ()) -> NodeLine:
    """A node is added."""
    return NodeLine(seq=2, at=at, wall=0, node=name, name=name, parent=parent, depends_on=tuple(depends_on))


def change(name: str, at: float, old: str, new: str, *faults: Fault) -> StatusLine:
    """A node goes from one status to another."""
    return StatusLine(seq=3, at=at, wall=0, node=name, attempt=1, old=old, new=new, faults=faults)


def test_attempts_have_their_times_and_what_they_raised() -> None:
    """The last one counts; the node's own time goes from the first start to the end."""
    fault = Fault(kind="OSError", message="not yet")
    story = story_of(
        lines(
            node("a"),
            change("a", 1, "pending", "working"),
            change("a", 2, "working", "retrying", fault),
            change("a", 5, "retrying", "working"),
            ProgressLine(seq=4, at=5.5, wall=0, node="a", attempt=2, progress=(3, 4)),
            change("a", 6, "working", "done"),
            change("r", 6, "working", "done"),
            EndLine(seq=9, at=6, wall=0, status="done", elapsed=6, counts={"done": 2}),
        )
    )

    a = story.nodes[1]
    assert [(each.number, each.started_at, each.ended_at, each.status, each.faults) for each in a.attempts] == [
        (1, 1, 2, FAILED, (fault,)),
        (2, 5, 6, DONE, ()),
    ]
    assert (a.started_at, a.ended_at, a.status, a.faults, a.progress) == (1, 6, DONE, (), (3, 4))
    assert (story.name, story.run, story.target, story.wall) == ("R", 7, "app:r", 100)
    assert (story.elapsed, story.status, story.counts) == (6, DONE, {DONE: 2})


def test_run_that_was_broken_off_is_told_as_it_was() -> None:
    """What ran then has an attempt without an end, and the counts are those of that moment."""
    story = story_of(lines(node("a"), change("a", 1, "pending", "working"), node("b", at=4)))

    assert (story.status, story.elapsed) == (WORKING, 4)
    assert [(each.status, each.ended_at) for each in story.nodes[1].attempts] == [(WORKING, None)]
    assert story.counts == {WORKING: 1, TaskStatus.PENDING: 1}


def test_nodes_are_in_the_order_of_the_tree_whenever_they_came() -> None:
    """Parents before children and siblings in order; what has left is not told, nor is anything below it."""
    story = story_of(
        lines(
            node("a"),
            node("b", depends_on=["a", "gone"]),
            node("gone"),
            node("gone/1", parent="gone"),
            node("a/1", parent="a"),
            RemovalLine(seq=8, at=1, wall=0, node="gone"),
            node("gone", at=2),
        )
    )

    assert [(each.id, each.parent, each.depends_on) for each in story.nodes] == [
        ("r", -1, ()),
        ("a", 0, ()),
        ("a/1", 1, ()),
        ("b", 0, (1, 4)),
        ("gone", 0, ()),
    ]


def test_node_of_a_group_that_is_repeated_begins_anew() -> None:
    """Its attempts are all told, one after another; its time is that of the last life."""
    story = story_of(
        lines(
            node("a"),
            change("a", 1, "pending", "working"),
            change("a", 2, "working", "failed", Fault(kind="", message="broken")),
            change("a", 2, "failed", "pending"),
            change("a", 5, "pending", "working"),
            change("a", 6, "working", "done"),
        )
    )

    a = story.nodes[1]
    assert [(each.number, each.status) for each in a.attempts] == [(1, FAILED), (2, DONE)]
    assert (a.started_at, a.ended_at) == (5, 6)


def test_logs_are_kept_to_the_last_64_kb() -> None:
    """For each node, and for what nobody is known to have put out."""
    text = "x" * 1_023
    logged = (
        LogLine(seq=4, at=1, wall=0, lines=(text, f"{number}"), node=who)
        for number in range(100)
        for who in ("r", None)
    )
    story = story_of(lines(*logged))

    for log in (story.nodes[0].log, story.log):
        assert log[-1] == "99"
        assert 60 * 1_024 < sum(len(line) + 1 for line in log) <= 64 * 1_024


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ([], "the events have no run_started and no node; expected those of a whole run"),
        (lines()[:1], "the events have no run_started and no node; expected those of a whole run"),
        (
            lines(change("b", 1, "pending", "working")),
            "the event of seq 3 is about node 'b', which none before it has added",
        ),
        (lines(node("r")), "the event of seq 2 adds node 'r', which is there already"),
        (lines(node("b", parent=None)), "the event of seq 2 adds a second root, 'b'"),
        (lines(RemovalLine(seq=4, at=0, wall=0, node="r")), "the event of seq 4 removes the root, 'r'"),
        (
            lines(change("r", 1, "working", "dreaming")),
            f"the event of seq 3 has status 'dreaming'; expected one of {', '.join(TaskStatus)}",
        ),
    ],
)
def test_lines_that_do_not_fit_together_are_refused(told: list[Line], message: str) -> None:
    """By their number and the node that they name."""
    with pytest.raises(TreeTaskError, match=exactly(message)):
        story_of(told)
