"""How many nodes are in which state, kept up to date by addition and never by a walk.

The tree's own counters move at every change. A subtree's (`Roll`) are kept only below nodes that somebody has asked
about, and are settled when read: a change marks the groups above it stale, up to the first that already is, and a
reader adds up only what is stale. Whenever a node has a roll, every group below it has one too; a group without one
therefore needs no marking at all.

Knows of a node its status, progress, parent and children; not how it came to be so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from treetask.model._status import TaskStatus

if TYPE_CHECKING:
    from treetask.model._node import TaskNode

_STATUSES: Final = tuple(TaskStatus)
_WIDTH: Final = len(_STATUSES)

# A node counts in one of eight rows, by what it is: three bits.
HAS_CHILDREN: Final = 1
HAS_BODY: Final = 2
HAS_PROGRESS: Final = 4
_ROWS: Final = 8

# Where a roll keeps what is no status.
_CURRENT: Final = _WIDTH
_TOTAL: Final = _WIDTH + 1
_ROLL_WIDTH: Final = _WIDTH + 2


@dataclass(frozen=True, slots=True)
class SubtreeStats:
    """The nodes below a node that do work, by status, and their progress added up."""

    pending: int
    working: int
    retrying: int
    done: int
    failed: int
    cancelled: int
    skipped: int
    timed_out: int
    #: Units done; a node without a progress of its own counts as one unit.
    current: int
    #: Units known so far.
    total: int

    @property
    def finished(self) -> int:
        """Nodes in a terminal status."""
        return self.done + self.failed + self.cancelled + self.skipped + self.timed_out

    @property
    def count(self) -> int:
        """All nodes below that do work."""
        return self.finished + self.pending + self.working + self.retrying


def does_work(node: TaskNode) -> bool:
    """Whether a node counts in progress: it has a body, or was given a progress of its own."""
    return node._body is not None or node._progress is not None


def units(node: TaskNode) -> tuple[int, int]:
    """Return what a working node adds to progress: its own (current, total), or one unit; all of it once it ended."""
    current, total = node._progress or (0, 1)
    return (total if node._status.is_terminal else current), total


def row_of(node: TaskNode) -> int:
    """Return the node's place in `Counts.cells`, to which the slot of its status is added."""
    row = HAS_CHILDREN if node._children else 0
    if node._body is not None:
        row += HAS_BODY
    if node._progress is not None:
        row += HAS_PROGRESS
    return row * _WIDTH


class Counts:
    """The counters of a whole tree."""

    __slots__ = ("cells", "current", "total")

    @staticmethod
    def working(cells: Mapping[int, int]) -> int:
        """Return how many of the nodes that are counted in some cells do work."""
        return sum(number for cell, number in cells.items() if cell >= HAS_BODY * _WIDTH)

    def __init__(self) -> None:
        self.cells = [0] * (_ROWS * _WIDTH)
        # What the nodes with a progress of their own add up to.
        self.current = 0
        self.total = 0

    def include(self, node: TaskNode) -> None:
        """Count a node that came into the tree, or came back in another row."""
        self._add(node, 1)

    def exclude(self, node: TaskNode) -> None:
        """Stop counting a node, before it leaves the tree or changes its row."""
        self._add(node, -1)

    def _add(self, node: TaskNode, sign: int) -> None:
        self.cells[row_of(node) + node._status.slot] += sign
        if node._progress is not None:
            current, total = units(node)
            self.current += sign * current
            self.total += sign * total

    def by_status(self, *, without: int = 0, within: int = 0) -> dict[str, int]:
        """Return the nodes by status, and `total`, of the rows that have all bits of `within` and none of `without`."""
        sums = [0] * _WIDTH
        for row in range(_ROWS):
            if row & within == within and not row & without:
                start = row * _WIDTH
                for slot in range(_WIDTH):
                    sums[slot] += self.cells[start + slot]
        stats: dict[str, int] = {status.value: number for status, number in zip(_STATUSES, sums, strict=True)}
        stats["total"] = sum(sums)
        return stats

    def subtree_stats(self) -> SubtreeStats:
        """Return the counters of all nodes that do work."""
        body = self.by_status(within=HAS_BODY)
        bare = self.by_status(within=HAS_PROGRESS, without=HAS_BODY)
        plain = self.by_status(within=HAS_BODY, without=HAS_PROGRESS)
        ended = sum(plain[status.value] for status in _STATUSES if status.is_terminal)
        numbers = [body[status.value] + bare[status.value] for status in _STATUSES]
        return SubtreeStats(*[*numbers, self.current + ended, self.total + plain["total"]])

    def stats_below(self, root: TaskNode) -> SubtreeStats:
        """Return the same without the root of the tree."""
        stats = self.subtree_stats()
        if not does_work(root):
            return stats
        own = dict.fromkeys(SubtreeStats.__slots__, 0)
        own[root._status.value] = 1
        own["current"], own["total"] = units(root)
        return SubtreeStats(*(getattr(stats, name) - own[name] for name in SubtreeStats.__slots__))


class Roll:
    """What the nodes below one group add up to."""

    __slots__ = ("changed", "stale", "total", "unsent", "unsettled")

    def __init__(self) -> None:
        self.total = [0] * _ROLL_WIDTH
        #: What the children themselves added since this roll was settled.
        self.unsettled: list[int] | None = None
        #: What settling added that the group above has not taken yet.
        self.unsent: list[int] | None = None
        self.stale = False
        #: The child groups that are stale.
        self.changed: list[TaskNode] = []

    def stats(self) -> SubtreeStats:
        """Return what was added up when this roll was settled last."""
        return SubtreeStats(*self.total)

    def _settle(self) -> None:
        """Take in what came from the children and, for each stale group among them, from below it."""
        added = self.unsettled or [0] * _ROLL_WIDTH
        for child in self.changed:
            below = child._roll
            if below is not None and below.unsent is not None:
                _accumulate(added, below.unsent)
                below.unsent = None
        self.unsettled = None
        self.changed.clear()
        self.stale = False
        _accumulate(self.total, added)
        if self.unsent is None:
            self.unsent = added
        else:
            _accumulate(self.unsent, added)


def _accumulate(sums: list[int], more: list[int]) -> None:
    for slot in range(_ROLL_WIDTH):
        sums[slot] += more[slot]


def note_change(node: TaskNode, slot: int, number: int, current: int, total: int) -> None:
    """Add to what stands above a node: `number` nodes in the status of `slot`, and units of progress.

    Only to be called where the node's parent has a roll.
    """
    assert node.parent is not None
    note_below(node.parent, slot, number, current, total)


def note_below(group: TaskNode, slot: int, number: int, current: int, total: int) -> None:
    """The same for nodes right below `group`, which has a roll."""
    roll = group._roll
    assert roll is not None
    delta = roll.unsettled
    if delta is None:
        delta = roll.unsettled = [0] * _ROLL_WIDTH
    delta[slot] += number
    delta[_CURRENT] += current
    delta[_TOTAL] += total
    _mark_stale(group)


def note_move(group: TaskNode, old: int, new: int, current: int) -> None:
    """The same, quicker, where a child of `group`, which has a roll, goes from one slot to another."""
    roll = group._roll
    assert roll is not None
    delta = roll.unsettled
    if delta is None:
        delta = roll.unsettled = [0] * _ROLL_WIDTH
    delta[old] -= 1
    delta[new] += 1
    delta[_CURRENT] += current
    if not roll.stale:
        _mark_stale(group)


def _mark_stale(group: TaskNode) -> None:
    node: TaskNode | None = group
    while node is not None and node._roll is not None and not node._roll.stale:
        node._roll.stale = True
        above = node.parent
        if above is not None and above._roll is not None:
            above._roll.changed.append(node)
        node = above


def settled(group: TaskNode) -> Roll:
    """Return the roll of a group with everything below it added up; the first time by a walk of that subtree."""
    if group._roll is None:
        _open_rolls(group)
    stale: list[TaskNode] = []
    waiting = [group]
    while waiting:
        node = waiting.pop()
        roll = node._roll
        if roll is not None and roll.stale:
            stale.append(node)
            waiting.extend(roll.changed)
    for node in reversed(stale):
        assert node._roll is not None
        node._roll._settle()
    assert group._roll is not None
    return group._roll


def _open_rolls(top: TaskNode) -> None:
    """Give a roll to every group from `top` down that has none, and note in each what its own children add."""
    opened: list[TaskNode] = []
    waiting = [top]
    while waiting:
        group = waiting.pop()
        group._roll = Roll()
        opened.append(group)
        waiting.extend(child for child in group._children if child._children and child._roll is None)
    fresh = set(opened)
    for group in opened:
        assert group._roll is not None
        for child in group._children:
            if child._roll is not None and child not in fresh:
                # Somebody asked about this subtree before: what it holds was never sent up.
                group._roll.changed.append(child)
                _mark_stale(group)
            if does_work(child):
                note_change(child, child._status.slot, 1, *units(child))
    _note_folded(opened)


def _note_folded(opened: list[TaskNode]) -> None:
    """Add what was folded into groups whose rolls are new."""
    tree = opened[0]._tree
    if tree is None or tree.folds is None:
        return
    for group in opened:
        number, done = tree.folds.below(group)
        if number:
            note_below(group, TaskStatus.DONE.slot, number, done, done)


def unroll(child: TaskNode) -> None:
    """Take what a child and the nodes below it add out of the rolls above."""
    assert child.parent is not None
    settled(child.parent)
    below = settled(child).stats() if child._children else None
    for status in TaskStatus:
        number = getattr(below, status.value) if below is not None else 0
        if number:
            note_change(child, status.slot, -number, 0, 0)
    if below is not None:
        note_change(child, 0, 0, -below.current, -below.total)
    if does_work(child):
        current, total = units(child)
        note_change(child, child._status.slot, -1, -current, -total)
