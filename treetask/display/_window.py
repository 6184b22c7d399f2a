"""Which nodes a screen of few rows shows: a tree, a number of rows and a time go in, copies come out.

What failed comes first, then what runs (the longest first), then what waits, then what is done (the newest first), each
with as many of its ancestors as fit. What is left out is counted on a row of its parent. A group that has not started,
and one that ended well, is one row.

The cost depends on the rows, not on the tree: the candidates come from the tree's own lists of what is active, failed
and ended last, and from a few children of what is open. Knows no terminal and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Final, NamedTuple

from treetask.display._standing import FEW, Standing, Standings
from treetask.display._words import NOTE_SHOWN, has_ended, retries, trouble
from treetask.model import TaskNode, TaskStatus, TaskTree

#: A row that was shown stays at least so long, in seconds: what flickers cannot be read.
ROW_STAYS: Final = 0.5
#: How far above a node an ancestor on the screen is looked for, and how many levels of a deep failure's path are kept.
_CLIMB: Final = 64
#: Of the rows, the part that failures leave to what runs.
_LEFT_TO_RUNNING: Final = 3
#: Dependencies that one row names.
_DEPENDENCIES_SHOWN: Final = 3

_BAD_ENDS: Final = (TaskStatus.FAILED, TaskStatus.TIMED_OUT)


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A copy of what one row shows of a node. Times are on the tree's clock."""

    #: For each level below the root down to this row: whether its node is the last there.
    lasts: tuple[bool, ...]
    #: Levels between this row and the one above it that are not shown.
    gap: int
    name: str
    status: TaskStatus
    started_at: float | None
    ended_at: float | None
    #: Retries used, and the most there may be; None while there were none.
    retry: tuple[int, int] | None
    #: Units done and known, of the node itself or of all below it; None where neither says anything.
    progress: tuple[float, float] | None
    #: Why it failed, was skipped or waits.
    note: str


@dataclass(frozen=True, slots=True)
class MoreRow:
    """What stands for the children of a group that are not shown."""

    lasts: tuple[bool, ...]
    children: int
    standing: Standing


Row = NodeRow | MoreRow


@dataclass(frozen=True, slots=True)
class Window:
    """Copies of all that one frame shows."""

    rows: tuple[Row, ...]
    current: float
    total: float
    ended: bool
    running: int
    failed: int
    started_at: float | None
    ended_at: float | None
    #: When it was taken, on the tree's clock.
    at: float
    #: What the next window should know of this one.
    memory: Memory = field(compare=False, repr=False)


class Lineage(NamedTuple):
    """How deep a node is, and the topmost of its ancestors, from the root down."""

    depth: int
    top: tuple[TaskNode, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """What one window remembers for the next."""

    #: The nodes on it, each with the time from which on it has been shown without a break.
    since: dict[TaskNode, float] = field(default_factory=dict[TaskNode, float])
    #: The lineages of failures that are very deep: a long way to climb for every frame.
    deep: dict[TaskNode, Lineage] = field(default_factory=dict[TaskNode, Lineage])


def take_window(
    tree: TaskTree,
    height: int,
    max_depth: int | None,
    at: float,
    memory: Memory | None = None,
) -> Window:
    """Return what a region of `height` rows shows at the time `at`; the last row of a region is not counted here.

    `max_depth` limits how many levels below the root open; failures are shown below it too. With the `memory` of the
    window before, no row is gone before anybody could read it.
    """
    before = Memory() if memory is None else memory
    selection = _Selection(tree, height, max_depth, before.deep)
    selection.fill(node for node, since in before.since.items() if at - since < ROW_STAYS)
    remembered = Memory(
        {node: before.since.get(node, at) for node in selection.shown},
        {node: lineage for node, lineage in selection.deep.items() if node in selection.shown},
    )
    return _window(tree, selection, at, remembered)


def final_window(tree: TaskTree, height: int, max_depth: int | None, at: float) -> Window:
    """Return what is left behind of a tree that is over: what failed is open, everything else is closed."""
    selection = _Selection(tree, height, max_depth, {})
    selection.fill_final()
    return _window(tree, selection, at, Memory())


def _window(tree: TaskTree, selection: _Selection, at: float, memory: Memory) -> Window:
    leaves = tree.get_leaf_stats()
    stats = tree.get_progress_stats()
    return Window(
        rows=tuple(selection.rows()),
        current=stats["current"],
        total=stats["total"],
        ended=has_ended(tree),
        running=leaves["working"] + leaves["retrying"],
        failed=leaves["failed"] + leaves["timed_out"] or len(tree.failed),
        started_at=tree.root.started_at,
        ended_at=tree.root.ended_at,
        at=at,
        memory=memory,
    )


class _Selection:
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
        self._below: dict[TaskNode, list[TaskNode]] = {}
        self._gaps: dict[TaskNode, int] = {}
        #: The nodes in those gaps: they get no row any more, since what is below them stands elsewhere.
        self._skipped: set[TaskNode] = set()
        #: How many of its own children a shown group shows.
        self._own: dict[TaskNode, int] = {}

    # -- choosing --------------------------------------------------------------------------------------------------

    def fill(self, held: Iterable[TaskNode]) -> None:
        """Give out the rows, the most important nodes first."""
        tree, height = self._tree, self._height
        if not self._begin(height // 2):
            return
        most = height - height // _LEFT_TO_RUNNING if len(tree.active) > 1 else height
        self._add_all(islice(tree.failed, height), up_to=most, forced=True)
        self._add_all(held)
        self._add_all(islice(tree.active, 4 * height + FEW))
        self._add_all(islice(tree.failed, height), forced=True)
        self._add_all(self._waiting())
        self._add_all(self._ended_beside())
        self._add_all(reversed(tree.recent))

    def fill_final(self) -> None:
        """Give rows to what failed, and to the parts that the whole consists of, if these are few."""
        if self._begin(FEW):
            self._add_all(islice(self._tree.failed, self._height), forced=True)

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
        for node in nodes:
            if node in self.shown or (self._used >= most and not self._is_free(node)):
                continue
            if not self._add(node, most, forced=forced) and forced and not node.children:
                self._add_over_gap(node, most)

    def _is_free(self, node: TaskNode) -> bool:
        """Whether a row for a node takes the place of the one that counts it."""
        parent = node.parent
        return parent is not None and self._own.get(parent, 0) == len(parent.children) - 1

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
        if self._used + self._cost(above, path) > most:
            return False
        self._insert(above, path)
        return True

    def _add_over_gap(self, node: TaskNode, most: int) -> None:
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
            if self._used + self._cost(above, path) <= most:
                self._insert(above, path)
                self._gaps[node] = depth - known - kept - 1
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

    def _cost(self, above: TaskNode, path: list[TaskNode]) -> int:
        """Return the rows that a path adds, counting the rows that say what is hidden, which come and go with it."""
        had_more = above in self._below and self._own[above] < len(above.children)
        shown = self._own.get(above, 0) + (path[0].parent is above)
        cost = len(path) + (shown < len(above.children)) - had_more
        for group, child in pairwise(path):
            cost += len(group.children) > (child.parent is group)
        return cost

    def _insert(self, above: TaskNode, path: list[TaskNode]) -> None:
        self._used += self._cost(above, path)
        for node in path:
            self._own[above] = self._own.get(above, 0) + (node.parent is above)
            self._below.setdefault(above, []).append(node)
            self.shown[node] = self.shown[above] + 1
            above = node

    def _waiting(self) -> Iterator[TaskNode]:
        """Yield what comes next in the groups that run, the highest groups first."""
        for group in list(self.shown):
            if group.status is TaskStatus.WORKING and group.children:
                yield from _pending_children(group, self._height)

    def _ended_beside(self) -> Iterator[TaskNode]:
        """Yield what has ended beside what is shown, where a group has so few children that each can be looked at."""
        for group in [self._tree.root, *self._below]:
            if len(group.children) <= FEW:
                yield from (child for child in group.children if child.status.is_terminal)

    # -- drawing ---------------------------------------------------------------------------------------------------

    def rows(self) -> Iterator[Row]:
        """Yield the rows from the top down."""
        if not self.shown:
            return
        standings = Standings(self._tree)
        waiting: list[tuple[TaskNode, tuple[bool, ...]] | MoreRow] = [(self._tree.root, ())]
        while waiting:
            place = waiting.pop()
            if isinstance(place, MoreRow):
                yield place
                continue
            node, lasts = place
            yield self._node_row(node, lasts, standings)
            waiting.extend(reversed(self._places_below(node, lasts, standings)))

    def _places_below(
        self, node: TaskNode, lasts: tuple[bool, ...], standings: Standings
    ) -> list[tuple[TaskNode, tuple[bool, ...]] | MoreRow]:
        below = self._below.get(node)
        if below is None:
            return []
        below.sort(key=_order)
        places: list[tuple[TaskNode, tuple[bool, ...]] | MoreRow] = [(child, (*lasts, False)) for child in below]
        hidden = len(node.children) - self._own[node]
        if hidden:
            rest = standings.below(node)
            for child in below:
                rest = rest.minus(standings.whole(child))
            places.append(MoreRow((*lasts, True), hidden, rest))
        else:
            places[-1] = (below[-1], (*lasts, True))
        return places

    def _node_row(self, node: TaskNode, lasts: tuple[bool, ...], standings: Standings) -> NodeRow:
        return NodeRow(
            lasts=lasts,
            gap=self._gaps.get(node, 0),
            name=node.name,
            status=node.status,
            started_at=node.started_at,
            ended_at=node.ended_at,
            retry=retries(node, self._tree) if node.retry_count else None,
            progress=_progress(node, standings),
            note=_note(node, self._tree),
        )


def _order(node: TaskNode) -> int:
    return node._order


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


def _progress(node: TaskNode, standings: Standings) -> tuple[float, float] | None:
    if node.children and node.status is not TaskStatus.PENDING:
        standing = standings.below(node)
        return (standing.current, standing.total) if standing.total else None
    if node.progress is None or node.progress[1] <= 1 or node.status is TaskStatus.PENDING:
        return None
    current, total = node.progress
    return (total, total) if node.status is TaskStatus.DONE else (current, total)


def _note(node: TaskNode, tree: TaskTree) -> str:
    status = node.status
    if status in _BAD_ENDS or status is TaskStatus.RETRYING:
        return trouble(node)
    if node.reason is not None:
        return node.reason[: NOTE_SHOWN + 1]
    return _waited_for(node, tree) if status is TaskStatus.PENDING else ""


def _waited_for(node: TaskNode, tree: TaskTree) -> str:
    """Return `after crawl, parse`: the dependencies that have not ended."""
    if not node.options.depends_on:
        return ""
    names: list[str] = []
    for node_id in node.options.depends_on[:FEW]:
        needed = tree.find(node_id)
        if needed is not None and not needed.status.is_terminal:
            names.append(needed.name)
    if len(names) > _DEPENDENCIES_SHOWN:
        return f"after {', '.join(names[:_DEPENDENCIES_SHOWN])} and {len(names) - _DEPENDENCIES_SHOWN} more"
    return f"after {', '.join(names)}" if names else ""
