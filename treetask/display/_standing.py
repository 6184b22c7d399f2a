"""How the nodes below a node stand, in the words of a display, and the arithmetic of what part of them is hidden.

Asks the tree's own counters and never walks a subtree. A subtree's counters cost memory and a little of every change
from the first question on, so they are asked for only where addition does not give the answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from treetask.model import SubtreeStats, TaskNode, TaskStatus, TaskTree

#: Children that may be looked at one by one for a frame.
FEW: Final = 32
#: Levels above a group that may be looked at to find it out.
_CLIMB: Final = 64


class Standing(NamedTuple):
    """Nodes that do work, by what a person calls their state, and their progress."""

    done: int = 0
    running: int = 0
    waiting: int = 0
    failed: int = 0
    cancelled: int = 0
    skipped: int = 0
    #: Units done, and known.
    current: float = 0
    total: float = 0

    @property
    def nodes(self) -> int:
        """All of them."""
        return self.done + self.running + self.waiting + self.failed + self.cancelled + self.skipped

    def plus(self, other: Standing) -> Standing:
        """Return both together."""
        return Standing._make(mine + its for mine, its in zip(self, other, strict=True))

    def minus(self, other: Standing) -> Standing:
        """Return this without the other."""
        return Standing._make(mine - its for mine, its in zip(self, other, strict=True))

    def words(self) -> str:
        """Return `300 done, 10 running, 2 failed`: what is not zero; empty where all is."""
        return ", ".join(f"{count:,} {word}" for word, count in zip(self._fields[:6], self[:6], strict=True) if count)

    def more(self, children: int) -> str:
        """Return what stands for rows that are not shown: `312 more (300 done, 10 running, 2 failed)`.

        `children` is said where no node that is hidden does any work of its own.
        """
        words = self.words()
        return f"{self.nodes:,} more ({words})" if words else f"{children:,} more"


NOTHING: Final = Standing()

#: The place in a `Standing` that a status counts in.
_PLACE: Final = {
    TaskStatus.DONE: 0,
    TaskStatus.WORKING: 1,
    TaskStatus.RETRYING: 1,
    TaskStatus.PENDING: 2,
    TaskStatus.FAILED: 3,
    TaskStatus.TIMED_OUT: 3,
    TaskStatus.CANCELLED: 4,
    TaskStatus.SKIPPED: 5,
}


def of_stats(stats: SubtreeStats) -> Standing:
    """Return the tree's own numbers in the words of a display."""
    return Standing(
        done=stats.done,
        running=stats.working + stats.retrying,
        waiting=stats.pending,
        failed=stats.failed + stats.timed_out,
        cancelled=stats.cancelled,
        skipped=stats.skipped,
        current=stats.current,
        total=stats.total,
    )


def of_node(node: TaskNode) -> Standing:
    """Return what one node adds to those above it: nothing, where it has neither a body nor a progress."""
    numbers: list[float] = [0] * len(NOTHING)
    _add(numbers, node, 1)
    return Standing._make(numbers)


def _add(numbers: list[float], node: TaskNode, sign: int) -> None:
    """Add what one node is to the numbers of a standing, or take it away."""
    progress = node.progress
    if node.task_fn is None and progress is None:
        return
    status = node.status
    current, total = progress or (0, 1)
    numbers[_PLACE[status]] += sign
    numbers[-2] += sign * (total if status.is_terminal else current)
    numbers[-1] += sign * total


class Standings:
    """How subtrees stand at one moment; each is found out once."""

    def __init__(self, tree: TaskTree) -> None:
        self._tree = tree
        self._known: dict[TaskNode, Standing] = {}

    def below(self, node: TaskNode) -> Standing:
        """Return how the nodes below a node stand."""
        descent: list[TaskNode] = []
        group = node
        while group not in self._known and self._is_known_from_parent(group) and len(descent) < _CLIMB:
            descent.append(group)
            assert group.parent is not None
            group = group.parent
        standing = self._asked(group)
        for lower in reversed(descent):
            assert lower.parent is not None
            standing = self._known[lower] = standing.minus(_sum(lower.parent.children))
        return standing

    def whole(self, node: TaskNode) -> Standing:
        """Return a node and all below it."""
        return of_node(node).plus(self.below(node)) if node.children else of_node(node)

    def without(self, standing: Standing, nodes: Iterable[TaskNode]) -> Standing:
        """Return a standing without some nodes and all below them."""
        numbers: list[float] = list(standing)
        for node in nodes:
            _add(numbers, node, -1)
            if node.children:
                numbers = [mine - its for mine, its in zip(numbers, self.below(node), strict=True)]
        return Standing._make(numbers)

    def _asked(self, group: TaskNode) -> Standing:
        known = self._known.get(group)
        if known is None:
            known = _sum(group.children) if self._is_flat(group) else of_stats(self._tree.subtree_stats(group))
            self._known[group] = known
        return known

    def _is_flat(self, group: TaskNode) -> bool:
        if len(group.children) > FEW or self._tree.folded_children(group):
            return False
        return not any(child.children for child in group.children)

    def _is_known_from_parent(self, group: TaskNode) -> bool:
        """Whether a group has what its parent has without a few leaves, and cannot itself be added up at once."""
        parent = group.parent
        if parent is None or len(parent.children) > FEW or self._tree.folded_children(parent) or self._is_flat(group):
            return False
        return not any(child.children for child in parent.children if child is not group)


def of_leaves(tree: TaskTree) -> Standing:
    """Return the tasks of a whole tree, without the groups that ended as they did because of these."""
    counts = [0] * 6
    for status, count in tree.get_leaf_stats().items():
        if status != "total":
            counts[_PLACE[TaskStatus(status)]] += count
    return Standing(*counts)


def _sum(nodes: list[TaskNode]) -> Standing:
    numbers: list[float] = [0] * len(NOTHING)
    for node in nodes:
        _add(numbers, node, 1)
    return Standing._make(numbers)
