"""Obeys keys: keeps what they have made of the display, and takes what it shows then from the tree.

Keys come from any thread and wait; they are obeyed where the tree may be read, on the thread that runs it. What a key
does is decided in `_browser`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

from treetask._errors import TreeTaskError
from treetask.display._browser import HELP, SHORT_HELP, Cancel, State, press
from treetask.display._keys import Key, Typed
from treetask.display._outline import Failures, More, Outline, Place, around
from treetask.display._selection import Selection
from treetask.display._standing import NOTHING, Standing, Standings
from treetask.display._window import Memory, MoreRow, Row, Sight, Window, node_row, take_window, window_of
from treetask.display._words import last_log_lines, trouble
from treetask.model import FAILURES, TaskNode, TaskTree

#: As much as a terminal keeps of what nobody has read.
_LEFT_OVER: Final = 4096
#: Names of a path that one row has room for.
_NAMES_SHOWN: Final = 4
_HELP_COLUMNS: Final = 20


class Controls(Protocol):
    """The run that keys pause and resume: an `AsyncExecutor`."""

    @property
    def is_paused(self) -> bool:
        """Whether starts are held back."""
        ...

    def pause(self) -> None:
        """Start no more bodies."""

    def resume(self) -> None:
        """Start bodies again."""


class Browsing:
    """What keys have made of one display."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._state = State()
        self._typed: deque[Typed] = deque()
        self._left_over = bytearray()
        self._lock = threading.Lock()
        #: What the display itself chose last, and the tree that it is of.
        self._chosen: Selection | None = None
        self._memory = Memory()
        self._tree: TaskTree | None = None
        #: What had rows when somebody chose them last.
        self._places: list[Place] = []

    # -- from any thread -------------------------------------------------------------------------------------------

    def note(self, typed: Iterable[Typed]) -> None:
        """Take keys that are to be obeyed with the next look."""
        with self._lock:
            self._typed.extend(typed)

    def left_over(self) -> bytes:
        """Return, once, what was typed and no key of ours: somebody else may have been meant."""
        with self._lock:
            left = bytes(self._left_over) + b"".join(each.text for each in self._typed)
            self._left_over.clear()
            self._typed.clear()
        return left[-_LEFT_OVER:]

    @property
    def follows(self) -> bool:
        """Whether something is shown that grows unnoticed."""
        return self._state.log_of is not None

    # -- where the tree may be read --------------------------------------------------------------------------------

    def look(self, tree: TaskTree, height: int, max_depth: int | None, at: float, now: float) -> Sight:
        """Obey the keys that have come, at the time `now`, and return what is to be shown in `height` rows."""
        if tree is not self._tree:
            self._tree, self._state, self._chosen, self._memory = tree, State(), None, Memory()
        if self._chosen is None:
            self._choose(tree, height, max_depth, at)
        self._obey(tree, height, now)
        state = self._state
        if state.shows_help or state.log_of is not None:
            return self._sight(self._window(tree, (), at), height)
        if state.chooses_rows:
            return self._browsed(tree, height, at)
        return self._sight(self._choose(tree, height, max_depth, at), height)

    def _choose(self, tree: TaskTree, height: int, max_depth: int | None, at: float) -> Window:
        window = take_window(tree, height, max_depth, at, self._memory)
        self._memory, self._chosen = window.memory, window.memory.selection
        return window

    def _window(self, tree: TaskTree, rows: Iterable[Row], at: float) -> Window:
        return window_of(tree, rows, at, self._memory)

    def _rows(self, tree: TaskTree) -> Outline | Failures:
        state = self._state
        if state.only_failed:
            return Failures(tree)
        assert self._chosen is not None
        return Outline(tree, self._chosen, state.opened, state.closed)

    def _obey(self, tree: TaskTree, page: int, now: float) -> None:
        while True:
            with self._lock:
                if not self._typed:
                    return
                key, text = self._typed.popleft()
            if key is None or not self._press(tree, key, page, now):
                with self._lock:
                    self._left_over += text
                    del self._left_over[:-_LEFT_OVER]

    def _press(self, tree: TaskTree, key: Key, page: int, now: float) -> bool:
        """Do what a key asks for; return whether it is one that means something here."""
        rows = self._rows(tree)
        answer = press(self._held(rows), key, rows, max(1, page), now)
        self._state = answer.state
        if isinstance(answer.deed, Cancel):
            with suppress(TreeTaskError):  # the run has just ended
                answer.deed.node.cancel("cancelled from the keyboard")
        elif answer.deed is not None:
            (self._controls.resume if self._controls.is_paused else self._controls.pause)()
        return answer.is_used

    def _held(self, rows: Outline | Failures) -> State:
        """Return the state with something selected that has a row: where it has gone, what was above it."""
        state = self._state
        if state.selected is None:
            return state
        before = self._places[: self._places.index(state.selected)] if state.selected in self._places else []
        held = rows.held(state.selected)
        if held != state.selected:
            held = next((place for place in reversed(before) if rows.held(place) == place), held)
        return replace(state, selected=held)

    def _browsed(self, tree: TaskTree, height: int, at: float) -> Sight:
        rows = self._rows(tree)
        state = self._state = self._held(rows)
        place = rows.end(last=False) if state.selected is None else state.selected
        shown: list[Row] = []
        line = 0
        if place is not None and height > 0:
            places, line = around(rows, place, min(state.line, height - 1), height)
            self._places = places
            shown = list(_failure_rows(rows, places) if isinstance(rows, Failures) else _outline_rows(rows, places))
        sight = self._sight(self._window(tree, shown, at), height)
        sight = replace(sight, selected=None if state.selected is None else line)
        return sight if shown or height <= 0 else replace(sight, page=("nothing has failed",))

    def _sight(self, window: Window, height: int) -> Sight:
        state = self._state
        told: list[str] = []
        if self._controls.is_paused:
            told.append("paused, p goes on")
            window = replace(window, remaining=None)
        if state.only_failed and state.log_of is None:
            told.append("failed only, f shows all")
        sight = Sight(window, said=state.said, said_until=state.said_until, state=", ".join(told), hint="? keys")
        if state.shows_help:
            title, page = "keys, ? back", _help(height - 1)
        elif state.log_of is not None:
            title, page = f"{_path(state.log_of)}, l back", _log(state.log_of, height - 1 if height > 1 else 1)
        else:
            return sight
        # On the smallest of screens one line of the page is more than its title.
        return replace(sight, title=title if height > 1 else "", page=page, hint="")


def _help(height: int) -> tuple[str, ...]:
    if height < len(HELP):
        return SHORT_HELP[: max(1, height)]
    return tuple(f"{keys:{_HELP_COLUMNS}}{does}" for keys, does in HELP)


def _log(node: TaskNode, height: int) -> tuple[str, ...]:
    """Return the last lines of what a node has put out, and below them what went wrong with it."""
    ends = [trouble(node)] if node.status in FAILURES else []
    room = height - len(ends)
    lines = last_log_lines(node, room) if room > 0 else []
    return (*(lines or ["nothing so far"][:room]), *ends)


def _outline_rows(outline: Outline, places: Sequence[Place]) -> Iterator[Row]:
    standings = Standings(outline.tree)
    for place in places:
        lasts = outline.lasts(place)
        if isinstance(place, More):
            yield _more_row(outline, place, lasts, standings)
        else:
            yield node_row(outline.tree, place, lasts, outline.gap(place), standings)


def _more_row(outline: Outline, more: More, lasts: tuple[bool, ...], standings: Standings) -> MoreRow:
    group = more.group
    folded = outline.tree.folded_children(group)
    if outline.is_opened(group):
        return MoreRow(lasts, folded, Standing(done=folded))
    shown = [child for child in outline.below(group) if isinstance(child, TaskNode)]
    children = len(group.children) + folded - sum(child.parent is group for child in shown)
    return MoreRow(lasts, children, standings.without(standings.below(group), shown))


def _failure_rows(failures: Failures, places: Sequence[Place]) -> Iterator[Row]:
    standings = Standings(failures.tree)
    for place in places:
        node = failures.node(place)
        yield replace(node_row(failures.tree, node, (), 0, standings), name=_path(node))
    hidden = len(failures.tree.failed) - len(failures.nodes)
    if hidden and places[-1] is failures.nodes[-1]:
        yield MoreRow((), hidden, NOTHING)


def _path(node: TaskNode) -> str:
    """Return the names of a node and of some that it is below, but for the root."""
    names = [str(node.name)]
    above = node.parent
    while above is not None and above.parent is not None and len(names) < _NAMES_SHOWN:
        names.append(str(above.name))
        above = above.parent
    if above is not None and above.parent is not None:
        names.append("…")
    return " › ".join(reversed(names))
