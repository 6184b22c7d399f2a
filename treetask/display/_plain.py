"""The plain face of a display: lines for a pipe, a file or a terminal that obeys nothing. Nothing but text and colours.

Told of a tree from time to time, it finds out by itself what has happened since: it looks at the upper levels, at the
groups that have few children, one by one; of all others it tells the progress, and what failed.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, Final

from treetask import _clock
from treetask.display._decisions import is_github
from treetask.display._standing import FEW, of_leaves, of_node, of_stats
from treetask.display._terminal import Terminal
from treetask.display._theme import ROLES, Role, Theme
from treetask.display._words import NOTE_SHOWN, last_log_lines, retries, trouble
from treetask.model import FAILURES, KeepDone, TaskNode, TaskStatus, TaskTree
from treetask.text import duration, number, percent

if TYPE_CHECKING:
    from treetask.display._browsing import Browsing

#: Groups with more children than this are told of as a whole.
_TOLD_CHILDREN: Final = 20
#: Levels whose nodes are told of one by one, and names of a path; what is above them is left out.
_LEVELS: Final = 5
#: Nodes told of one by one; where there are more, groups are told of as a whole.
_TOLD_NODES: Final = 400
#: Failures told one by one when many come at once, and in a whole run; others are counted.
_FAILURES_AT_ONCE: Final = 20
_FAILURES_TOLD: Final = 100
#: Lines of the log of what has failed; the summary at the end of a command has more.
_LOG_LINES: Final = 5
#: What stands where other lines have the time of day.
_CLOCK: Final = " " * len("12:00:00 ")
#: A progress is told of when it has moved by so many percent, or after so many seconds.
_PROGRESS_PERCENT: Final = 5
_PROGRESS_SECONDS: Final = 5.0
#: However fast the work is, the progress of one group is told at most this often, in seconds.
_LEAST_SECONDS: Final = 1.0
#: After so many seconds of silence a log says that it is alive.
_HEARTBEAT_SECONDS: Final = 30.0
#: Nodes that run, groups among them, that are looked at for the task that has run longest.
_LOOKED_AT: Final = FEW * 8


@dataclass(slots=True)
class _Told:
    """What was last said of a node."""

    status: TaskStatus
    retry_count: int
    percent: int
    at: float


@dataclass(frozen=True, slots=True)
class _Pulse:
    """What the next heartbeat says: how far it is, and what has run longest since when, on the display's clock."""

    progress: str
    longest: str
    since: float


class PlainLog:
    """The face of a display on anything that is no terminal."""

    paints: ClassVar[bool] = False

    def __init__(
        self,
        terminal: Terminal,
        theme: Theme,
        run: Callable[[], int | None] | None = None,
        wall: Callable[[], float] = _clock.wall,
    ) -> None:
        self._terminal = terminal
        self.theme = theme
        self.begun = ""
        self.is_asked = False
        #: Says the number of the run, where it is on record.
        self._run = run
        #: The time of day that lines begin with, in seconds since the epoch.
        self.wall = wall
        self._tree: TaskTree | None = None
        self._told: dict[TaskNode, _Told] = {}
        #: Failures that were looked at, that were told, and that still have to be counted.
        self._failures = 0
        self._failures_told = 0
        self._untold = 0
        self._counted_at = float("-inf")
        self._lines: deque[str] = deque()
        #: Held by whoever writes them, so that they keep their order. Reentrant: a signal's handler may say something.
        self._turn: Final = threading.RLock()
        self._pulse: _Pulse | None = None
        self._wrote_at = float("-inf")

    # -- what a display is asked -----------------------------------------------------------------------------------

    def take(self, tree: TaskTree, max_depth: int | None, now: float) -> None:
        """Find out what has happened since the last time. To be called where the tree may be read."""
        if tree.root.status is TaskStatus.PENDING:
            return
        if tree is not self._tree:
            self._begin(tree, now)
        told, closed = self._upper_nodes(tree, max_depth)
        self._tell_deep_failures(tree, set(told), now)
        ended = [node for node in told if node.status.is_terminal and self._told[node].status is not node.status]
        for node in sorted(ended, key=_end):
            self._told[node].status = node.status
            self._tell_end(tree, node)
        for node in told:
            if not node.status.is_terminal:
                self._tell_retry(tree, node)
        for node in closed:
            self._tell_progress(tree, node, now)
        self._pulse = self._pulse_of(tree, now)

    def browse(self, browsing: Browsing | None) -> None:
        """Do nothing: what is written stays."""

    def show(self, now: float) -> None:
        """Write what has happened, or, after a long silence, what still runs. For any thread."""
        with self._turn:
            lines = self._drain() or self._heartbeat(now)
            if lines:
                self._wrote_at = now
                self._terminal.write("".join(f"{line}\n" for line in lines))

    def _heartbeat(self, now: float) -> list[str]:
        pulse = self._pulse
        if pulse is None or now - self._wrote_at < _HEARTBEAT_SECONDS:
            return []
        longest = f", longest {pulse.longest} {duration(now - pulse.since)}" if pulse.longest else ""
        return self._quoted([self._line(f"still running: {pulse.progress}{longest}")])

    def say(self, lines: list[str], now: float) -> None:
        """Write lines as they are."""
        self._lines.extend(self._quoted(lines))
        self.show(now)

    def hide_cursor(self) -> None:
        """Do nothing: here is no cursor."""

    def show_cursor(self) -> None:
        """Do nothing: here is no cursor."""

    def clear(self) -> None:
        """Do nothing: what was written stays."""

    def finish(self, tree: TaskTree, text: str) -> None:
        """Write a text after all that was to be said of the tree."""
        self._last_news(tree)
        self._write_out(self._quoted(text.split("\n")))

    def conclude(self, tree: TaskTree, max_depth: int | None) -> None:
        """Write what was still to be said of the tree; its end is the last line."""
        self._last_news(tree)
        self._write_out()

    def abandon(self) -> list[str]:
        """Return what was not written; nothing has to be put right."""
        return self._drain()

    def _drain(self) -> list[str]:
        lines: list[str] = []
        with suppress(IndexError):  # not by a look at its length: a signal's handler takes them without its turn
            while True:
                lines.append(self._lines.popleft())
        return lines

    def _write_out(self, last: Iterable[str] = ()) -> None:
        """Write all that waits, and these lines after it."""
        with self._turn:
            self._terminal.write("".join(f"{line}\n" for line in [*self._drain(), *last]))

    def _last_news(self, tree: TaskTree) -> None:
        if tree is self._tree:
            self.take(tree, _LEVELS, self._wrote_at)

    # -- finding out what happened ---------------------------------------------------------------------------------

    def _begin(self, tree: TaskTree, now: float) -> None:
        self._tree = tree
        self._told.clear()
        self._failures = self._failures_told = self._untold = 0
        self._counted_at = float("-inf")
        self._wrote_at = now
        known = tree.get_work_node_stats()["total"]
        number = None if self._run is None else self._run()
        run = "" if number is None else f", run {number}"
        said = f"started: {known:,} {'task' if known == 1 else 'tasks'} known{run}"
        self._log(tree.root, said)

    def _upper_nodes(self, tree: TaskTree, max_depth: int | None) -> tuple[list[TaskNode], list[TaskNode]]:
        """Return the nodes that are told of one by one, children before parents, and those of them that are closed."""
        deepest = _LEVELS if max_depth is None else min(max_depth, _LEVELS)
        told: list[TaskNode] = []
        closed: list[TaskNode] = []
        waiting = [(tree.root, 0)]
        while waiting:
            node, depth = waiting.pop()
            told.append(node)
            known = self._told.setdefault(node, _Told(TaskStatus.PENDING, 0, 0, float("-inf")))
            if known.status.is_terminal or node.status is TaskStatus.PENDING:
                continue
            is_small = 0 < len(node.children) <= _TOLD_CHILDREN and node.options.keep_done is KeepDone.ALL
            if depth < deepest and is_small and len(told) + len(waiting) < _TOLD_NODES:
                waiting.extend((child, depth + 1) for child in node.children)
            else:
                closed.append(node)
        told.reverse()
        return told, closed

    def _tell_deep_failures(self, tree: TaskTree, told: set[TaskNode], now: float) -> None:
        """Write a line for each task below the upper levels that has failed since the last time; many are counted."""
        fresh = list(islice(reversed(tree.failed), max(0, len(tree.failed) - self._failures)))
        self._failures = len(tree.failed)
        # A group failed because of something that is told, or is told of itself.
        tasks = [node for node in reversed(fresh) if not node.children and node not in told]
        room = min(_FAILURES_AT_ONCE, _FAILURES_TOLD - self._failures_told)
        for node in tasks[:room]:
            # Should it be told of one by one later on, this has been said.
            self._told[node] = _Told(node.status, node.retry_count, 0, now)
            self._tell_end(tree, node)
        self._failures_told += len(tasks[:room])
        self._untold += len(tasks[room:])
        if self._untold and (now - self._counted_at >= _PROGRESS_SECONDS or tree.root.status.is_terminal):
            self._put(None, [self._line(self.theme.paint(Role.FAILED, f"{self._untold:,} more failed"))])
            self._untold, self._counted_at = 0, now

    def _tell_end(self, tree: TaskTree, node: TaskNode) -> None:
        role = None if node.status is TaskStatus.DONE else ROLES[node.status]
        log = last_log_lines(node, _LOG_LINES) if node.status in FAILURES else []
        below = [self.theme.paint(Role.FAINT, self.theme.text(f"{_CLOCK}{self.theme.fit('│')} {line}")) for line in log]
        self._log(node, self._end(tree, node), role, below)

    def _end(self, tree: TaskTree, node: TaskNode) -> str:
        """Return how a node ended: `done 1,000/1,000 in 12.4s`, `failed after 3 attempts: HTTPError: 503`."""
        status = node.status
        words = str(status).replace("_", " ")
        if status in FAILURES:
            if node.retry_count:
                words += f" after {node.retry_count + 1} attempts"
        elif status is TaskStatus.DONE and node.children:
            standing = of_stats(tree.subtree_stats(node))
            words += f" {number(standing.current)}/{number(standing.total)}" if standing.total else ""
        if node.started_at is not None and node.ended_at is not None:
            words += f" in {duration(node.ended_at - node.started_at)}"
        if node is tree.root and status is not TaskStatus.DONE:
            standing = of_leaves(tree)
            return f"{words}: {standing.words()}" if standing.words() else words
        said = trouble(node) if status in FAILURES else node.reason
        return f"{words}: {self.theme.text(said, NOTE_SHOWN)}" if said else words

    def _tell_retry(self, tree: TaskTree, node: TaskNode) -> None:
        told = self._told[node]
        if node.retry_count > told.retry_count:
            said = trouble(node)
            retry = f"retry {retries(node, tree)}"
            said = f"{retry}{f': {self.theme.text(said)}' if said else ''}"
            self._log(node, said, Role.RETRYING)
        told.retry_count = node.retry_count

    def _tell_progress(self, tree: TaskTree, node: TaskNode, now: float) -> None:
        if node.status.is_terminal:
            return
        standing = of_stats(tree.subtree_stats(node)) if node.children else of_node(node)
        if standing.total <= 1:
            return
        told = self._told[node]
        share = percent(standing.current, standing.total, ended=False)
        silence = now - told.at
        moved = share - told.percent
        if told.at == float("-inf"):
            told.at = now
        elif (moved >= _PROGRESS_PERCENT and silence >= _LEAST_SECONDS) or (moved and silence >= _PROGRESS_SECONDS):
            told.percent, told.at = share, now
            count = f"{number(standing.current)}/{number(standing.total)}"
            self._log(node, f"{count} ({share}%)")

    def _pulse_of(self, tree: TaskTree, now: float) -> _Pulse | None:
        if tree.root.status.is_terminal:
            return None
        stats = tree.get_progress_stats()
        progress = f"{number(stats['current'])}/{number(stats['total'])}"
        longest = next((node for node in islice(tree.active, _LOOKED_AT) if not node.children), None)
        if longest is None or longest.started_at is None:
            return _Pulse(progress, "", now)
        return _Pulse(progress, _path(longest, self.theme), now - (tree.now() - longest.started_at))

    # -- writing it down -------------------------------------------------------------------------------------------

    def _log(self, node: TaskNode, said: str, role: Role | None = None, below: Iterable[str] = ()) -> None:
        self._put(node, [self._line(f"{_path(node, self.theme)}  {self.theme.paint(role, said)}"), *below])

    def _put(self, node: TaskNode | None, lines: list[str]) -> None:
        """Put down lines that are about a node, or about the whole."""
        self._lines.extend(self._quoted(lines))

    def _quoted(self, lines: list[str]) -> list[str]:
        """Return lines as whoever reads them shows them; GitHub Actions obeys some lines instead."""
        if not is_github(os.environ):
            return lines
        from treetask.display._workflow import quoted

        return quoted(lines)

    def _line(self, said: str) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(self.wall()))
        return f"{self.theme.paint(Role.FAINT, clock)} {said}"


def _end(node: TaskNode) -> float:
    return node.ended_at or 0.0


def _path(node: TaskNode, theme: Theme) -> str:
    """Return the names from below the root down to a node; of a deep path the last ones."""
    names: list[str] = []
    each: TaskNode | None = node
    while each is not None and len(names) < _LEVELS and (each.parent is not None or each is node):
        names.append(theme.text(each.name))
        each = each.parent
    if each is not None and each.parent is not None:
        names.append(theme.ellipsis)
    return f" {theme.arrow} ".join(reversed(names))
