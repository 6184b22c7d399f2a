"""Which of those that may start goes first: priority, the longest way to the end, the order of declaration."""

from __future__ import annotations

from statistics import median

from tests.properties.facts import in_turn
from treetask import TaskNode, TaskTree
from treetask.model import goes_last


class Order:
    """The ranks of all nodes, worked out by recursion when there are costs; late nodes have none."""

    def __init__(self, tree: TaskTree) -> None:
        self._tree = tree
        self._ends: dict[TaskNode, float] = {}
        self._starts: dict[TaskNode, float] = {}
        self._median = 0.0
        #: Whether there have ever been priorities, and costs.
        self._has = (False, False)

    def note_options(self) -> None:
        """Measure all ways, if there is a cost; again only when the first cost or the first priority has come."""
        nodes = list(self._tree.walk())
        costs = [node.options.cost for node in nodes if node.options.cost is not None]
        has = self._has[0] or any(node.options.priority is not None for node in nodes), self._has[1] or bool(costs)
        if has != self._has:
            self._has = has
            if costs:
                self._median = median(costs)
                self._starts.clear()
                self._ends.clear()
                for node in nodes:
                    self._from_start(node)

    def goes_before(self, one: TaskNode, other: TaskNode) -> bool:
        """Whether one node certainly goes before another; of late nodes that is known by their priorities alone."""
        first, second = self._priority(one), self._priority(other)
        if first != second or not self._has[1]:
            return (first, one._order) < (second, other._order)
        if one not in self._starts or other not in self._starts:
            return False
        return (-self._starts[one], one._order) < (-self._starts[other], other._order)

    @staticmethod
    def _priority(node: TaskNode) -> int:
        said = (one.options.priority for one in (node, *node.get_ancestors()))
        return next((priority for priority in said if priority is not None), 2)

    def _cost(self, node: TaskNode) -> float:
        if node.options.cost is not None:
            return node.options.cost
        return 0 if node.task_fn is None else self._median

    def _from_start(self, node: TaskNode) -> float:
        if node not in self._starts:
            behind = [self._from_end(node), *map(self._from_start, node.children)]
            self._starts[node] = self._cost(node) + max(behind)
        return self._starts[node]

    def _from_end(self, node: TaskNode) -> float:
        if node not in self._ends:
            behind = [self._from_start(one) for one in self._tree.walk() if node.id in one.options.depends_on]
            parent = node.parent
            if parent is not None:
                behind.append(self._from_end(parent))
                if parent.parallel and not goes_last(node):
                    behind += [self._from_start(one) for one in parent.children if goes_last(one)]
                if not parent.parallel:
                    behind += [self._from_start(one) for one in in_turn(parent)[in_turn(parent).index(node) + 1 :][:1]]
            self._ends[node] = max(behind, default=0)
        return self._ends[node]
