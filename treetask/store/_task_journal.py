"""The journal of a run of tasks: what the engine puts on record becomes rows of the store, and records in the tree.

The engine lets an end count once it is written, so what depends on a task begins after that. The records in the tree
change on the event loop, when the end counts; the store a batch at a time, in the writer's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from treetask import _clock
from treetask._errors import TreeTaskError
from treetask.model import Event, ProgressChanged, TaskNode, TaskStatus, TaskTree
from treetask.store import _claims as claims
from treetask.store import _task_rows as task_rows
from treetask.store._dialect import Connection
from treetask.store._errors import journal_error
from treetask.store._store import Store
from treetask.store._task import TaskRecord, TaskState, moment
from treetask.store._task_plan import Plan
from treetask.store._text import clean
from treetask.store._tree_node import TaskTreeNode
from treetask.store._writer import Writer

#: Entries that may wait to be written before no further body begins.
_FULL: Final = 10_000
#: Less than this is no progress worth writing down.
_STEP: Final = 0.01

_COLUMNS: Final = ("id", "status", "result", "error", "progress", "updated_at", "started_at", "completed_at")

_STATES: Final = {
    TaskStatus.DONE: TaskState.COMPLETED,
    TaskStatus.FAILED: TaskState.FAILED,
    TaskStatus.TIMED_OUT: TaskState.FAILED,
    TaskStatus.CANCELLED: TaskState.CANCELLED,
    TaskStatus.SKIPPED: TaskState.CANCELLED,
}

_ENDINGS: Final = {TaskState.FAILED: "failed", TaskState.CANCELLED: "was cancelled"}


class _Entry(NamedTuple):
    """What the writer is to do: write a row, where there is one, and answer, where a node is waited for."""

    row: tuple[Any, ...] | None
    node: TaskNode | None = None


class TaskJournal:
    """The record of one run of tasks that are claimed; see `treetask.abc.Journal`. Observes progress as well."""

    def __init__(self, store: Store, claim: str, plan: Plan) -> None:
        self._store: Final = store
        self._claim: Final = claim
        self._plan: Final = plan
        self._writer: Writer[_Entry] | None = None
        self._on_recorded: Callable[[Sequence[TaskNode]], None] | None = None
        self._is_closed = False
        #: The records of ends that do not count yet.
        self._ends: Final[dict[TaskNode, TaskRecord]] = {}
        #: The first below each task that was not completed.
        self._bad: Final[dict[TaskTreeNode, TaskTreeNode]] = {}
        #: From the clock of the run to the time of day, in seconds.
        self._offset = 0.0

    def open_journal(self, tree: TaskTree, /) -> TaskJournal:
        """Begin, with what was completed before as it was; what `AsyncExecutor(store=...)` asks for."""
        for node, place in self._plan.places.items():
            if place in self._plan.kept and node.task_fn is not None:
                tree.move(node, TaskStatus.DONE, tree.now())
                node.result = place.task.result
        return self

    # -- on the event loop -------------------------------------------------------------------------------------------

    def begin(
        self,
        now: Callable[[], float],
        on_recorded: Callable[[Sequence[TaskNode]], None],
        on_failed: Callable[[BaseException], None],
    ) -> None:
        self._offset = _clock.wall() - now()
        self._on_recorded = on_recorded
        self._writer = Writer(
            self._store.connect,
            self._write,
            self._answer,
            lambda error: on_failed(journal_error(error)),
            idle=self._beat,
            every=claims.BEAT,
        )

    @property
    def is_full(self) -> bool:
        return self._writer is not None and self._writer.backlog >= _FULL

    def adopt(self, node: TaskNode) -> None:
        """What comes in while the run lasts is of an executor, and no task."""

    def recall(self, node: TaskNode) -> tuple[bool, object]:
        """What a task came to is its own: nothing is taken over from another one."""
        return False, None

    def record(self, node: TaskNode, status: TaskStatus, at: float) -> None:
        place = self._plan.places.get(node)
        if place is None:
            self._put(_Entry(None, node))
        else:
            self._ends[node] = self._ended(place, node, status, at)
            self._put(_Entry(self._row(self._ends[node], node), node))

    def status_changed(self, node: TaskNode, old: TaskStatus, new: TaskStatus, at: float) -> None:
        place = self._plan.places.get(node)
        if place is None or place in self._plan.kept:
            return
        if new.is_terminal:
            ended = self._ends.pop(node, None)
            if ended is None or ended.status is not _STATES[new]:  # the latter if it could not be written
                ended = self._ended(place, node, new, at)
                self._put(_Entry(self._row(ended, node)))
            self._enter(place, ended)
        elif old is TaskStatus.PENDING:
            when = moment(at + self._offset)
            place.task = replace(place.task, status=TaskState.IN_PROGRESS, started_at=when, updated_at=when)
            self._put(_Entry(self._row(place.task, node)))

    def on_event(self, event: Event) -> None:
        """Note the progress that a body has set."""
        place = self._plan.places.get(event.node) if isinstance(event, ProgressChanged) else None
        if place is None or not isinstance(event, ProgressChanged) or event.progress is None:
            return
        current, total = event.progress
        progress = min(max(current / total, 0.0), 1.0) if total else 0.0
        is_step = abs(progress - place.task.progress) >= _STEP
        if is_step and place.task.status is TaskState.IN_PROGRESS and event.node not in self._ends:
            place.task = replace(place.task, progress=progress, updated_at=moment(event.at + self._offset))
            self._put(_Entry(self._row(place.task, event.node)))

    def _put(self, entry: _Entry) -> None:
        assert self._writer is not None
        self._writer.put(entry)

    def _row(self, task: TaskRecord, node: TaskNode) -> tuple[Any, ...]:
        body = self._plan.bodies.get(node)
        text = None if body is None or task.status is not TaskState.COMPLETED else body.text
        times = (each if each is None else each.timestamp() for each in (task.started_at, task.completed_at))
        return (task.id, task.status.value, text, task.error, task.progress, task.updated_at.timestamp(), *times)

    # -- what came of a task -----------------------------------------------------------------------------------------

    def _ended(self, place: TaskTreeNode, node: TaskNode, status: TaskStatus, at: float) -> TaskRecord:
        state, when = _STATES[status], moment(at + self._offset)
        changes: dict[str, Any] = {"status": state, "completed_at": when, "updated_at": when}
        if state is TaskState.COMPLETED:
            changes |= {"result": node.result if node in self._plan.bodies else None, "progress": 1.0}
        else:
            changes["error"] = clean(self._why(place, node, status))
        return replace(place.task, **changes)

    def _enter(self, place: TaskTreeNode, ended: TaskRecord) -> None:
        """The end of a task counts. Those above know of the first that was not completed."""
        place.task = ended
        above = None if ended.status is TaskState.COMPLETED else place.parent
        while above is not None and above not in self._bad:
            self._bad[above] = place
            above = above.parent

    def _why(self, place: TaskTreeNode, node: TaskNode, status: TaskStatus) -> str:
        """Return why a task was not completed."""
        if status is TaskStatus.SKIPPED:
            return f"it did not run: {self._needed(place)}"
        if status is TaskStatus.CANCELLED:
            return node.reason or node.error or "it was stopped"
        if node.task_fn is None:
            bad = self._bad.get(place)
            first = "" if bad is None else f": {bad.task} {_ENDINGS[bad.task.status]}"
            return f"not all tasks below it were completed{first}"
        # The engine's own words begin with the id.
        said = (node.error or node.reason or "no error was kept").removeprefix(f"'{node.id}' ")
        error = node.exception
        is_named = error is None or isinstance(error, (TreeTaskError, TimeoutError)) or said == type(error).__name__
        return said if is_named else f"{type(error).__name__}: {said}"

    def _needed(self, place: TaskTreeNode) -> str:
        for dependency in place.task.dependencies:
            other = self._plan.found[dependency["id"]].task
            if dependency.get("required", True) and other.status in _ENDINGS:
                return f"it depends on {other}, which {_ENDINGS[other.status]}"
        return "something that it depends on was not completed"

    # -- in the writer's thread --------------------------------------------------------------------------------------

    def _write(self, connection: Connection, entries: list[_Entry]) -> None:
        claims.beat(connection, self._claim)
        task_rows.rewrite(connection, _COLUMNS, [entry.row for entry in entries if entry.row is not None])

    def _answer(self, entries: list[_Entry]) -> None:
        nodes = [entry.node for entry in entries if entry.node is not None]
        if nodes and self._on_recorded is not None:
            self._on_recorded(nodes)

    def _beat(self, connection: Connection) -> None:
        claims.beat(connection, self._claim)

    # -- at the end --------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Write what is left and give the tasks back, once. In a thread."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            try:
                if self._writer is not None:
                    self._writer.close()
            finally:
                with self._store.transaction() as connection:
                    claims.release(connection, self._claim, list(self._plan.found))
        except Exception as error:
            raise journal_error(error) from error
        finally:
            claims.forget(self._claim)
