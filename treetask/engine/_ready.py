"""The nodes that may start, in the order in which they were declared."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush

from treetask.model import TaskNode


class ReadyQueue:
    """A queue that is cheap while nodes become ready in their order, and right when they do not.

    Nodes that come in order stand in a line, which costs nothing to sort; the others wait in a heap beside it, and the
    earlier of the two heads goes first.
    """

    __slots__ = ("heap", "line")

    def __init__(self) -> None:
        self.line: deque[TaskNode] = deque()
        self.heap: list[tuple[int, int, TaskNode]] = []

    def push(self, node: TaskNode) -> None:
        """Add a node that may start."""
        line = self.line
        if not line or line[-1]._order < node._order:
            line.append(node)
        else:
            # The second number keeps nodes from being compared.
            heappush(self.heap, (node._order, id(node), node))

    def push_all(self, nodes: Sequence[TaskNode]) -> None:
        """Add nodes that stand in the order in which they were declared."""
        if nodes and (not self.line or self.line[-1]._order < nodes[0]._order):
            self.line.extend(nodes)
        else:
            for node in nodes:
                self.push(node)

    def pop(self) -> TaskNode | None:
        """Return the node that goes first, or None if there is none."""
        line = self.line
        if self.heap and (not line or self.heap[0][0] < line[0]._order):
            return heappop(self.heap)[2]
        return line.popleft() if line else None

    def __len__(self) -> int:
        return len(self.line) + len(self.heap)
