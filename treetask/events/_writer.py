"""Makes lines of a run while it lasts: what an observer is told, node by node, each told once and in order.

Hands on bytes; where they go, and what becomes of them there, is not its affair.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from treetask import _clock
from treetask._errors import TreeTaskError
from treetask.events._faults import faults_of
from treetask.events._form import encoded
from treetask.events._lines import (
    FORMAT_VERSION,
    EndLine,
    Line,
    LogLine,
    MessageLine,
    NodeLine,
    ProgressLine,
    RemovalLine,
    StartLine,
    StatusLine,
)
from treetask.model import (
    FAILURES,
    Event,
    LogExtended,
    NodeAdded,
    NodeRemoved,
    ProgressChanged,
    RunEnded,
    RunStarted,
    StatusChanged,
    TaskNode,
    TaskStatus,
    TaskTree,
    TreeTaskConfig,
    is_from_below,
)

#: Of the progress of one node no more than one line is written in so many seconds, and the last.
PROGRESS_SECONDS: Final = 0.1
#: Digits of a second: a microsecond is less than anything here takes.
_DIGITS: Final = 6

_RETRYING: Final = TaskStatus.RETRYING
_PENDING: Final = TaskStatus.PENDING
#: What a line is made of: its kind, when that was, and its fields.
_Unwritten: TypeAlias = tuple[Callable[..., Line], float, dict[str, object]]
_TROUBLED: Final = FAILURES | {_RETRYING, TaskStatus.CANCELLED, TaskStatus.SKIPPED}


class EventWriter:
    """An observer that gives the lines of a run, each as bytes with its end, to `put`, which should return at once.

    To be subscribed before the run, and to be told by `close` that nothing more will come: the line of the end is
    written then. `run` is asked for the number of the run in its store when it begins.
    """

    def __init__(
        self,
        put: Callable[[bytes], object],
        *,
        target: str | None = None,
        run: Callable[[], int | None] | None = None,
        wall: Callable[[], float] = _clock.wall,
    ) -> None:
        self._put: Final = put
        self._target: Final = target
        self._run: Final = run
        self._wall: Final = wall
        #: Reentrant: what a finalizer prints comes in the midst of another line, and is written after that one.
        self._lock: Final = threading.RLock()
        self._unwritten: Final[deque[_Unwritten]] = deque()
        self._is_writing = False
        self._seq = 0
        #: The tree, when its run began on its clock, and the time of the last event there.
        self._tree: TaskTree | None = None
        self._began = 0.0
        self._last = 0.0
        #: How the run ended, once it has.
        self._end: dict[str, Any] | None = None
        #: What was put out before the run began, or as one of its lines, is written after the first one.
        self._early: list[tuple[str, ...]] = []
        #: When the progress of a node was last written, and what it is if that was not written yet.
        self._progress: dict[TaskNode, tuple[float, ProgressChanged | None]] = {}

    # -- told by a run ---------------------------------------------------------------------------------------------

    def on_event(self, event: Event, /) -> None:
        """Write what an event comes down to. Raises `TreeTaskError` for the first one of a run that lasts already."""
        if isinstance(event, RunStarted):
            self._begin(event)
            return
        if self._tree is None:
            raise TreeTaskError("EventWriter was subscribed when the run had begun; subscribe it before")
        self._last = event.at
        if isinstance(event, StatusChanged):
            self._status_changed(event)
        elif isinstance(event, ProgressChanged):
            self._progress_changed(event)
        elif isinstance(event, LogExtended):
            self._write(LogLine, event.at, lines=event.lines, node=event.node.id, attempt=event.attempt)
        elif isinstance(event, NodeAdded):
            self._node_added(self._tree, event.node, event.parent, event.status, event.at)
        elif isinstance(event, NodeRemoved):
            self._removed(event)
        else:
            self._ended(event)

    def unattributed(self, lines: Iterable[str]) -> None:
        """Write lines that somebody has put out, nobody knows who. From any thread; none are written after `close`."""
        said = tuple(lines)
        with self._lock:
            if said and self._tree is None:
                self._early.append(said)
            elif said:
                self._write(LogLine, self._now(), lines=said)

    def message(self, lines: Iterable[str]) -> None:
        """Write what is to be said of the run as a whole. From any thread."""
        said = tuple(lines)
        with self._lock:
            if said and self._tree is not None:
                self._write(MessageLine, self._now(), lines=said)

    def close(self) -> None:
        """Write the line of the end, if the run came to its end."""
        with self._lock:
            if self._end is not None:
                self._write(EndLine, self._last, **self._end)
                self._end = None

    # -- what is written -------------------------------------------------------------------------------------------

    def _begin(self, event: RunStarted) -> None:
        tree = event.tree
        with self._lock:
            self._tree = tree
            self._began = self._last = event.at
            self._write(
                StartLine,
                event.at,
                version=FORMAT_VERSION,
                root=tree.root.id,
                name=tree.root.name,
                run=None if self._run is None else self._run(),
                target=self._target,
            )
            for node in tree.walk():
                self._node_added(tree, node, node.parent, node.status, event.at)
            for lines in self._early:
                self._write(LogLine, event.at, lines=lines)
            self._early.clear()

    def _node_added(
        self, tree: TaskTree, node: TaskNode, parent: TaskNode | None, status: TaskStatus, at: float
    ) -> None:
        said: dict[str, Any] = {}
        if status is not _PENDING:
            said = {
                "status": status.value,
                "started_at": self._since_start(node.started_at),
                "ended_at": self._since_start(node.ended_at),
                "attempt": 0 if node.started_at is None else node.retry_count + 1,
                "reason": _own_reason(node),
            }
            if status in FAILURES:
                said["faults"] = faults_of(node.exception, node.error)
        self._write(
            NodeLine,
            at,
            node=node.id,
            name=node.name,
            parent=None if parent is None else parent.id,
            has_body=node.task_fn is not None,
            depends_on=node.options.depends_on,
            optional=tuple(one for one in node.options.depends_on if one in node.options.optional),
            max_retries=_most_retries(node, tree.config),
            progress=node.progress,
            **said,
        )

    def _status_changed(self, event: StatusChanged) -> None:
        node, new = event.node, event.new
        self._settle_progress(node, is_over=new.is_terminal)
        said: dict[str, Any] = {}
        if new in _TROUBLED:
            failed_below = new not in (TaskStatus.CANCELLED, TaskStatus.SKIPPED) and is_from_below(
                node, new, event.exception
            )
            error = None if failed_below else event.error
            said = {
                "reason": event.error if new is _RETRYING and failed_below and event.reason is None else event.reason,
                "faults": faults_of(event.exception, error),
                "failed_below": failed_below,
            }
        self._write(
            StatusLine,
            event.at,
            node=node.id,
            attempt=event.attempt - 1 if new is _RETRYING else event.attempt,
            old=event.old.value,
            new=new.value,
            **said,
        )

    def _progress_changed(self, event: ProgressChanged) -> None:
        written, _ = self._progress.get(event.node, (float("-inf"), None))
        if event.at - written < PROGRESS_SECONDS:
            self._progress[event.node] = written, event
        else:
            self._progress[event.node] = event.at, None
            self._write_progress(event)

    def _settle_progress(self, node: TaskNode, *, is_over: bool) -> None:
        """Write what a node said last of its progress, before it says something else."""
        if node in self._progress:
            written, unsaid = self._progress.pop(node)
            if unsaid is not None:
                self._write_progress(unsaid)
            if not is_over:
                self._progress[node] = written, None

    def _write_progress(self, event: ProgressChanged) -> None:
        self._write(ProgressLine, event.at, node=event.node.id, attempt=event.attempt, progress=event.progress)

    def _removed(self, event: NodeRemoved) -> None:
        for node in event.node.walk():
            self._progress.pop(node, None)
        self._write(RemovalLine, event.at, node=event.node.id)

    def _ended(self, event: RunEnded) -> None:
        for node in list(self._progress):
            self._settle_progress(node, is_over=True)
        counts = event.tree.get_leaf_stats()
        del counts["total"]
        self._end = {
            "status": event.tree.root.status.value,
            "elapsed": self._since_start(event.at),
            "counts": {status: count for status, count in counts.items() if count},
        }

    # -- how it is written -----------------------------------------------------------------------------------------

    def _write(self, kind: Callable[..., Line], at: float, **fields: object) -> None:
        with self._lock:
            self._unwritten.append((kind, at, fields))
            if self._is_writing:
                return
            self._is_writing = True
            try:
                while self._unwritten:
                    self._write_next()
            finally:
                self._is_writing = False

    def _write_next(self) -> None:
        kind, at, fields = self._unwritten.popleft()
        self._seq += 1
        line = kind(seq=self._seq, at=self._since_start(at), wall=round(self._wall(), _DIGITS), **fields)
        self._put(encoded(line))

    def _since_start(self, at: float | None) -> float | None:
        return None if at is None else round(at - self._began, _DIGITS)

    def _now(self) -> float:
        """Return the time on the run's clock; in a thread where that cannot be read, that of the last event."""
        if self._tree is not None and self._tree.is_running and self._end is None:
            try:
                return self._tree.now()
            except RuntimeError:
                pass
        return self._last


def _most_retries(node: TaskNode, config: TreeTaskConfig) -> int | None:
    retry, most = node.options.retry, node.options.max_retries
    if retry is not None:
        return None if retry.attempts is None else retry.attempts - 1
    if most is not None:
        return most
    return 0 if node.task_fn is None else config.max_retries


def _own_reason(node: TaskNode) -> str | None:
    """Return why a node ended so; not what it waits for."""
    return node.reason if node.is_done() else None
