"""Where a node stands among those that are ready: by priority, then by the work that waits behind it, then by order.

The work behind a node is the longest path from its start to the end of the run, by `cost`: what is done last if it is
begun late. Of the list schedules this is the one by the highest level first (T. C. Hu, 1961). Bodies whose cost is not
known count as the median of those that are; groups without a body count nothing. Pure, and only made for trees in
which priorities or costs are given.

What comes while the tree runs is measured when it is first ready, with all that waits for it then; what was measured
stays as it was. A node that comes alone, as spawned ones do, is not even remembered: there may be millions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final, TypeAlias

from treetask.engine._waiting import Waiting
from treetask.model import DEFAULT_PRIORITY, TaskNode, TaskTree, goes_last, in_turn

#: Priority, the work behind (negative: most of it first), the order of declaration.
Rank: TypeAlias = tuple[int, float, int]
#: A node, and what of it is meant: its start, its end, or the start of those children that go last.
_Vertex: TypeAlias = tuple[TaskNode, int]

_START: Final = 0
_END: Final = 1
_LAST: Final = 2


class Ranks:
    """The ranks of the nodes in a run."""

    def __init__(self, tree: TaskTree, waiting: Waiting) -> None:
        self._waiting: Final = waiting
        #: The priorities of groups.
        self._priorities: Final[dict[TaskNode, int]] = {}
        #: The longest path from a vertex to the end of the run.
        self._ahead: Final[dict[_Vertex, float]] = {}
        #: The next in the sequence of each child whose parent was measured with it, and those parents.
        self._next: Final[dict[TaskNode, TaskNode]] = {}
        self._sequences: Final[set[TaskNode]] = set()
        self._has_costs: Final = waiting.features.has_costs
        self._unknown_cost = 0.0
        if self._has_costs:
            from statistics import median  # takes longer to import than most trees to rank

            known = [node.options.cost for node in tree.walk() if node.options.cost is not None]
            # Those that were known may have been discarded.
            self._unknown_cost = median(known) if known else 0.0
            self._measure((tree.root, _START))

    def of(self, node: TaskNode) -> Rank:
        """Return the rank of a node; the lowest goes first."""
        priority = node.options.priority
        if priority is None:
            priority = self._inherited(node.parent)
        return priority, -self._work_behind(node) if self._has_costs else 0.0, node._order

    def forget(self, nodes: Iterable[TaskNode]) -> None:
        """Let go nodes that were folded."""
        for node in nodes:
            self._priorities.pop(node, None)
            self._next.pop(node, None)
            self._sequences.discard(node)
            for which in (_START, _END, _LAST):
                self._ahead.pop((node, which), None)

    def _inherited(self, group: TaskNode | None) -> int:
        """Return what a group says, or the nearest above it that says anything."""
        path: list[TaskNode] = []
        found: int | None = None
        while group is not None and found is None:
            found = self._priorities.get(group, group.options.priority)
            path.append(group)
            group = group.parent
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
        ahead = self._ahead
        if (node, _START) in ahead:
            return ahead[node, _START]
        if not node._children and node not in self._waiting.dependents:
            return self._cost(node) + max((self._measured(each) for each in self._after(node)), default=0.0)
        return self._measured((node, _START))

    def _measured(self, vertex: _Vertex) -> float:
        if vertex not in self._ahead:
            self._measure(vertex)
        return self._ahead[vertex]

    def _measure(self, vertex: _Vertex) -> None:
        """Add up from the end: a vertex when all that waits for it has been."""
        ahead = self._ahead
        path = [vertex]
        while path:
            vertex = path[-1]
            if vertex in ahead:
                path.pop()
                continue
            followers = list(self._followers(vertex))
            missing = [each for each in followers if each not in ahead]
            if missing:
                path += missing
                continue
            node, which = path.pop()
            longest = max((ahead[each] for each in followers), default=0.0)
            ahead[vertex] = longest + self._cost(node) if which == _START else longest

    def _followers(self, vertex: _Vertex) -> Iterator[_Vertex]:
        """Yield what waits for a vertex."""
        node, which = vertex
        if which == _START:
            yield node, _END
            for child in node._children:
                yield child, _START
        elif which == _END:
            for dependent in self._waiting.dependents.get(node, ()):
                yield dependent, _START
            yield from self._after(node)
        else:
            for child in node._children:
                if goes_last(child):
                    yield child, _START

    def _after(self, node: TaskNode) -> Iterator[_Vertex]:
        """Yield what waits for the end of a node because of the place where it stands."""
        parent = node.parent
        if parent is None:
            return
        yield parent, _END
        if not parent.options.parallel:
            if parent not in self._sequences:
                self._sequences.add(parent)
                turns = in_turn(parent)
                self._next.update(pairwise(turns))
            if node in self._next:
                yield self._next[node], _START
        elif self._waiting.features.has_always and not goes_last(node):
            yield parent, _LAST
