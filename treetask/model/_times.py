"""How long nodes took to be done, added up."""

from __future__ import annotations

import math
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
        self.shortest = math.inf
        self.longest = -math.inf

    def add(self, node: TaskNode) -> None:
        """Add one node, if it has any such time."""
        is_done = node._status is TaskStatus.DONE and node._body is not None
        if is_done and node.started_at is not None and node.ended_at is not None:
            seconds = node.ended_at - node.started_at
            self.count += 1
            self.total += seconds
            self.shortest = min(self.shortest, seconds)
            self.longest = max(self.longest, seconds)

    def include(self, other: Times) -> None:
        """Add all that another one has added up."""
        self.count += other.count
        self.total += other.total
        self.shortest = min(self.shortest, other.shortest)
        self.longest = max(self.longest, other.longest)

    def stats(self) -> dict[str, Any]:
        """Return `count`, `total`, `average`, `min` and `max`; the last three are None where there was no node."""
        if not self.count:
            return {"count": 0, "total": 0, "average": None, "min": None, "max": None}
        average = self.total / self.count
        return {"count": self.count, "total": self.total, "average": average, "min": self.shortest, "max": self.longest}


def times_of(tree: TaskTree) -> Times:
    """Return the times of all nodes of a tree, the folded ones too."""
    times = Times()
    for node in tree.walk():
        times.add(node)
    if tree.folds is not None:
        tree.folds.add_times(times)
    return times
