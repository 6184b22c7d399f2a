"""How long nodes took to be done, added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treetask.model._status import TaskStatus

if TYPE_CHECKING:
    from treetask.model._node import TaskNode
    from treetask.model._tree import TaskTree


class Times:
    """The seconds of the nodes with a body that are done."""

    __slots__ = ("count", "longest", "shortest", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.shortest: float | None = None
        self.longest: float | None = None

    def add(self, node: TaskNode) -> None:
        """Add one node, if it has any such time."""
        is_done = node._status is TaskStatus.DONE and node._body is not None
        if is_done and node.started_at is not None and node.ended_at is not None:
            seconds = node.ended_at - node.started_at
            self._add(1, seconds, seconds, seconds)

    def include(self, other: Times) -> None:
        """Add all that another one has added up."""
        if other.shortest is not None and other.longest is not None:
            self._add(other.count, other.total, other.shortest, other.longest)

    def _add(self, count: int, total: float, shortest: float, longest: float) -> None:
        self.count += count
        self.total += total
        self.shortest = shortest if self.shortest is None else min(self.shortest, shortest)
        self.longest = longest if self.longest is None else max(self.longest, longest)

    def stats(self) -> dict[str, Any]:
        """Return `count`, `total`, `average`, `min` and `max`; the last three are None where there was no node."""
        average = self.total / self.count if self.count else None
        total = self.total if self.count else 0
        return {"count": self.count, "total": total, "average": average, "min": self.shortest, "max": self.longest}


def times_of(tree: TaskTree) -> Times:
    """Return the times of all nodes of a tree, the folded ones too."""
    times = Times()
    for node in tree.walk():
        times.add(node)
    if tree.folds is not None:
        tree.folds.add_times(times)
    return times
