"""Statuses: strings with a place in the table of what may follow what."""

from __future__ import annotations

import copy
import json
import pickle
from itertools import product

import pytest

from tests.sentences import exactly
from treetask import StatusError, TaskNode, TaskStatus, TaskTree, TreeTaskError
from treetask.model import NEXT, TERMINAL

#: Every change that exists, as the rules of a run have it.
LEGAL = {
    "pending": {"working", "done", "failed", "cancelled", "skipped"},
    "working": {"retrying", "done", "failed", "cancelled", "timed_out"},
    "retrying": {"working", "failed", "cancelled", "timed_out"},
    "done": {"pending"},
    "failed": {"pending"},
    "cancelled": {"pending"},
    "skipped": {"pending"},
    "timed_out": {"pending"},
}


@pytest.mark.parametrize(("old", "new"), list(product(TaskStatus, TaskStatus)))
def test_table_holds_at_the_door(old: TaskStatus, new: TaskStatus) -> None:
    """What the table has is done; anything else is refused in words, and nothing has changed."""
    node = TaskNode("a", status=old)
    tree = TaskTree(node)
    version = tree.version

    if new in LEGAL[old]:
        tree.move(node, new, 1.0)
        assert (node.status, tree.get_stats()[new.value]) == (new, 1)
        return

    message = f"node 'a' cannot go from {old} to {new}: there is no such change"
    with pytest.raises(StatusError, match=exactly(message)) as caught:
        tree.move(node, new, 1.0)
    assert (node.status, tree.get_stats()[old.value], tree.version) == (old, 1, version)
    assert (caught.value.node_id, caught.value.old, caught.value.new) == ("a", old, new)
    assert isinstance(caught.value, TreeTaskError)


class Book:
    """A listener that writes down what it is told."""

    def __init__(self) -> None:
        self.changes: list[tuple[object, ...]] = []

    def status_changed(self, node: TaskNode, old: TaskStatus, new: TaskStatus, at: float) -> None:
        self.changes.append((old, new, at))

    def progress_changed(self, node: TaskNode) -> None:
        raise AssertionError("nobody changed a progress")

    def log_extended(self, node: TaskNode, lines: bytes) -> None:
        raise AssertionError("nobody put anything out")

    def node_added(self, node: TaskNode) -> None:
        raise AssertionError("nobody added a node")

    def node_removed(self, node: TaskNode) -> None:
        raise AssertionError("nobody removed a node")


async def body(node: TaskNode) -> None:
    """A body that is never run."""


@pytest.mark.parametrize("old", TaskStatus)
@pytest.mark.parametrize(
    "kind", ["plain", "no body", "a group", "progress", "below a group that was asked about", "root"]
)
def test_quick_changes_are_those_of_the_door(old: TaskStatus, kind: str) -> None:
    """To begin and to be done is written out for speed: every book is as `move` has it, and it refuses the same."""

    def books(quick: bool) -> tuple[object, ...]:
        node = TaskNode("a", status=old, task_fn=None if kind == "no body" else body)
        node.started_at = 0.5 if old in {"working", "retrying"} else None
        if kind == "a group":
            node.add_child(TaskNode("b"))
        if kind == "progress":
            node.progress = (1, 3)
        tree = TaskTree(node if kind == "root" else TaskNode("r", children=[TaskNode("g", children=[node])]))
        above = tree.root if kind == "root" else tree.root.children[0]
        if kind == "below a group that was asked about":
            tree.subtree_stats(above)
        book = Book()
        tree.listen(book)
        refused: list[str] = []
        for new, at in ((TaskStatus.WORKING, 1.0), (TaskStatus.DONE, 2.0)):
            door = {"working": tree.move_to_working, "done": tree.move_to_done}[new.value]
            try:
                door(node, at) if quick else tree.move(node, new, at)
            except StatusError as error:
                refused.append(str(error))
        lists = [[one.id for one in nodes] for nodes in (tree.active, tree.failed, tree.recent)]
        stats = (tree.get_stats(), tree.get_leaf_stats(), tree.get_work_node_stats(), tree.get_progress_stats())
        return (
            node.status, node.started_at, node.ended_at, tree.version, book.changes, refused, lists, stats,
            tree.subtree_stats(above),
        )  # fmt: skip

    assert books(quick=True) == books(quick=False)


def test_table_is_complete() -> None:
    """Every status has its line, and terminal ones are left by a reset alone."""
    assert {status.value: {after.value for after in NEXT[status]} for status in TaskStatus} == LEGAL
    assert {status.value for status in TERMINAL} == {"done", "failed", "cancelled", "skipped", "timed_out"}
    assert [status.is_terminal for status in TaskStatus] == [status in TERMINAL for status in TaskStatus]


@pytest.mark.parametrize("status", TaskStatus)
class TestAsText:
    def test_equals_its_value(self, status: TaskStatus) -> None:
        """Comparisons with plain strings hold in both directions, also as a key."""
        assert status == status.value
        assert status.value == status
        assert status != "finished"
        assert {status.value: 1}[status] == 1
        assert {status: 1}[TaskStatus(status.value)] == 1

    def test_prints_as_its_value(self, status: TaskStatus) -> None:
        """`str`, f-strings, formats with a width and `%s` give the value, on every Python."""
        assert str(status) == status.value
        assert f"{status}" == status.value
        assert f"{status:>12}" == status.value.rjust(12)
        assert "%s" % status == status.value  # noqa: UP031 - this way of printing is tested

    def test_travels(self, status: TaskStatus) -> None:
        """A copy and what comes back from a pickle are the same member; JSON has the value."""
        assert copy.deepcopy(status) is status
        assert pickle.loads(pickle.dumps(status)) is status
        assert json.dumps(status) == f'"{status.value}"'


def test_slots_are_places_in_order() -> None:
    """Counters are addressed by them."""
    assert [status.slot for status in TaskStatus] == list(range(len(TaskStatus)))


class TestStamps:
    def test_first_start_and_last_end(self) -> None:
        """A start is stamped once; an end whenever a terminal status is reached."""
        tree = TaskTree(TaskNode("a"))
        seen: list[tuple[float | None, float | None]] = []
        for status, at in [("working", 1.0), ("retrying", 2.0), ("working", 3.0), ("failed", 4.0)]:
            tree.move(tree.root, TaskStatus(status), at)
            seen.append((tree.root.started_at, tree.root.ended_at))

        assert seen == [(1.0, None), (1.0, None), (1.0, None), (1.0, 4.0)]

    def test_stamp_of_zero_is_a_stamp(self) -> None:
        """A clock may begin at 0."""
        tree = TaskTree(TaskNode("a"))
        tree.move(tree.root, TaskStatus.WORKING, 0.0)
        tree.move(tree.root, TaskStatus.RETRYING, 1.0)
        tree.move(tree.root, TaskStatus.WORKING, 2.0)

        assert tree.root.started_at == 0.0
