"""What a screen of few rows shows of a tree: a tree, a number of rows and a time go in, copies come out.

The copies are all that a frame is painted from, on whatever thread. Knows no terminal and no clock; which nodes get a
row is found in `_selection`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from treetask.display._selection import Lineage, Selection
from treetask.display._standing import FEW, NOTHING, Standing, Standings
from treetask.display._words import NOTE_SHOWN, has_ended, retries, trouble
from treetask.model import FAILURES, TaskNode, TaskStatus, TaskTree, remaining_seconds

#: A row that was shown stays at least so long, in seconds: what flickers cannot be read.
ROW_STAYS: Final = 0.5
#: How many groups of one child each are looked through for the parts of the whole.
_WRAPPINGS: Final = 4
#: Dependencies that one row names.
_DEPENDENCIES_SHOWN: Final = 3


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
    #: How many attempts have begun.
    attempts: int
    #: The retries so far and the most that there may be, as `2/3`; empty while there was none.
    retry: str
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


Row: TypeAlias = NodeRow | MoreRow
#: What is still to be drawn: a node with its place among its siblings and theirs above, or a row as it is.
_Place: TypeAlias = tuple[TaskNode, tuple[bool, ...]] | MoreRow


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
    #: How many seconds the run will still take; None if that is unknown.
    remaining: float | None
    #: What the next window should know of this one.
    memory: Memory = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Sight:
    """Copies of all that is shown until the next look, where keys may have made something else of it."""

    window: Window
    #: The row that is selected.
    selected: int | None = None
    #: What takes the place of the rows: what it is, and lines.
    title: str = ""
    page: tuple[str, ...] = ()
    #: What is said in place of the last line, and until when.
    said: str = ""
    said_until: float = 0.0
    #: What the last line says first, and, if there is room, at its end.
    state: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """What one window remembers for the next."""

    #: The nodes on it, each with the time from which on it has been shown without a break.
    since: dict[TaskNode, float] = field(default_factory=dict[TaskNode, float])
    #: The lineages of failures that are very deep: a long way to climb for every frame.
    deep: dict[TaskNode, Lineage] = field(default_factory=dict[TaskNode, Lineage])
    #: What the display chose last.
    selection: Selection | None = None


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
    selection = Selection(tree, height, max_depth, before.deep)
    selection.fill(node for node, since in before.since.items() if at - since < ROW_STAYS)
    remembered = Memory(
        {node: before.since.get(node, at) for node in selection.shown},
        {node: lineage for node, lineage in selection.deep.items() if node in selection.shown},
        selection,
    )
    return window_of(tree, _rows(tree, selection), at, remembered)


def final_window(tree: TaskTree, height: int, max_depth: int | None, at: float) -> Window:
    """Return what is left behind of a tree that is over: what failed is open, everything else is closed."""
    selection = Selection(tree, height, max_depth, {})
    selection.fill_final()
    return window_of(tree, _rows(tree, selection), at, Memory())


def window_of(tree: TaskTree, rows: Iterable[Row], at: float, memory: Memory) -> Window:
    """Return some rows with what the last line says of a tree."""
    leaves = tree.get_leaf_stats()
    stats = tree.get_progress_stats()
    return Window(
        rows=tuple(rows),
        current=stats["current"],
        total=stats["total"],
        ended=has_ended(tree),
        running=leaves["working"] + leaves["retrying"],
        failed=leaves["failed"] + leaves["timed_out"] or len(tree.failed),
        started_at=tree.root.started_at,
        ended_at=tree.root.ended_at,
        at=at,
        remaining=_remaining(tree, stats["current"], stats["total"], at),
        memory=memory,
    )


def _remaining(tree: TaskTree, current: float, total: float, at: float) -> float | None:
    """Return what the run still takes, if not by earlier ones then by its own pace, or by that of its slowest part.

    Many small tasks that are done say little of the large ones that are not.
    """
    root = tree.root
    if root.started_at is None or root.status.is_terminal:
        return None
    whole = remaining_seconds(at - root.started_at, _share(current, total), tree.forecast)
    if whole is None or tree.forecast is not None:
        return whole
    standings = Standings(tree)
    parts = [
        remaining_seconds(at - part.started_at, _share(below.current, below.total), None)
        for part in _parts(tree)
        if part.status is TaskStatus.WORKING and part.started_at is not None
        for below in [standings.below(part)]
    ]
    return max(whole, *(part for part in parts if part is not None), 0.0)


def _parts(tree: TaskTree) -> list[TaskNode]:
    """Return the groups that a whole of few parts consists of."""
    children = tree.root.children
    for _ in range(_WRAPPINGS):
        if len(children) == 1 and children[0].children:
            children = children[0].children
    return [child for child in children if child.children] if len(children) <= FEW else []


def _share(current: float, total: float) -> float:
    return current / total if total > 0 else 0.0


def _rows(tree: TaskTree, selection: Selection) -> Iterator[Row]:
    """Yield the rows from the top down."""
    if not selection.shown:
        return
    standings = Standings(tree)
    waiting: list[_Place] = [(tree.root, ())]
    while waiting:
        place = waiting.pop()
        if isinstance(place, MoreRow):
            yield place
            continue
        node, lasts = place
        yield node_row(tree, node, lasts, selection.gaps.get(node, 0), standings)
        waiting.extend(reversed(_places_below(node, lasts, selection, standings)))


def _places_below(node: TaskNode, lasts: tuple[bool, ...], selection: Selection, standings: Standings) -> list[_Place]:
    below = selection.below.get(node)
    if below is None:
        return []
    below.sort(key=_order)
    places: list[_Place] = [(child, (*lasts, False)) for child in below]
    counted = [] if node in selection.folded else [node]
    if node in selection.hosts:
        counted += [group for group, host in selection.folded.items() if host is node]
    children = sum(selection.size(group) - selection.own[group] for group in counted)
    if children:
        rest = NOTHING
        for group in counted:
            rest = standings.without(rest.plus(standings.below(group)), selection.below[group])
        places.append(MoreRow((*lasts, True), children, rest))
    else:
        places[-1] = (below[-1], (*lasts, True))
    return places


def node_row(tree: TaskTree, node: TaskNode, lasts: tuple[bool, ...], gap: int, standings: Standings) -> NodeRow:
    """Return the row of a node."""
    return NodeRow(
        lasts=lasts,
        gap=gap,
        name=node.name,
        status=node.status,
        started_at=node.started_at,
        ended_at=node.ended_at,
        attempts=node.retry_count + 1,
        retry=retries(node, tree) if node.retry_count else "",
        progress=_progress(node, standings),
        note=_note(node, tree),
    )


def _order(node: TaskNode) -> int:
    return node._order


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
    if status in FAILURES or status is TaskStatus.RETRYING:
        return trouble(node)
    said = _waited_for(node, tree) if status is TaskStatus.PENDING else ""
    return said or (node.reason or "")[: NOTE_SHOWN + 1]


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
