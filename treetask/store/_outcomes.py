"""What happens in a run of tasks, written down: from the events of the engine to rows of the store.

The records in the tree change at once, on the event loop; the store a batch at a time, in the writer's thread. A body
that depends on another asks here until the end of that one is written. Decides nothing about what runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

import anyio

from treetask._errors import TreeTaskError
from treetask.engine import AsyncExecutor
from treetask.model import Event, ProgressChanged, RunStarted, StatusChanged, TaskNode, TaskStatus
from treetask.store import _claims as claims
from treetask.store import _task_rows as task_rows
from treetask.store._dialect import Connection
from treetask.store._errors import JournalError
from treetask.store._store import Store
from treetask.store._task import TaskState, moment
from treetask.store._task_plan import Plan
from treetask.store._text import clean
from treetask.store._tree_node import TaskTreeNode
from treetask.store._writer import Writer

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


class Entry(NamedTuple):
    """One change of one task, for the writer."""

    place: TaskTreeNode
    has_ended: bool
    row: tuple[Any, ...]


class Outcomes:
    """Follows one run. An observer of the engine, and what bodies wait for."""

    def __init__(self, store: Store) -> None:
        self._store: Final = store
        #: What the writer has to hold while it writes.
        self.claim = ""
        self._plan: Plan | None = None
        self._writer: Writer[Entry] | None = None
        self._executor: AsyncExecutor | None = None
        #: What went wrong with the writing, once it has.
        self.failure: BaseException | None = None
        #: The tasks whose ends are written, those included that ended well before.
        self._written: Final[set[TaskTreeNode]] = set()
        self._kept: frozenset[TaskTreeNode] = frozenset()
        #: Who waits for which task.
        self._events: Final[dict[TaskTreeNode, anyio.Event]] = {}
        #: The first below each task that was not completed.
        self._bad: Final[dict[TaskTreeNode, TaskTreeNode]] = {}
        #: From the clock of the run to the time of day, in seconds.
        self._offset = 0.0

    def begin(self, plan: Plan, executor: AsyncExecutor) -> None:
        """Write down what happens from now on, in a run that is about to begin."""
        self._plan = plan
        self._kept = _kept(plan)
        self._written.update(self._kept)
        self._executor = executor
        executor.subscribe(self)
        self._writer = Writer(
            self._store.connect, self._write, self._note_written, self._note_failure, idle=self._beat, every=claims.BEAT
        )

    def close(self) -> None:
        """Wait until all is written. Raises what went wrong. In a thread."""
        if self._writer is not None:
            self._writer.close()

    # -- for bodies ----------------------------------------------------------------------------------------------------

    def has(self, places: Sequence[TaskTreeNode]) -> bool:
        return self._written.issuperset(places)

    async def wait_for(self, places: Sequence[TaskTreeNode]) -> None:
        for place in places:
            while place not in self._written:
                if self.failure is not None:
                    raise JournalError(str(self.failure)) from self.failure
                await self._events.setdefault(place, anyio.Event()).wait()

    # -- on the loop ---------------------------------------------------------------------------------------------------

    def on_event(self, event: Event) -> None:
        if isinstance(event, StatusChanged):
            self._note_status(event)
        elif isinstance(event, ProgressChanged):
            self._note_progress(event)
        elif isinstance(event, RunStarted):
            self._offset = event.wall - event.at

    def _note_status(self, event: StatusChanged) -> None:
        plan = self._plan
        place = None if plan is None else plan.places.get(event.node)
        if plan is None or place is None or place in self._kept:
            return
        node, when = event.node, moment(event.at + self._offset)
        task = place.task
        if event.new is TaskStatus.WORKING:
            if event.old is TaskStatus.PENDING:
                place.task = replace(task, status=TaskState.IN_PROGRESS, started_at=when, updated_at=when)
                self._put(place, None)
            return
        state = _STATES.get(event.new)
        if state is None:
            return
        changes: dict[str, Any] = {"status": state, "completed_at": when, "updated_at": when}
        text = None
        if state is TaskState.COMPLETED:
            body = plan.bodies.get(node)
            text = None if body is None else body.text
            changes |= {"result": None if body is None else node.result, "progress": 1.0}
        else:
            changes["error"] = clean(self._why(place, node))
            self._note_bad(place)
        place.task = replace(task, **changes)
        self._put(place, text)

    def _note_progress(self, event: ProgressChanged) -> None:
        place = None if self._plan is None else self._plan.places.get(event.node)
        if place is None or event.progress is None or place.task.status is not TaskState.IN_PROGRESS:
            return
        current, total = event.progress
        progress = min(max(current / total, 0.0), 1.0) if total else 0.0
        if abs(progress - place.task.progress) >= _STEP:
            place.task = replace(place.task, progress=progress, updated_at=moment(event.at + self._offset))
            self._put(place, None)

    def _put(self, place: TaskTreeNode, text: str | None) -> None:
        task = place.task
        times = (each if each is None else each.timestamp() for each in (task.started_at, task.completed_at))
        row = (task.id, task.status.value, text, task.error, task.progress, task.updated_at.timestamp(), *times)
        assert self._writer is not None
        self._writer.put(Entry(place, task.status.has_ended, row))

    def _why(self, place: TaskTreeNode, node: TaskNode) -> str:
        """Return why a task was not completed."""
        if node.status is TaskStatus.SKIPPED:
            return f"it did not run: {self._needed(place)}"
        if node.status is TaskStatus.CANCELLED:
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

    def _note_bad(self, place: TaskTreeNode) -> None:
        """Tell those above of the first that was not completed, which they know of already where one did before."""
        above = place.parent
        while above is not None and above not in self._bad:
            self._bad[above] = place
            above = above.parent

    def _needed(self, place: TaskTreeNode) -> str:
        assert self._plan is not None
        for dependency in place.task.dependencies:
            other = self._plan.found[dependency["id"]].task
            if dependency.get("required", True) and other.status in _ENDINGS:
                return f"it depends on {other}, which {_ENDINGS[other.status]}"
        return "something that it depends on was not completed"

    def _note_ends(self, places: Sequence[TaskTreeNode]) -> None:
        self._written.update(places)
        for place in places:
            event = self._events.pop(place, None)
            if event is not None:
                event.set()

    def _wake_all(self) -> None:
        for event in self._events.values():
            event.set()
        self._events.clear()

    # -- in the writer's thread ----------------------------------------------------------------------------------------

    def _write(self, connection: Connection, entries: list[Entry]) -> None:
        claims.beat(connection, self.claim)
        task_rows.rewrite(connection, _COLUMNS, [entry.row for entry in entries])

    def _beat(self, connection: Connection) -> None:
        claims.beat(connection, self.claim)

    def _note_written(self, entries: list[Entry]) -> None:
        ended = [entry.place for entry in entries if entry.has_ended]
        if ended and self._executor is not None:
            self._executor.call_on_loop(partial(self._note_ends, ended))

    def _note_failure(self, error: BaseException) -> None:
        self.failure = error
        if self._executor is not None:
            self._executor.cancel(f"what happens can no longer be written down: {error}")
            self._executor.call_on_loop(self._wake_all)


def _kept(plan: Plan) -> frozenset[TaskTreeNode]:
    """Return the tasks that nothing happens to any more: completed before, and so all below those that are folders."""
    kept: set[TaskTreeNode] = set()
    # From the leaves up: those below a task come after it.
    for node, place in reversed(plan.places.items()):
        if place.task.status is TaskState.COMPLETED and (
            node.task_fn is not None or all(child in kept for child in place.children)
        ):
            kept.add(place)
    return frozenset(kept)
