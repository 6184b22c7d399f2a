"""How the rows of a window look at a width: icon, name, bar, notes, times. Pure: copies go in, lines come out.

A line never takes more columns than it was given. It is measured and cut bare, and coloured last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from treetask.display._theme import ROLES, Role, Theme
from treetask.display._window import MoreRow, NodeRow, Row, Window
from treetask.model import TaskStatus
from treetask.text import clip, display_width, duration, estimate, number, percent

#: Below this many columns a row has no time, and the last line no words.
_NARROW: Final = 30
#: Names are padded to this, so that what stands beside them does not jump when a longer name comes; on a narrow screen
#: to a part of its width.
_NAME_COLUMNS: Final = 14
_NAME_PART: Final = 5
#: The part of a row, without its indentation, that names may take where something stands beside them.
_NAMES_SHARE: Final = 0.45
_LEAST_NAME: Final = 8
#: Fewer columns than this say nothing beside a name.
_LEAST_DETAIL: Final = 6
_LONGEST_BAR: Final = 26
_SHORTEST_BAR: Final = 8
#: However wide the terminal is: a time far away from its name belongs to nothing.
_WIDEST: Final = 110
#: What gives its colour to the name, too.
_NAMED: Final = frozenset({Role.FAILED, Role.WAITING, Role.SKIPPED})
#: Between name, detail and time.
_SPACE: Final = 2
#: Columns of a time, where there is none yet: `58.1s`.
_USUAL_TIME: Final = 5
#: A time that changes from frame to frame is noise while it is this short, in seconds.
_LEAST_RUNNING_TIME: Final = 1.0


@dataclass(slots=True)
class Columns:
    """Where things stand, kept from frame to frame: a column only moves to the right, else the eye has to search.

    To be made anew for another width.
    """

    #: The right end of the times. They stand close to what they belong to, also because a row that leaves the end of
    #: the line free survives a terminal that is made narrower: it need not be wrapped.
    edge: int = 0
    #: For each depth, where that begins which stands beside the names.
    beside: dict[int, int] = field(default_factory=dict[int, int])


def window_lines(window: Window, width: int, now: float, theme: Theme, columns: Columns | None = None) -> list[str]:
    """Return the rows of a window and its last line at the time `now`, each at most `width` columns wide."""
    return [*row_lines(window.rows, width, now, theme, columns), last_line(window, width, now, theme)]


def row_lines(rows: tuple[Row, ...], width: int, now: float, theme: Theme, columns: Columns | None = None) -> list[str]:
    """Return the rows alone."""
    return _Layout(min(width, _WIDEST), now, theme, Columns() if columns is None else columns).lines(rows)


class _Head(NamedTuple):
    """The start of a row, up to the name."""

    #: Columns before the name.
    indent: int
    text: str
    width: int
    #: Characters before the icon, and before the name.
    icon_at: int = 0
    name_at: int = 0


class _Layout:
    """The rows of one frame, measured together: what stands beside the names begins in one column for each depth."""

    def __init__(self, width: int, now: float, theme: Theme, columns: Columns) -> None:
        self._width = width
        self._now = now
        self._theme = theme
        self._columns = columns

    def lines(self, rows: tuple[Row, ...]) -> list[str]:
        heads = [self._head(row) for row in rows]
        beside = self._columns.beside
        for row, head in zip(rows, heads, strict=True):
            if isinstance(row, NodeRow) and not row.gap:
                depth = len(row.lasts)
                beside[depth] = max(beside.get(depth, 0), self._name_end(head) + _SPACE)
        drawn = [self._drawn(row, head) for row, head in zip(rows, heads, strict=True)]
        ends = [used + _SPACE + max(len(time), _USUAL_TIME) for _, used, time in drawn]
        edge = self._columns.edge = min(self._width, max([self._columns.edge, *ends]))
        paint = self._theme.paint
        return [
            f"{left}{' ' * (edge - used - len(time))}{paint(Role.FAINT, time)}" if time else left
            for left, used, time in drawn
        ]

    def _drawn(self, row: Row, head: _Head) -> tuple[str, int, str]:
        """Return a row up to its time, the columns of that, and the time."""
        if isinstance(row, MoreRow):
            return self._theme.paint(Role.FAINT, self._clip(head.text, self._width)), 0, ""
        time = self._time(row) if self._width >= _NARROW else ""
        room = self._width - (len(time) + _SPACE if time else 0)
        beside = self._name_end(head) + _SPACE if row.gap else self._columns.beside[len(row.lasts)]
        detail = self._detail(row, room - beside) if room - beside >= _LEAST_DETAIL else ""
        left, used = head.text, head.width
        longest = beside - _SPACE if detail else room
        if used > longest:
            left = self._clip(left, longest)
            used = display_width(left)
        painted = self._painted(left, head, row)
        if detail:
            detail = self._clip(detail, room - beside)
            painted += " " * (beside - used) + self._painted_detail(detail, row)
            used = beside + display_width(detail)
        return painted, used, time

    def _painted(self, text: str, head: _Head, row: NodeRow) -> str:
        """Return the start of a row, which may have been cut, in its colours."""
        theme = self._theme
        if not theme.has_colours:
            return text
        role = ROLES[row.status]
        icon, name = text[head.icon_at : head.name_at], text[head.name_at :]
        if icon.isascii():  # pictures have colours of their own
            icon = theme.paint(role, icon)
        named = Role.HEADING if not row.lasts else role if role in _NAMED else None
        return theme.paint(Role.FAINT, text[: head.icon_at]) + icon + theme.paint(named, name)

    def _painted_detail(self, detail: str, row: NodeRow) -> str:
        theme = self._theme
        if not theme.has_colours:
            return detail
        if row.status is not TaskStatus.WORKING:
            says_why = row.note and row.status is not TaskStatus.DONE
            return theme.paint(ROLES[row.status] if says_why else Role.FAINT, detail)
        rest = detail.lstrip(theme.bar_full + theme.bar_half)
        count = rest.lstrip(theme.bar_empty)
        full, empty = detail[: len(detail) - len(rest)], rest[: len(rest) - len(count)]
        return theme.paint(Role.RUNNING, full) + theme.paint(Role.FAINT, empty) + count

    def _clip(self, text: str, width: int) -> str:
        return clip(text, width, self._theme.ellipsis)

    def _head(self, row: Row) -> _Head:
        theme = self._theme
        prefix = theme.prefix(row.lasts)
        indent = display_width(prefix)
        if isinstance(row, MoreRow):
            text = f"{theme.ellipsis} {row.standing.more(row.children)}"
            return _Head(indent, prefix + text, indent + len(text))
        if row.gap:
            levels = theme.levels(row.gap)
            prefix += levels
            indent += len(levels)
        name = theme.text(row.name)
        icon = theme.icon(row.status)
        indent += theme.icon_widths[row.status.value] + 1
        icon_at, name_at = len(prefix), len(prefix) + len(icon) + 1
        return _Head(indent, f"{prefix}{icon} {name}", indent + display_width(name), icon_at, name_at)

    def _name_end(self, head: _Head) -> int:
        """Return the column where a name ends, or is cut, if something stands beside it."""
        longest = head.indent + max(_LEAST_NAME, int((self._width - head.indent) * _NAMES_SHARE))
        return min(max(head.width, head.indent + min(_NAME_COLUMNS, self._width // _NAME_PART)), longest)

    def _time(self, row: NodeRow) -> str:
        if row.started_at is None:
            return ""
        if row.ended_at is not None:
            return duration(row.ended_at - row.started_at)
        elapsed = self._now - row.started_at
        return duration(elapsed) if elapsed >= _LEAST_RUNNING_TIME else ""

    def _detail(self, row: NodeRow, room: int) -> str:
        """Return what stands beside a name: how far it is, or why it is not."""
        note = self._theme.text(row.note) if row.note else ""
        retry = f"retry {row.retry}" if row.retry else ""
        if row.status is TaskStatus.RETRYING:
            return f"{retry}  {note}".rstrip()
        if row.status is not TaskStatus.WORKING and note:
            return f"{note} ({row.attempts} attempts)" if row.attempts > 1 else note
        if row.progress is None or not row.lasts:
            # The root's progress is the last line.
            return retry if row.status is TaskStatus.WORKING else ""
        current, total = row.progress
        count = f"{number(current)}/{number(total)}"
        if len(count) > room:
            return ""  # a part of a number is another number
        if row.status is not TaskStatus.WORKING:
            return count
        count = f"{count}  {retry}".rstrip()
        columns = min(_LONGEST_BAR, room - _SPACE - len(count))
        return f"{bar(current, total, columns, self._theme)}  {count}" if columns >= _SHORTEST_BAR else count


def bar(current: float, total: float, columns: int, theme: Theme) -> str:
    """Return a bar of that many columns, filled in half columns."""
    halves = max(0, min(columns * 2, int(current / total * columns * 2))) if total > 0 else 0
    full, half = divmod(halves, 2)
    return theme.bar_full * full + theme.bar_half * half + theme.bar_empty * (columns - full - half)


def last_line(window: Window, width: int, now: float, theme: Theme, *, state: str = "", hint: str = "") -> str:
    """Return `Progress: 4,214/5,003 (84%) · 1m 12s · ETA ~15s · 16 running, 1 failed`.

    The numbers alone where it is narrow. `state` is said first of all, `hint` last, both where there is room.
    """
    share = percent(window.current, window.total, ended=window.ended)
    count = f"{number(window.current)}/{number(window.total)}"
    if width < _NARROW:
        return clip(f"{share}% {count}", width, theme.ellipsis)
    facts = [state] if state else []
    if window.started_at is not None:
        until = now if window.ended_at is None else window.ended_at
        facts.append(duration(until - window.started_at))
    if window.remaining is not None:
        # It was as long when the window was taken, which may be a while ago where the loop is blocked.
        facts.append(f"ETA ~{estimate(window.remaining - (now - window.at))}")
    failed = f"{window.failed:,} failed" if window.failed else ""
    standing = [f"{window.running:,} running"] if window.running else []
    standing += [failed] if failed else []
    if standing:
        facts.append(", ".join(standing))
    facts += [hint] if hint else []
    line = painted = clip(f"Progress: {count} ({share}%)", width, theme.ellipsis)
    for fact in facts:
        longer = f"{line} {theme.dot} {fact}"
        if len(longer) <= width:
            line = longer
            painted += f" {theme.dot} {_painted_fact(fact, failed, hint, theme)}"
    return painted


def _painted_fact(fact: str, failed: str, hint: str, theme: Theme) -> str:
    if failed and fact.endswith(failed):
        return fact.removesuffix(failed) + theme.paint(Role.FAILED, failed)
    return theme.paint(Role.FAINT, fact) if fact == hint else fact
