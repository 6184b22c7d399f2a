"""Lets a tree go through a run again, from the lines of it: what shows trees shows that run.

The tree moves through its one door, as it did then, on a clock that whoever replays it turns. Nothing runs: bodies
stand for bodies, and exceptions for exceptions.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Final, cast

from treetask._errors import TreeTaskError
from treetask.events._lines import EndLine, Fault, Line, LogLine, NodeLine, ProgressLine, RemovalLine, StatusLine
from treetask.model import FAILURES, Driver, Retry, TaskNode, TaskStatus, TaskTree
from treetask.text import Retold, SourceFrame, retold

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

_PENDING: Final = TaskStatus.PENDING
_WORKING: Final = TaskStatus.WORKING
_RETRYING: Final = TaskStatus.RETRYING

#: Of attempts without a bound.
_FOR_EVER: Final = Retry(on=Exception, attempts=None)
#: Dependencies that a reason names.
_NAMES_SHOWN: Final = 3


async def _body(node: TaskNode) -> None:
    """Stands for a body: what has one counts as work."""


class Replay:
    """A run that happens again in a tree, line by line; `now` is the time, in seconds since it began."""

    def __init__(self, now: Callable[[], float]) -> None:
        #: The tree, from the line on that adds its root.
        self.tree: TaskTree | None = None
        self.now: Final = now

    def hear(self, line: Line) -> None:
        """Let happen what a line says. Raises `TreeTaskError` for one that does not fit to those before it."""
        try:
            self._hear(line)
        except (TreeTaskError, TypeError, ValueError) as error:
            raise TreeTaskError(f"the event of seq {line.seq} does not fit: {error}") from error

    def _hear(self, line: Line) -> None:
        if isinstance(line, StatusLine):
            self._change(line)
        elif isinstance(line, NodeLine):
            self._add(line)
        elif isinstance(line, ProgressLine):
            tree, node = self._found(line.node)
            tree.apply_progress(node, _progress(line.progress))
        elif isinstance(line, LogLine) and line.node is not None:
            tree, node = self._found(line.node)
            tree.apply_log(node, "".join(f"{each}\n" for each in line.lines).encode("utf-8", "backslashreplace"))
        elif isinstance(line, RemovalLine):
            tree, node = self._found(line.node)
            if node.parent is None:
                raise TreeTaskError("the root cannot be removed")
            tree.remove(node)
        elif isinstance(line, EndLine) and self.tree is not None:
            self.tree.drive(None)

    def _found(self, node_id: str) -> tuple[TaskTree, TaskNode]:
        node = None if self.tree is None else self.tree.find(node_id)
        if self.tree is None or node is None:
            raise TreeTaskError(f"it is about node '{node_id}', which none before it has added")
        return self.tree, node

    def _add(self, line: NodeLine) -> None:
        node = _node(line)
        if line.parent is not None:
            tree, parent = self._found(line.parent)
            tree.attach(node, parent)
        elif self.tree is None:
            self.tree = TaskTree(node)
            # Who shows it asks it for the time, and what nodes wait for.
            self.tree.drive(cast("Driver", self))
        else:
            raise TreeTaskError(f"it adds a second root, '{line.node}'")

    def _change(self, line: StatusLine) -> None:
        tree, node = self._found(line.node)
        new = TaskStatus(line.new)
        if new is _PENDING:
            tree.move(node, new, line.at)
            node.retry_count = 0
            node.exception = node.error = node.reason = None
            return
        node.retry_count = line.attempt - (new is not _RETRYING)
        if new in FAILURES or new is _RETRYING:
            _trouble(node, line.faults)
        elif new is TaskStatus.DONE:
            node.exception = node.error = None
        node.reason = line.reason if new is not _RETRYING else None
        tree.move(node, new, line.at)

    # -- asked by the tree -------------------------------------------------------------------------------------------

    def waits_for(self, node: TaskNode) -> str | None:
        """Return what keeps a node back, as far as that can be seen from outside."""
        if node.status is _RETRYING:
            return "its next attempt"
        parent = node.parent
        if node.status is not _PENDING or parent is None or self.tree is None:
            return None
        if parent.status is not _WORKING:
            return f"'{parent.id}'"
        needed = [self.tree.find(each) for each in node.options.depends_on]
        unmet = [f"'{each.id}'" for each in needed if each is not None and not each.is_done()]
        more = f" and {len(unmet) - _NAMES_SHOWN} more" if len(unmet) > _NAMES_SHOWN else ""
        return ", ".join(unmet[:_NAMES_SHOWN]) + more if unmet else None

    def is_stopping(self, node: TaskNode) -> bool:
        """Whether a node is being stopped, which nobody knows afterwards."""
        return False


def _node(line: NodeLine) -> TaskNode:
    most = line.max_retries
    node = TaskNode(
        line.node,
        line.name,
        line.status,
        task_fn=_body if line.has_body else None,
        progress=_progress(line.progress),
        retry_count=max(line.attempt - 1, 0),
        depends_on=line.depends_on,
        max_retries=most,
        retry=_FOR_EVER if most is None else None,
    )
    node.started_at, node.ended_at = line.started_at, line.ended_at
    node.reason = line.reason
    if node.status in FAILURES:
        _trouble(node, line.faults)
    return node


def _trouble(node: TaskNode, faults: Sequence[Fault]) -> None:
    """Let a node have what went wrong with it."""
    raised = [_exception(fault) for fault in faults if fault.kind]
    node.exception = (
        None if not raised else raised[0] if len(raised) == 1 else ExceptionGroup("several exceptions", raised)
    )
    node.error = faults[0].message or faults[0].kind if faults else None


def _exception(fault: Fault) -> Retold:
    cause: Retold | None = None
    for each in (*reversed(fault.causes), fault):
        frames = [SourceFrame(frame.file, frame.line, frame.function, frame.source) for frame in each.frames]
        cause = retold(each.kind, each.message, frames, cause)
    assert cause is not None
    return cause


def _progress(progress: tuple[float, float] | None) -> tuple[int, int] | None:
    # Any numbers will do; the annotation is that of the printed API.
    return cast("tuple[int, int] | None", progress)
