"""Makes one story of the lines of a run: reads them from the first to the last and tells how it was in the end.

Of nodes that left the tree nothing is told, as nothing of them counts; those that were folded are told like others.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

from treetask._errors import TreeTaskError
from treetask.events._lines import (
    EndLine,
    Fault,
    Line,
    LogLine,
    NodeLine,
    ProgressLine,
    RemovalLine,
    StartLine,
    StatusLine,
)
from treetask.events._story import Attempt, Story, StoryNode
from treetask.model import LOG_BYTES, TaskStatus

_STATUSES: Final = {status.value: status for status in TaskStatus}
_WORKING: Final = TaskStatus.WORKING
_RETRYING: Final = TaskStatus.RETRYING
_PENDING: Final = TaskStatus.PENDING


class _Log:
    """The last lines of a node."""

    __slots__ = ("_size", "lines")

    def __init__(self) -> None:
        self.lines: deque[str] = deque()
        self._size = 0

    def add(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.lines.append(line)
            self._size += _size_of(line)
        while self._size > LOG_BYTES:
            self._size -= _size_of(self.lines.popleft())


class _Node:
    """What is known of a node so far."""

    __slots__ = (
        *("attempts", "began", "children", "ended_at", "failed_below", "faults", "line", "log", "parent", "progress"),
        *("reason", "started_at", "status"),
    )

    def __init__(self, line: NodeLine, parent: _Node | None) -> None:
        self.line = line
        self.parent = parent
        #: Most nodes have none, and a hundred thousand empty ones would be felt.
        self.children: dict[str, _Node] | None = None
        self.status = _status(line.status, line.seq)
        self.started_at = line.started_at
        self.ended_at = line.ended_at
        self.attempts: tuple[Attempt, ...] = ()
        #: When the attempt began that goes on.
        self.began: float | None = None
        self.progress = line.progress
        self.reason = line.reason
        self.faults: tuple[Fault, ...] = line.faults
        self.failed_below = False
        self.log: _Log | None = None
        if line.started_at is not None:
            if self.status.is_terminal:
                number = max(line.attempt, 1)
                self.attempts = (Attempt(number, line.started_at, line.ended_at, self.status, line.faults),)
            else:
                self.began = line.started_at

    def change(self, line: StatusLine) -> None:
        """Go from one status to another."""
        new = _status(line.new, line.seq)
        if self.status is _WORKING:
            self._end_attempt(line, new)
        if new is _WORKING:
            self.began = line.at
            if self.started_at is None:
                self.started_at = line.at
        elif new is _PENDING:
            self.started_at = self.ended_at = None
        elif new.is_terminal:
            self.ended_at = line.at
        self.status = new
        self.reason = line.reason
        self.faults = line.faults
        self.failed_below = line.failed_below

    def _end_attempt(self, line: StatusLine, new: TaskStatus) -> None:
        began = line.at if self.began is None else self.began
        self.began = None
        # That it timed out is in its faults: who is repeated has failed in one way or another.
        status = TaskStatus.FAILED if new is _RETRYING else new
        self.attempts += (Attempt(self._next_number(), began, line.at, status, line.faults),)

    def _next_number(self) -> int:
        return self.attempts[-1].number + 1 if self.attempts else 1

    def told(self, places: dict[str, int]) -> StoryNode:
        """Return the node as it is in the end."""
        line = self.line
        attempts = self.attempts
        if self.began is not None:
            attempts += (Attempt(self._next_number(), self.began, None, _WORKING),)
        return StoryNode(
            id=line.node,
            name=line.name,
            parent=-1 if self.parent is None else places[self.parent.line.node],
            has_body=line.has_body,
            status=self.status,
            started_at=self.started_at,
            ended_at=self.ended_at,
            attempts=attempts,
            max_retries=line.max_retries,
            progress=self.progress,
            reason=self.reason,
            faults=self.faults,
            failed_below=self.failed_below,
            log=() if self.log is None else tuple(self.log.lines),
            depends_on=tuple(places[needed] for needed in line.depends_on if needed in places)
            if line.depends_on
            else (),
        )


def story_of(lines: Iterable[Line]) -> Story:
    """Return the run that some lines tell of, the first of which is its `StartLine`.

    A run that was broken off is told as it was then. Raises `TreeTaskError` for lines that do not fit together.
    """
    teller = _Teller()
    for line in lines:
        teller.hear(line)
    return teller.story()


class _Teller:
    def __init__(self) -> None:
        self._start: StartLine | None = None
        self._end: EndLine | None = None
        self._root: _Node | None = None
        self._nodes: dict[str, _Node] = {}
        self._log = _Log()
        self._last = 0.0

    def hear(self, line: Line) -> None:
        """Take note of the next line."""
        self._last = max(self._last, line.at)
        if isinstance(line, StatusLine):
            self._node(line.node, line).change(line)
        elif isinstance(line, NodeLine):
            self._add(line)
        elif isinstance(line, LogLine):
            self._put_out(line)
        elif isinstance(line, ProgressLine):
            self._node(line.node, line).progress = line.progress
        elif isinstance(line, RemovalLine):
            self._remove(line)
        elif isinstance(line, EndLine):
            self._end = line
        elif isinstance(line, StartLine):
            self._start = line

    def _node(self, node_id: str, line: Line) -> _Node:
        node = self._nodes.get(node_id)
        if node is None:
            raise TreeTaskError(
                f"the event of seq {line.seq} is about node '{node_id}', which none before it has added"
            )
        return node

    def _add(self, line: NodeLine) -> None:
        if line.node in self._nodes:
            raise TreeTaskError(f"the event of seq {line.seq} adds node '{line.node}', which is there already")
        parent = None if line.parent is None else self._node(line.parent, line)
        node = self._nodes[line.node] = _Node(line, parent)
        if parent is not None:
            if parent.children is None:
                parent.children = {}
            parent.children[line.node] = node
        elif self._root is None:
            self._root = node
        else:
            raise TreeTaskError(f"the event of seq {line.seq} adds a second root, '{line.node}'")

    def _put_out(self, line: LogLine) -> None:
        if line.node is None:
            self._log.add(line.lines)
            return
        node = self._node(line.node, line)
        if node.log is None:
            node.log = _Log()
        node.log.add(line.lines)

    def _remove(self, line: RemovalLine) -> None:
        top = self._node(line.node, line)
        if top.parent is None or top.parent.children is None:
            raise TreeTaskError(f"the event of seq {line.seq} removes the root, '{line.node}'")
        del top.parent.children[line.node]
        waiting = [top]
        while waiting:
            node = waiting.pop()
            del self._nodes[node.line.node]
            waiting.extend(() if node.children is None else node.children.values())

    def story(self) -> Story:
        """Return all that was heard."""
        start, end, root = self._start, self._end, self._root
        if start is None or root is None:
            raise TreeTaskError("the events have no run_started and no node; expected those of a whole run")
        ordered: list[_Node] = []
        waiting = [root]
        while waiting:
            node = waiting.pop()
            ordered.append(node)
            if node.children is not None:
                waiting.extend(reversed(node.children.values()))
        places = {node.line.node: place for place, node in enumerate(ordered)}
        nodes = tuple(node.told(places) for node in ordered)
        return Story(
            name=start.name,
            run=start.run,
            target=start.target,
            wall=start.wall,
            elapsed=self._last if end is None else end.elapsed,
            status=_WORKING if end is None else _status(end.status, end.seq),
            nodes=nodes,
            log=tuple(self._log.lines),
            counts=_counts(nodes, end),
        )


def _counts(nodes: Iterable[StoryNode], end: EndLine | None) -> dict[TaskStatus, int]:
    if end is not None:
        return {_status(status, end.seq): count for status, count in end.counts.items()}
    groups = {node.parent for node in nodes}
    return dict(Counter(node.status for place, node in enumerate(nodes) if place not in groups))


def _status(text: str, seq: int) -> TaskStatus:
    status = _STATUSES.get(text)
    if status is None:
        raise TreeTaskError(f"the event of seq {seq} has status '{text}'; expected one of {', '.join(_STATUSES)}")
    return status


def _size_of(line: str) -> int:
    return (len(line) if line.isascii() else len(line.encode("utf-8", "replace"))) + 1
