"""Where a node stands among those that are ready: by priority, then by the work that waits behind it, then by order.

The work behind a node is the longest path from its start to the end of the run, by `cost`: what is done last if it is
begun late. Of the list schedules this is the one by the highest level first (T. C. Hu, 1961). Bodies whose cost is not
known count as the median of those that are; groups without a body count nothing. Pure, and only made for trees in
which priorities or costs are given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from treetask.engine._waiting import Waiting
from treetask.model import DEFAULT_PRIORITY, TaskNode, TaskTree, goes_last, in_turn

#: Priority, the work behind (negative: most of it first), the order of declaration.
Rank: TypeAlias = tuple[int, float, int]
#: A node, and whether its end is meant (else its start).
_Vertex: TypeAlias = tuple[TaskNode, bool]


class Ranks:
    """The ranks of the nodes in a run."""

    def __init__(self, tree: TaskTree, waiting: Waiting) -> None:
        self._waiting: Final = waiting
        self._priorities: Final[dict[TaskNode, int]] = {}
        #: The longest path from a vertex to the end of the run.
        self._ahead: Final[dict[_Vertex, float]] = {}
        self._unknown_cost = 0.0
        #: Whether there were costs when these ranks were made: they are measured only then.
        self.know_costs: Final = waiting.features.has_costs
        if self.know_costs:
            from statistics import median  # takes longer to import than most trees to rank

            self._unknown_cost = median(node.options.cost for node in tree.walk() if node.options.cost is not None)
            self._measure(tree.root)

    def of(self, node: TaskNode) -> Rank:
        """Return the rank of a node; the lowest goes first."""
        return self._priority(node), -self._work_behind(node), node._order

    def _priority(self, node: TaskNode) -> int:
        """Return what the node says, or the nearest above it that says anything."""
        path: list[TaskNode] = []
        above: TaskNode | None = node
        found: int | None = None
        while above is not None and found is None:
            found = self._priorities.get(above, above.options.priority)
            path.append(above)
            above = above.parent
        if found is None:
            found = DEFAULT_PRIORITY
        for each in path:
            self._priorities[each] = found
        return found

    def _cost(self, node: TaskNode) -> float:
        if node.options.cost is not None:
            return node.options.cost
        return 0.0 if node._body is None else self._unknown_cost

    def _work_behind(self, node: TaskNode) -> float:
        if not self.know_costs:
            return 0.0
        ahead = self._ahead.get((node, False))
        if ahead is None:
            # It came while the tree runs: what waits for it waits for its parent.
            after = self._ahead_of_end(node.parent)
            ahead = self._ahead[node, False] = self._cost(node) + after
            self._ahead[node, True] = after
        return ahead

    def _ahead_of_end(self, node: TaskNode | None) -> float:
        while node is not None:
            ahead = self._ahead.get((node, True))
            if ahead is not None:
                return ahead
            node = node.parent
        return 0.0

    def _measure(self, root: TaskNode) -> None:
        """Add up from the end: a vertex when all that waits for it has been."""
        ahead = self._ahead
        path: list[_Vertex] = [(root, False)]
        behind: dict[TaskNode, TaskNode] = {}
        while path:
            vertex = path[-1]
            if vertex in ahead:
                path.pop()
                continue
            missing = [each for each in self._followers(vertex, behind) if each not in ahead]
            if missing:
                path += missing
                continue
            node, is_end = path.pop()
            longest = max((ahead[each] for each in self._followers(vertex, behind)), default=0.0)
            ahead[vertex] = longest if is_end else longest + self._cost(node)

    def _followers(self, vertex: _Vertex, behind: dict[TaskNode, TaskNode]) -> Iterator[_Vertex]:
        """Yield what waits for a vertex. `behind` keeps the next in the sequence of each."""
        node, is_end = vertex
        if not is_end:
            yield node, True
            for child in node._children:
                yield child, False
            return
        for dependent in self._waiting.dependents.get(node, ()):
            yield dependent, False
        parent = node.parent
        if parent is None:
            return
        yield parent, True
        if not parent.options.parallel:
            if parent._children[0] not in behind:
                turns = in_turn(parent)
                behind.update(zip(turns, [*turns[1:], parent], strict=True))
            later = behind.get(node)
            if later is not None and later is not parent:
                yield later, False
        elif self._waiting.features.has_always and not goes_last(node):
            yield from ((each, False) for each in parent._children if goes_last(each))
