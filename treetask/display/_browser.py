"""What a key does: a state, a key and the rows that there are go in, a state and what is to be done come out.

Pure. What is to be done is done in `_browsing`; where the rows come from is known in `_outline`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypeAlias

from treetask.display._keys import Key
from treetask.display._outline import Failures, More, Outline, Place
from treetask.model import TaskNode

#: How long something is said in place of the last line, in seconds; and how long a second `x` means the first one.
SAID_SECONDS: Final = 4.0

HELP: Final = (
    ("up down k j", "select a row; PgUp PgDn Home End too"),
    ("enter, right left", "open and close what is selected"),
    ("l", "what the selected task has put out"),
    ("f", "failed tasks only"),
    ("p", "pause the run: nothing new starts; and go on"),
    ("x x", "cancel what is selected, and all below it"),
    ("esc", "back; the display chooses its rows again"),
    ("ctrl-c", "cancel the run"),
)
#: The same, where there is no room.
SHORT_HELP: Final = ("up down select, enter opens", "l log, f failed only, p pause", "x x cancel, esc back")


@dataclass(frozen=True, slots=True)
class State:
    """What the keys have made of the display so far; to begin with, nothing."""

    selected: Place | None = None
    #: The row of the screen that the selected one is to stand in.
    line: int = 0
    #: Groups that were opened and closed by hand.
    opened: frozenset[TaskNode] = frozenset()
    closed: frozenset[TaskNode] = frozenset()
    only_failed: bool = False
    #: Whose log takes the place of the rows.
    log_of: TaskNode | None = None
    shows_help: bool = False
    #: What is to be cancelled by a second `x`.
    asked: TaskNode | None = None
    #: What is said in place of the last line, and until when.
    said: str = ""
    said_until: float = 0.0

    @property
    def chooses_rows(self) -> bool:
        """Whether a person, not the display, says which rows there are."""
        return self.selected is not None or self.only_failed


class TogglePause(NamedTuple):
    """Start no more bodies, or go on."""


class Cancel(NamedTuple):
    """Stop a node and all below it."""

    node: TaskNode


Deed: TypeAlias = TogglePause | Cancel | None


class Answer(NamedTuple):
    """What becomes of a key."""

    state: State
    deed: Deed = None
    #: Whether the key meant something here; what did not may be meant for somebody else.
    is_used: bool = True


def press(state: State, key: Key, rows: Outline | Failures, page: int, now: float) -> Answer:
    """Return what a key does at the time `now`, when `page` rows are shown. What is selected must have a row."""
    asked = state.asked if now < state.said_until else None
    state = replace(state, asked=None, said="")
    if key is Key.ESCAPE:
        return Answer(_back(state))
    if key is Key.HELP:
        return Answer(replace(state, shows_help=not state.shows_help))
    if key is Key.PAUSE:
        return Answer(state, TogglePause())
    state = replace(state, shows_help=False)
    if key is Key.CANCEL:
        return _cancelled(state, asked, now)
    if key is Key.LOG:
        return Answer(_log(state, now))
    if state.log_of is not None:
        return Answer(state, is_used=key is not Key.ENTER)
    if key is Key.FAILED:
        return Answer(replace(state, only_failed=not state.only_failed, selected=None, line=0))
    if key in _STEPS or key in {Key.HOME, Key.END}:
        return Answer(_moved(state, key, rows, page))
    if state.selected is None:
        return Answer(state, is_used=key is not Key.ENTER)
    return Answer(_opened(state, state.selected, key, rows, now))


def _back(state: State) -> State:
    """Leave what was entered last."""
    if state.shows_help:
        return replace(state, shows_help=False)
    if state.log_of is not None:
        return replace(state, log_of=None)
    return State()


def _say(state: State, said: str, now: float) -> State:
    return replace(state, said=said, said_until=now + SAID_SECONDS)


def _log(state: State, now: float) -> State:
    if state.log_of is not None:
        return replace(state, log_of=None)
    if not isinstance(state.selected, TaskNode):
        return _say(state, "select a task first: up and down", now)
    return replace(state, log_of=state.selected)


def _cancelled(state: State, asked: TaskNode | None, now: float) -> Answer:
    node = state.selected if state.log_of is None else state.log_of
    if not isinstance(node, TaskNode):
        return Answer(_say(state, "select a task first: up and down", now))
    if node.status.is_terminal:
        return Answer(_say(state, f"'{node.name}' has ended", now))
    if asked is node:
        return Answer(_say(state, f"cancelling '{node.name}'", now), Cancel(node))
    below = " and all below it" if node.children else ""
    return Answer(replace(_say(state, f"x again cancels '{node.name}'{below}", now), asked=node))


#: By how many rows, or pages, a key moves the selection.
_STEPS: Final = {Key.UP: (-1, 0), Key.DOWN: (1, 0), Key.PAGE_UP: (0, -1), Key.PAGE_DOWN: (0, 1)}


def _moved(state: State, key: Key, rows: Outline | Failures, page: int) -> State:
    if state.selected is None or key in {Key.HOME, Key.END}:
        is_last = key in {Key.END, Key.UP, Key.PAGE_UP}
        return replace(state, selected=rows.end(last=is_last), line=page - 1 if is_last else 0)
    by_row, by_page = _STEPS[key]
    # A page leaves one row of the last one, so that the eye finds its place.
    count = by_row + by_page * max(1, page - 1)
    selected = rows.moved(state.selected, count)
    return replace(state, selected=selected, line=max(0, min(page - 1, state.line + count)))


def _opened(state: State, place: Place, key: Key, rows: Outline | Failures, now: float) -> State:
    """Return what the keys make of it that open and close."""
    if isinstance(rows, Failures):
        return replace(state, log_of=rows.node(place)) if key is Key.ENTER else state
    if isinstance(place, More):
        return _select(state, place.group, -1) if key is Key.LEFT else _open_rest(state, place, rows, now)
    if key is Key.LEFT or (key is Key.ENTER and rows.is_opened(place)):
        return _shut(state, place, rows)
    if rows.is_opened(place) or (key is Key.RIGHT and rows.is_open(place)):
        return _moved(state, Key.DOWN, rows, state.line + 2)
    if rows.can_open(place):
        return _open(state, place)
    return replace(state, log_of=place) if key is Key.ENTER else state


def _open(state: State, group: TaskNode) -> State:
    return replace(state, opened=state.opened | {group}, closed=state.closed - {group})


def _shut(state: State, place: TaskNode, rows: Outline) -> State:
    """Close an open group; of any other row, go to the one that it is below."""
    if rows.is_open(place):
        return replace(state, opened=state.opened - {place}, closed=state.closed | {place})
    parent = rows.parent(place)
    return state if parent is None else _select(state, parent, -1)


def _select(state: State, place: Place, by: int) -> State:
    return replace(state, selected=place, line=max(0, state.line + by))


def _open_rest(state: State, more: More, rows: Outline, now: float) -> State:
    """Show all children of a group in place of the row that counts them; one that comes in is selected."""
    first = rows.first_hidden(more.group)
    if first is None:
        return _say(state, "those were counted and let go", now)
    return replace(_open(state, more.group), selected=first)
