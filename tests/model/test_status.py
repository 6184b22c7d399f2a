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
