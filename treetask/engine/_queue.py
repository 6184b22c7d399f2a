"""The nodes that may start, in the order in which they go: as they were declared, or by rank where ranks are given.

Only the queue: who is ready is decided in `_scheduler.py` and `_endings.py`, who is taken in `_slots.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Any

from treetask.model import TaskNode


def by_order(node: TaskNode) -> int:
    """Return the rank of a node where no others are given: its place in the order of declaration."""
    return node._order


class ReadyQueue:
    """A queue that is cheap while nodes become ready in the order of declaration, and right when they do not.

    Nodes that come in order stand in a line, which costs nothing to sort: behind it, or before it, as the children of a
    node do that was its head. The others wait in a heap beside it, and the earlier of the two heads goes first. With
    ranks of another kind all of them wait in the heap.
    """

    __slots__ = ("heap", "line", "rank")

    def __init__(self, rank: Callable[[TaskNode], Any] = by_order) -> None:
        self.line: deque[TaskNode] = deque()
        self.heap: list[tuple[Any, int, TaskNode]] = []
        self.rank = rank

    def push(self, node: TaskNode) -> None:
        """Add a node that may start."""
        line = self.line
        if self.rank is by_order:
            if not line or line[-1]._order < node._order:
                line.append(node)
                return
            if node._order < line[0]._order:
                line.appendleft(node)
                return
        # The second number keeps nodes from being compared.
        heappush(self.heap, (self.rank(node), id(node), node))

    def push_all(self, nodes: Sequence[TaskNode]) -> None:
        """Add nodes that stand in the order in which they were declared."""
        line = self.line
        if nodes and self.rank is by_order:
            if not line or line[-1]._order < nodes[0]._order:
                line.extend(nodes)
                return
            if nodes[-1]._order < line[0]._order:
                line.extendleft(reversed(nodes))
                return
        for node in nodes:
            self.push(node)

    def head_rank(self) -> Any:
        """Return the rank of the node that goes first. There has to be one."""
        line, heap = self.line, self.heap
        if not line:
            return heap[0][0]
        first = line[0]._order
        return heap[0][0] if heap and heap[0][0] < first else first

    def pop(self) -> TaskNode | None:
        """Return the node that goes first, or None if there is none."""
        line = self.line
        if self.heap and (not line or self.heap[0][0] < line[0]._order):
            return heappop(self.heap)[2]
        return line.popleft() if line else None

    def sort_anew(self, rank: Callable[[TaskNode], Any]) -> None:
        """From now on go by these ranks."""
        nodes = [*self.line, *(entry[2] for entry in self.heap)]
        self.line.clear()
        self.heap.clear()
        self.rank = rank
        for node in nodes:
            self.push(node)

    def __len__(self) -> int:
        return len(self.line) + len(self.heap)
