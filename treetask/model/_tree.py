"""A tree of nodes with its index and counters, and the one door for status changes.

`TaskTree.move` is that door: it checks the transition table, takes the stamp, moves the counters and tells the
listener. (`move_to_working` and `move_to_done` are the same, written out for the two changes that are made most.)
Everything that shows, records or reacts listens there and nowhere else. While an engine runs the tree, whatever would
change it from outside (`add`, `set_progress`, `extend_log`) is handed to that engine, which knows threads and order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from treetask import _clock
from treetask._errors import DefinitionError, DuplicateNodeError, FinishedParentError, StatusError, TreeRunningError
from treetask.model._body import TaskFunction
from treetask.model._children import append
from treetask.model._config import TreeTaskConfig
from treetask.model._counts import (
    HAS_BODY,
    HAS_CHILDREN,
    HAS_PROGRESS,
    Counts,
    Roll,
    SubtreeStats,
    does_work,
    note_change,
    note_move,
    settled,
    units,
    unroll,
)
from treetask.model._driver import Driver, Listener
from treetask.model._node import TaskNode, check_free
from treetask.model._snapshot import TreeDict, tree_to_dict
from treetask.model._status import FAILURES, NEXT, TaskStatus
from treetask.model._times import times_of

if TYPE_CHECKING:
    from treetask.model._folds import Folds
    from treetask.model._forecast import Forecast
    from treetask.model._selection import Selection
    from treetask.model._selectors import Endings

#: How many of the newest endings a tree remembers for displays; a screen shows fewer.
RECENT_ENDINGS: Final = 100

_WORKING: Final = TaskStatus.WORKING
_PENDING: Final = TaskStatus.PENDING
_DONE: Final = TaskStatus.DONE

_PENDING_SLOT: Final = _PENDING.slot
_WORKING_SLOT: Final = _WORKING.slot
_DONE_SLOT: Final = _DONE.slot


class TaskTree:
    """The nodes below one root, found by id, counted by status.

    Raises `DuplicateNodeError` if two nodes have one id, `DefinitionError` if `root` belongs to another tree.
    """

    def __init__(self, root: TaskNode, config: TreeTaskConfig | None = None) -> None:
        if not isinstance(root, TaskNode):
            raise TypeError(f"the root of a tree is {root!r}; expected a TaskNode")
        if root.parent is not None:
            raise DefinitionError(f"node '{root.id}' cannot be a root: it is a child of '{root.parent.id}'")
        if root._tree is not None:
            raise DefinitionError(f"node '{root.id}' cannot be a root: it is the root of another tree")
        if config is not None and not isinstance(config, TreeTaskConfig):
            raise TypeError(f"the config of tree '{root.id}' is {config!r}; expected a TreeTaskConfig")
        self.root: Final = root
        self.config = TreeTaskConfig() if config is None else config
        #: Nodes that run or wait for their next attempt, the longest first.
        self.active: Final[dict[TaskNode, None]] = {}
        #: Nodes that failed or timed out, the earliest first.
        self.failed: Final[dict[TaskNode, None]] = {}
        #: The nodes that ended last, the newest last.
        self.recent: Final[deque[TaskNode]] = deque(maxlen=RECENT_ENDINGS)
        #: Grows with every change; equal values mean that nothing happened in between.
        self.version = 0
        #: The dependencies as they were resolved last, and the version of the tree then.
        self.resolved: tuple[int, object] = (-1, None)
        #: Progress that other threads have set and the engine has not counted yet.
        self.late_progress: Final[dict[TaskNode, tuple[int, int] | None]] = {}
        #: Gets the lines that no longer fit into the log of a node, the oldest first. Must not raise.
        self.overflow: Callable[[TaskNode, bytes], None] | None = None
        #: What it was compiled from, for who compiled it.
        self.made_from: Any = None
        #: What a run has that no node makes, by what it was declared as: parameters, resources.
        self.given: Final[dict[Any, Any]] = {}
        #: What earlier runs of the same tree say of this one, if somebody knows.
        self.forecast: Forecast | None = None
        self._index: dict[str, TaskNode] = {}
        #: What was folded into groups that say so; made when first needed.
        self.folds: Folds | None = None
        #: What was selected of the tree, if `select` was called.
        self.selection: Selection | None = None
        self._counts = Counts()
        #: How many nodes have ever come in: what orders them by their coming.
        self._entered = 0
        #: Which of them came in while it ran last: after one number, up to the other.
        self._came_in_run = (0, 0)
        self._driver: Driver | None = None
        self._has_run = False
        #: Whether an executor is about to run it.
        self.is_claimed = False
        self._listener: Listener | None = None
        self._check_ids(root, None)
        self._enter_all(root)

    # -- reading ---------------------------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether an engine runs this tree now."""
        return self._driver is not None

    def now(self) -> float:
        """Return the clock that this tree's stamps are on, in seconds."""
        return _clock.monotonic() if self._driver is None else self._driver.now()

    def find(self, node_id: str) -> TaskNode | None:
        """Return the node of that id, or None."""
        return self._index.get(node_id)

    def ids(self) -> list[str]:
        """Return the ids of all nodes, in the order in which they came into the tree."""
        return list(self._index)

    def folded_children(self, group: TaskNode) -> int:
        """Return how many children of a group were folded into it: done, and gone from its `children`."""
        return 0 if self.folds is None else self.folds.children(group)

    def was_folded(self, node_id: str) -> bool:
        """Return whether a node of that id was folded into a group above it, being done."""
        return self.folds is not None and self.folds.has(node_id)

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, node: object) -> bool:
        return isinstance(node, TaskNode) and node._tree is self

    def walk(self, depth_first: bool = True) -> Iterator[TaskNode]:  # noqa: FBT001, FBT002 - the printed API
        """Yield all nodes, parents before children: branch after branch, or level after level."""
        if depth_first:
            yield from self.root.walk()
            return
        waiting = deque([self.root])
        while waiting:
            node = waiting.popleft()
            yield node
            waiting.extend(node._children)

    def get_stats(self) -> dict[str, int]:
        """Return how many nodes are in each status, and the `total`."""
        return self._counts.by_status()

    def get_leaf_stats(self) -> dict[str, int]:
        """Return the same for the nodes without children."""
        return self._counts.by_status(without=HAS_CHILDREN)

    def get_work_node_stats(self) -> dict[str, int]:
        """Return the same for the nodes with a body."""
        return self._counts.by_status(within=HAS_BODY)

    def get_progress_stats(self) -> dict[str, int]:
        """Return the progress of all nodes that do work: `current` and `total` units, and nodes by status.

        A node counts with its own (current, total), or as one unit; once it ended it counts in full. Nodes with
        neither a body nor a progress count for nothing. `nodes_with_progress` set one of their own.
        """
        stats = self._counts.subtree_stats()
        shown = {name: getattr(stats, name) for name in ("current", "total", "done", "working", "pending", "failed")}
        return {**shown, "nodes_with_progress": self._counts.by_status(within=HAS_PROGRESS)["total"]}

    def subtree_stats(self, node: TaskNode) -> SubtreeStats:
        """Return how the nodes below one node stand. The root's are free; others are kept from the first call on."""
        if node._tree is not self:
            raise DefinitionError(f"node '{node.id}' is not in tree '{self.root.id}', so nothing is counted below it")
        return self._counts.stats_below(node) if node is self.root else settled(node).stats()

    def collect_results(self) -> dict[str, Any]:
        """Return the results by node id, without those that are None."""
        return {node.id: node.result for node in self.walk() if node.result is not None}

    def get_failed_nodes(self) -> list[TaskNode]:
        """Return the nodes that failed or timed out, in the order of the tree."""
        return [node for node in self.walk() if node._status in FAILURES] if self.failed else []

    def get_timing_stats(self) -> dict[str, Any]:
        """Return `count`, `total`, `average`, `min`, `max` of the seconds that nodes with a body took to be done."""
        return times_of(self).stats()

    def to_dict(self) -> TreeDict:
        """Return a snapshot for tools: nothing but JSON's own types, nodes in a flat list, parents first.

        Results and data are left out where JSON has no form for them; the snapshot says which.
        """
        return tree_to_dict(self.root)

    def __repr__(self) -> str:
        return f"<TaskTree '{self.root.id}', {len(self)} nodes, root {self.root.status}>"

    # -- changing --------------------------------------------------------------------------------------------------

    def move(self, node: TaskNode, status: TaskStatus, at: float) -> None:
        """Change a node's status: the one door. `at` is the time of the change on the tree's clock, in seconds.

        Raises `StatusError` for a change that the transition table does not have.
        """
        old = node._status
        if status not in NEXT[old]:
            raise StatusError(node.id, old, status, "there is no such change")
        # `row_of` written out: a call here is felt in every run.
        row = 0 if not node._children else 8
        if node._body is not None:
            row += 16
        if node._progress is not None:
            self._move_progress(node, status)
            row += 32
        cells = self._counts.cells
        cells[row + old.slot] -= 1
        cells[row + status.slot] += 1
        parent = node.parent
        if parent is not None and parent._roll is not None and does_work(node):
            self._move_rolled(node, status)
        node._status = status
        self.version += 1
        if status is _WORKING:
            if node.started_at is None:
                node.started_at = at
            self.active[node] = None
        elif status.is_terminal:
            node.ended_at = at
            if old is not _PENDING:
                del self.active[node]
            if status in FAILURES:
                self.failed[node] = None
            self.recent.append(node)
        elif status is _PENDING:
            self._forget_ending(node)
        if self._listener is not None:
            self._listener.status_changed(node, old, status, at)

    # The two changes that every node makes that runs, quicker by a third. What they do is what `move` does where the
    # status before is the expected one and the node has no progress of its own.

    def move_to_working(self, node: TaskNode, at: float) -> None:
        """`move(node, WORKING, at)`."""
        if node._status is not _PENDING or node._progress is not None:
            self.move(node, _WORKING, at)
            return
        row = 0 if not node._children else 8
        parent = node.parent
        if node._body is not None:
            row += 16
            if parent is not None and parent._roll is not None:
                note_move(parent, _PENDING_SLOT, _WORKING_SLOT, 0)
        cells = self._counts.cells
        cells[row + _PENDING_SLOT] -= 1
        cells[row + _WORKING_SLOT] += 1
        node._status = _WORKING
        self.version += 1
        if node.started_at is None:
            node.started_at = at
        self.active[node] = None
        if self._listener is not None:
            self._listener.status_changed(node, _PENDING, _WORKING, at)

    def move_to_done(self, node: TaskNode, at: float) -> None:
        """`move(node, DONE, at)`."""
        if node._status is not _WORKING or node._progress is not None:
            self.move(node, _DONE, at)
            return
        row = 0 if not node._children else 8
        parent = node.parent
        if node._body is not None:
            row += 16
            if parent is not None and parent._roll is not None:
                note_move(parent, _WORKING_SLOT, _DONE_SLOT, 1)
        cells = self._counts.cells
        cells[row + _WORKING_SLOT] -= 1
        cells[row + _DONE_SLOT] += 1
        node._status = _DONE
        self.version += 1
        node.ended_at = at
        del self.active[node]
        self.recent.append(node)
        if self._listener is not None:
            self._listener.status_changed(node, _WORKING, _DONE, at)

    def _forget_ending(self, node: TaskNode) -> None:
        """A node that had ended is brought back."""
        node.started_at = node.ended_at = None
        self.failed.pop(node, None)
        if node in self.recent:
            self.recent.remove(node)

    def _move_progress(self, node: TaskNode, status: TaskStatus) -> None:
        """A node with a progress of its own counts in full from its end on, and not before."""
        if status.is_terminal != node._status.is_terminal:
            assert node._progress is not None
            current, total = node._progress
            self._counts.current += (total - current) if status.is_terminal else (current - total)

    @staticmethod
    def _move_rolled(node: TaskNode, status: TaskStatus) -> None:
        assert node.parent is not None
        before, total = units(node)
        after = total if status.is_terminal else (node._progress or (0, 1))[0]
        note_move(node.parent, node._status.slot, status.slot, after - before)

    def set_progress(self, node: TaskNode, progress: tuple[int, int] | None) -> None:
        """Set a node's progress, through the engine while one runs the tree."""
        if self._driver is None:
            self.apply_progress(node, progress)
        else:
            self._driver.set_progress(node, progress)

    def apply_progress(self, node: TaskNode, progress: tuple[int, int] | None) -> None:
        """Set a node's progress and move the counters. Only to be called where the tree may be changed."""
        self._set_work(node, "_progress", progress)
        if self._listener is not None:
            self._listener.progress_changed(node)

    def extend_log(self, node: TaskNode, lines: bytes) -> None:
        """Add whole lines to a node's log, through the engine while one runs the tree."""
        if self._driver is None:
            self.apply_log(node, lines)
        else:
            self._driver.extend_log(node, lines)

    def apply_log(self, node: TaskNode, lines: bytes) -> None:
        """Add whole lines to a node's log. Only to be called where the tree may be changed."""
        left = node.extend_log(lines, keeps_more=self.overflow is not None)
        if left and self.overflow is not None:
            self.overflow(node, left)
        if self._listener is not None and node._tree is self:
            self._listener.log_extended(node, lines)

    def apply_body(self, node: TaskNode, body: TaskFunction | None) -> None:
        """Set a node's body and move the counters. Not while the tree runs."""
        self._set_work(node, "_body", body)

    def _set_work(self, node: TaskNode, attribute: str, value: object) -> None:
        """Set what decides whether and how much a node counts as work."""
        counts = self._counts
        counts.exclude(node)
        worked = does_work(node)
        before = units(node) if worked else (0, 0)
        setattr(node, attribute, value)
        counts.include(node)
        if node.parent is not None and node.parent._roll is not None:
            works = does_work(node)
            after = units(node) if works else (0, 0)
            number = int(works) - int(worked)
            note_change(node, node._status.slot, number, after[0] - before[0], after[1] - before[1])
        self.version += 1

    def add(self, child: TaskNode, parent: TaskNode) -> None:
        """Add a child below a node of this tree, through the engine while one runs it."""
        if self._driver is None:
            # It would never run. A tree that no engine has run may be put together by hand, of whatever nodes.
            if self._has_run and parent._status.is_terminal and child._status is _PENDING:
                raise FinishedParentError(parent.id, parent._status, child.id)
            self.attach(child, parent)
        else:
            self._driver.add(child, parent)

    def attach(self, child: TaskNode, parent: TaskNode) -> None:
        """Link a child and enter it, with all below it, into index and counters; or refuse it and change nothing.

        Raises `NodeOwnedError` and `DuplicateNodeError`.
        """
        if child.parent is not None or child._children or child._tree is not None or child is parent:
            check_free(child, parent)
        if child._children or child.id in self._index or self.folds is not None:
            self._check_ids(child, parent)
        if parent._children:
            append(parent._children, child)
            child.parent = parent
        else:
            # It becomes a group: counted in another row, and with a roll of its own where its parent has one.
            self._counts.exclude(parent)
            parent.adopt(child)
            self._counts.include(parent)
            if parent.parent is not None and parent.parent._roll is not None and parent._roll is None:
                parent._roll = Roll()
        if child._children:
            self._enter_all(child)
        else:
            self._enter(child)

    def _check_ids(self, top: TaskNode, parent: TaskNode | None) -> None:
        seen: dict[str, TaskNode] = {}
        for node in (top,) if not top._children else top.walk():
            other = self._index.get(node.id) or seen.get(node.id)
            if other is not None:
                raise DuplicateNodeError(node.id, _place(other.parent), _place(node.parent or parent))
            if self.folds is not None:
                self.folds.refuse(node.id, _place(node.parent or parent))
            seen[node.id] = node

    def _enter_all(self, top: TaskNode) -> None:
        """Index and count a subtree whose top is linked and whose ids were checked."""
        for node in top.walk():
            self._enter(node)

    def _enter(self, node: TaskNode) -> None:
        self._index[node.id] = node
        node._tree = self
        self._entered = node._order = self._entered + 1
        self.version += 1
        if node._progress is None and node._status is _PENDING:
            # `row_of` written out, as in `move`.
            row = 0 if not node._children else 8
            if node._body is not None:
                row += 16
            self._counts.cells[row + _PENDING_SLOT] += 1
        else:
            self._counts.include(node)
            if node._status is not _PENDING:
                self._note_status(node)
        parent = node.parent
        if parent is not None and parent._roll is not None:
            if node._children:
                node._roll = Roll()
            if does_work(node):
                note_change(node, node._status.slot, 1, *units(node))
        if self._listener is not None:
            self._listener.node_added(node)

    def _note_status(self, node: TaskNode) -> None:
        """Keep the lists of nodes by status for a node that comes in with one."""
        if not node._status.is_terminal:
            self.active[node] = None
            return
        if node._status in FAILURES:
            self.failed[node] = None
        self.recent.append(node)

    def remove(self, *children: TaskNode) -> None:
        """Take children of one node, with all below them, out of the tree."""
        parent = children[0].parent
        assert parent is not None
        for child in children:
            if parent._roll is not None:
                unroll(child)
            for node in list(child.walk()):
                self._counts.exclude(node)
                del self._index[node.id]
                node._tree = node._roll = None
                self.active.pop(node, None)
                self.failed.pop(node, None)
                if node._status.is_terminal and node in self.recent:
                    self.recent.remove(node)
        if self.folds is not None:
            self.folds.drop(node for child in children for node in child.walk())
        self._counts.exclude(parent)
        parent.disown(*children)
        self._counts.include(parent)
        self.version += 1
        for child in children:
            if self._listener is not None:  # who has heard enough stops listening
                self._listener.node_removed(child)

    def let_come_last(self, child: TaskNode) -> None:
        """Give a child the place of one that has just come in; `put_in_order` takes it there."""
        self._entered += 1
        child._order = self._entered

    def put_in_order(self, group: TaskNode) -> None:
        """Sort the children of a group by their coming."""
        if len(group._children) > 1:
            group._children = type(group._children)(sorted(group._children, key=lambda child: child._order))
        self.version += 1

    def reset_node(self, node: TaskNode) -> None:
        """Bring a node's status back to pending, so that it can run again."""
        if not node._status.is_terminal:
            # It says that it is at work, but nothing runs it: an engine takes back only what has ended.
            self.move(node, TaskStatus.CANCELLED, 0.0)
        self.move(node, TaskStatus.PENDING, 0.0)

    def fold(
        self, group: TaskNode, children: Sequence[TaskNode], added: Container[TaskNode] = (), start: int = 0
    ) -> None:
        """Fold children that are done, with all below them, into their group; see `Folds.fold`."""
        if self.folds is None:
            from treetask.model._folds import Folds

            self.folds = Folds(self)
        self.folds.fold(group, children, added, start)

    def reset(self) -> None:
        """Bring the tree back to where it was before it ran, without what bodies added meanwhile. Not while it runs.

        Raises `TreeTaskError` where children were folded that no body would add again.
        """
        self.forecast = None  # it knows what the run before has done
        if self.folds is not None:
            self.folds.forget_all()
        if self.selection is not None:
            self.selection.begin_anew()
        first, last = self._came_in_run
        for node in self.walk():
            added = [child for child in node._children if first < child._order <= last]
            if added:
                self.remove(*added)
            node.reset()

    def select(self, only: Iterable[str] = (), skip: Iterable[str] = (), *, endings: Endings | None = None) -> None:
        """Take everything out that is not selected, before the run; once.

        Selected is what `only` names (all, where it names nothing), with all below it, but not what `skip` names:
        `checks/lint`, `checks/*`, `**/fetch[*]`, `tag:net`, `+publish` (with what it needs), `crawl+` (with what needs
        it). What is above stays, and its bodies run. Children that are spawned and not selected are skipped.
        `endings` says how nodes ended in an earlier run, which `state:failed` asks for.

        Raises `DefinitionError` for names that mean nothing and for tasks that take the result of one that is taken
        out, `NothingSelectedError` if nothing is left; nothing has changed then.
        """
        from treetask.model._selection import Selection

        if self._has_run or self.selection is not None:
            done = "has run" if self._has_run else "was selected from before"
            raise TreeRunningError(f"tree '{self.root.id}' {done}; build another one and select from that")
        selection = Selection(self, only, skip, endings)
        selection.apply()
        self.selection = selection
        # What is left comes in anew.
        self._index.clear()
        self._counts = Counts()
        self._entered = 0
        for nodes in (self.active, self.failed, self.recent):
            nodes.clear()
        for node in self.walk():
            node._roll = None
        self._enter_all(self.root)

    def register_node(self, node: TaskNode) -> None:
        """Accept a node that `add_child` has already entered; there is nothing left to do.

        Raises `DefinitionError` for a node that is not in this tree: add it to a parent instead.
        """
        if node._tree is not self:
            raise DefinitionError(f"node '{node.id}' is not in this tree; add it with parent.add_child(node)")

    def listen(self, listener: Listener | None) -> None:
        """Tell one listener of every change from now on; None stops that."""
        self._listener = listener

    def drive(self, driver: Driver | None) -> None:
        """Hand the tree to the engine that runs it; None takes it back.

        Raises `TreeRunningError` if another engine runs it.
        """
        if driver is not None and self._driver is not None:
            raise TreeRunningError(f"tree '{self.root.id}' is already running; build a second tree to run it twice")
        self._driver = driver
        self._has_run = True
        first = self._entered if driver is not None else self._came_in_run[0]
        self._came_in_run = first, self._entered


def _place(parent: TaskNode | None) -> str:
    return "as the root" if parent is None else f"under '{parent.id}'"
