"""Which nodes get a row when rows are few, and what the rows cost.

What failed comes first, then what runs (the longest first), then what waits, then what is done (the newest first), each
with as many of its ancestors as fit. What is left out is counted on a row of its parent, which costs a row, too. A
group that has not started, and one that is over, is one row; only what failed in it is shown.

The candidates come from the tree's own lists of what is active, failed and ended last, and from a few children of what
is open: the cost depends on the rows, not on the tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice, pairwise
from typing import Final, NamedTuple

from treetask.display._standing import FEW
from treetask.model import TaskNode, TaskStatus, TaskTree

#: How far above a node an ancestor on the screen is looked for, and how many levels of a deep failure's path are kept.
_CLIMB: Final = 64
#: From so many rows on, the parts of the whole have theirs before what failed has.
_ROOMY: Final = 6
#: Of the rows, the part that failures leave to what runs.
_LEFT_TO_RUNNING: Final = 3


class Lineage(NamedTuple):
    """How deep a node is, and the topmost of its ancestors, from the root down."""

    depth: int
    top: tuple[TaskNode, ...]


class Selection:
    """The nodes that got a row so far, and what the rows cost."""

    def __init__(self, tree: TaskTree, height: int, max_depth: int | None, deep: Mapping[TaskNode, Lineage]) -> None:
        self._tree = tree
        self._height = height
        self._max_depth = max_depth
        self._used = 0
        self.deep = dict(deep)
        #: The nodes that have a row, with their depth on the screen: in the tree too, unless over a gap.
        self.shown: dict[TaskNode, int] = {}
        #: The rows below a row; a node stands below its parent, or, over a gap, below an ancestor.
        self.below: dict[TaskNode, list[TaskNode]] = {}
        self.gaps: dict[TaskNode, int] = {}
        #: What the nodes over a gap stand below.
        self.hosts_of_gaps: dict[TaskNode, TaskNode] = {}
        #: The nodes in those gaps: they get no row any more, since what is below them stands elsewhere.
        self._skipped: set[TaskNode] = set()
        #: How many of its own children a shown group shows.
        self.own: dict[TaskNode, int] = {}
        #: The groups whose hidden children are counted further up, each with the row below which they are.
        self.folded: dict[TaskNode, TaskNode] = {}
        self.hosts: set[TaskNode] = set()

    # -- choosing --------------------------------------------------------------------------------------------------

    def fill(self, held: Iterable[TaskNode]) -> None:
        """Give out the rows, the most important nodes first."""
        tree, height = self._tree, self._height
        if not self._begin(height // 2 if height >= _ROOMY else 0):
            return
        most = height - height // _LEFT_TO_RUNNING if len(tree.active) > 1 else height
        self._add_all(islice(tree.failed, height), up_to=most, forced=True)
        self._add_failures(1)
        self._add_all(filter(self.is_there, held))
        self._add_all(islice(tree.active, 4 * height + FEW))
        self._add_failures(height)
        self._add_all(self._waiting())
        self._add_all(self._ended_beside())
        self._add_all(reversed(tree.recent))

    def fill_final(self) -> None:
        """Give rows to what failed, and to the parts that the whole consists of, if these are few."""
        if self._begin(FEW):
            self._add_failures(self._height)

    def _begin(self, few: int) -> bool:
        """Give a row to the root, and to its children where these are few: they are what everything else is part of."""
        if self._height <= 0:
            return False
        root = self._tree.root
        self.shown[root] = 0
        self._used = 1
        if len(root.children) <= few:
            self._add_all(root.children)
        return True

    def _add_all(self, nodes: Iterable[TaskNode], *, up_to: int | None = None, forced: bool = False) -> None:
        most = self._height if up_to is None else up_to
        candidates = iter(nodes)
        for node in candidates:
            if self._used >= most:
                self._add_free(chain((node,), candidates), most, forced=forced)
                return
            if node not in self.shown:
                self._add(node, most, forced=forced)

    def _add_free(self, nodes: Iterable[TaskNode], most: int, *, forced: bool) -> None:
        """Give rows to those nodes that cost none, now that all are given out: mostly to nobody, so no node is read."""
        if lacking := {group for group in self.below if self._lacks_one(group)}:
            for node in nodes:
                if node.parent in lacking and node not in self.shown and self._add(node, most, forced=forced):
                    lacking.discard(node.parent)

    def _add_failures(self, count: int) -> None:
        """Give rows to that many failures, the earliest first, whatever is between them and what is shown."""
        for node in islice(self._tree.failed, count):
            if node in self.shown or self._used >= self._height:
                continue
            if not self._add(node, self._height, forced=True) and not node.children:
                self._add_over_gap(node)

    def _lacks_one(self, group: TaskNode) -> bool:
        """Whether a row for one more child takes the place of the one that counts it."""
        return group not in self.hosts and group not in self.folded and self.own.get(group, 0) == self.size(group) - 1

    def size(self, group: TaskNode) -> int:
        """Return how many children a group has, those that were folded into it included."""
        return len(group.children) + self._tree.folded_children(group)

    def is_there(self, node: TaskNode) -> bool:
        """Whether a node is in the tree still, or was folded and can be shown in its place."""
        folds = self._tree.folds
        return node in self._tree or (folds is not None and folds.is_folded_leaf(node))

    def _add(self, node: TaskNode, most: int, *, forced: bool) -> bool:
        """Give a node a row, and all its ancestors; return whether that was possible."""
        path = [node]
        above = node.parent
        while above is not None and above not in self.shown and len(path) < _CLIMB:
            path.append(above)
            above = above.parent
        if above is None or above not in self.shown or not self._skipped.isdisjoint(path):
            return False
        path.reverse()
        if not forced and not self._may_open(above, path):
            return False
        return self._place(above, path, most)

    def _add_over_gap(self, node: TaskNode) -> None:
        """Show a failure with as many of its ancestors, from the top, as there is room for."""
        depth, top = self._lineage(node)
        known = max((index for index, each in enumerate(top) if each in self.shown), default=None)
        if known is None:
            return  # it was removed from the tree
        above, between = top[known], top[known + 1 :]
        room = len(between) if self._max_depth is None else max(0, self._max_depth - known)
        blocked = next((index for index, each in enumerate(between) if each in self._skipped), len(between))
        for kept in range(min(room, blocked, len(between)), -1, -1):
            path = [*between[:kept], node]
            if self._place(above, path, self._height):
                self.gaps[node] = depth - known - kept - 1
                self.hosts_of_gaps[node] = path[-2] if kept else above
                self._skipped.update(between[kept:])
                return

    def _lineage(self, node: TaskNode) -> Lineage:
        lineage = self.deep.get(node)
        if lineage is None:
            ancestors = node.get_ancestors()
            lineage = Lineage(len(ancestors), tuple(reversed(ancestors[-_CLIMB:])))
            if len(ancestors) > _CLIMB:
                self.deep[node] = lineage
        return lineage

    def _may_open(self, above: TaskNode, path: list[TaskNode]) -> bool:
        """Whether the depth allows it and no group on the way is closed because it waits or is over."""
        if self._max_depth is not None and self.shown[above] + len(path) > self._max_depth:
            return False
        return not any(self._is_closed(group) for group in (above, *path[:-1]))

    def _is_closed(self, group: TaskNode) -> bool:
        """Whether a group is one row by its status: not started, or over, when only what failed in it is shown."""
        status = group.status
        return status is TaskStatus.PENDING or (status.is_terminal and group is not self._tree.root)

    def _place(self, above: TaskNode, path: list[TaskNode], most: int) -> bool:
        """Give rows to the nodes of a path, if that fits; return whether it did.

        Where rows are short, what the groups of the path hide is counted further up.
        """
        for folds in (False, True):
            cost = self._cost(above, path, folds=folds)
            if self._used + cost <= most:
                self._used += cost
                self._insert(above, path, folds=folds)
                return True
        return False

    def _cost(self, above: TaskNode, path: list[TaskNode], *, folds: bool) -> int:
        """Return the rows that a path adds, counting the rows that say what is hidden, which come and go with it."""
        shown = self.own.get(above, 0)
        had_more = above in self.below and self._has_more(above, shown)
        has_more = self._has_more(above, shown + (path[0].parent is above))
        if folds and len(path) > 1:
            return len(path) + (above not in self.folded) - had_more
        between = sum(self.size(group) > (child.parent is group) for group, child in pairwise(path))
        return len(path) + has_more - had_more + between

    def _has_more(self, group: TaskNode, shown: int) -> bool:
        """Whether a group has a row that counts what is hidden, when it shows so many of its children."""
        return group not in self.folded and (shown < self.size(group) or group in self.hosts)

    def _insert(self, above: TaskNode, path: list[TaskNode], *, folds: bool) -> None:
        if folds and len(path) > 1:
            host = self.folded.get(above, above)
            self.hosts.add(host)
            self.folded.update(dict.fromkeys(path[:-1], host))
        for node in path:
            self.own[above] = self.own.get(above, 0) + (node.parent is above)
            self.below.setdefault(above, []).append(node)
            self.shown[node] = self.shown[above] + 1
            above = node

    def _waiting(self) -> Iterator[TaskNode]:
        """Yield what comes next in the groups that run, the highest groups first."""
        for group in list(self.shown):
            if group.status is TaskStatus.WORKING and group.children:
                yield from _pending_children(group, self._height)

    def _ended_beside(self) -> Iterator[TaskNode]:
        """Yield what has ended beside what is shown, where a group has so few children that each can be looked at."""
        for group in [self._tree.root, *self.below]:
            if len(group.children) <= FEW:
                yield from (child for child in group.children if child.status.is_terminal)


def _pending_children(group: TaskNode, limit: int) -> list[TaskNode]:
    """Return the first children of a group that wait.

    Children mostly start in their order, so that in a long list the first one that waits is found by halving.
    """
    children = group.children
    low, high = 0, len(children)
    if high > FEW:
        while low < high:
            middle = (low + high) // 2
            if children[middle].status is TaskStatus.PENDING:
                high = middle
            else:
                low = middle + 1
        children = children[low : low + limit]
    return [child for child in children if child.status is TaskStatus.PENDING][:limit]
