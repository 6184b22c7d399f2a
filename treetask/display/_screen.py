"""The live face of a display: the window of a tree, painted in the region of a terminal.

A window is taken on the thread that runs the tree; painting needs nothing but that copy, so another thread keeps the
times running while a body blocks the event loop.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Final

from treetask.display._region import Region, has_spacer, region_height
from treetask.display._rows import Columns, last_line, row_lines
from treetask.display._standing import of_leaves
from treetask.display._terminal import Size, Terminal
from treetask.display._theme import Role, Theme
from treetask.display._window import Memory, Sight, final_window, take_window
from treetask.display._words import progress_text
from treetask.model import TaskStatus, TaskTree
from treetask.text import clip, display_width, duration

if TYPE_CHECKING:
    from treetask.display._browsing import Browsing

#: Rows of the tree that is left behind at the end. It may be longer than the screen: nothing is painted over it.
_FINAL_ROWS: Final = 60


class Screen:
    """The face of a display on a terminal."""

    paints: ClassVar[bool] = True

    def __init__(self, terminal: Terminal, theme: Theme) -> None:
        self._terminal = terminal
        self.theme = theme
        self.begun = ""
        self.is_asked = False
        self._region = Region(terminal, alone=not terminal.is_shared())
        self._memory = Memory()
        #: What was taken last, and what its tree's clock is ahead of the display's.
        self._taken: tuple[Sight, float] | None = None
        #: What keys have made of it, where there are keys.
        self._browsing: Browsing | None = None
        #: Where things stand on the screen, and the size that this was found for.
        self._columns = Columns()
        self._size: Size | None = None
        #: Lines that wait to be said above the region.
        self._above: deque[str] = deque()
        #: Whoever shows them holds it, so that lines keep their order. Reentrant: a signal's handler may say something.
        self._turn: Final = threading.RLock()

    def take(self, tree: TaskTree, max_depth: int | None, now: float) -> None:
        """Copy what the next frames show. To be called where the tree may be read."""
        height = region_height(self._terminal.size())
        height -= 1 + has_spacer(height)
        at = tree.now()
        if self._browsing is None:
            window = take_window(tree, height, max_depth, at, self._memory)
            sight, self._memory = Sight(window), window.memory
        else:
            sight = self._browsing.look(tree, height, max_depth, at, now)
        self._taken = sight, at - now

    def browse(self, browsing: Browsing | None) -> None:
        """Show what keys make of it from now on; the display's own choice, where there are none."""
        self._browsing = browsing

    def show(self, now: float) -> None:
        """Paint the window that was taken last, with the times of now. For any thread."""
        with self._turn:
            above = self._drain()
            size = self._terminal.size()
            painted = False
            try:
                self._region.column = display_width(self.begun)
                self._region.is_asked = self.is_asked
                painted = self._region.paint(self._rows(size, now), size, now, above)
            finally:
                if not painted:
                    self._above.extendleft(reversed(above))

    def _rows(self, size: Size, now: float) -> list[str]:
        height = region_height(size)
        if self._taken is None or height == 0:
            return []
        sight, ahead = self._taken
        if size != self._size:
            self._size, self._columns = size, Columns()
        # One column stays free: a cursor that waits behind the last one is treated differently everywhere.
        width = size.columns - 1
        lines = self._lines(sight, width, now + ahead)
        spacer = (
            [clip(self.begun, width, self.theme.ellipsis)] if (self.begun and height > 1) or has_spacer(height) else []
        )
        excess = len(lines) + 1 + len(spacer) - height
        if excess > 0:
            # The screen has shrunk since it was looked at; the next look will be right.
            lines = lines[: max(0, len(lines) - excess)]
        if now < sight.said_until and sight.said:
            return [*spacer, *lines, clip(self.theme.text(sight.said), width, self.theme.ellipsis)]
        return [
            *spacer,
            *lines,
            last_line(sight.window, width, now + ahead, self.theme, state=sight.state, hint=sight.hint),
        ]

    def _lines(self, sight: Sight, width: int, now: float) -> list[str]:
        """Return all lines but the last."""
        theme = self.theme
        if sight.page:
            rule = f"{theme.bar_empty * 2} {theme.text(sight.title)} {theme.bar_empty * width}"
            page = [clip(theme.text(line), width, theme.ellipsis) for line in sight.page]
            return [theme.paint(Role.FAINT, clip(rule, width, "")), *page] if sight.title else page
        lines = row_lines(sight.window.rows, width, now, theme, self._columns)
        if sight.selected is not None and sight.selected < len(lines):
            lines[sight.selected] = theme.selected(lines[sight.selected])
        return lines

    def _drain(self) -> list[str]:
        lines: list[str] = []
        with suppress(IndexError):  # not by a look at its length: a signal's handler takes them without its turn
            while True:
                lines.append(self._above.popleft())
        return lines

    def say(self, lines: list[str], now: float) -> None:
        """Print lines above the region, for good."""
        self._above.extend(lines)
        self.show(now)

    def hide_cursor(self) -> None:
        self._region.hide_cursor()

    def show_cursor(self) -> None:
        self._region.show_cursor()

    def clear(self) -> None:
        """Take the region away, after what was still to be said above it."""
        self._replace("")

    def finish(self, tree: TaskTree, text: str) -> None:
        """Put a text in place of the region, for good."""
        self._replace(f"{text}\n")

    def conclude(self, tree: TaskTree, max_depth: int | None) -> None:
        """Put the tree with the rows of the live region in its place, for good: what failed open, the rest closed."""
        window = final_window(tree, _FINAL_ROWS, max_depth, tree.now())
        lines = row_lines(window.rows, self._terminal.size().columns - 1, window.at, self.theme)
        self._replace("\n".join([*lines, _ending(tree), ""]))

    def _replace(self, text: str) -> None:
        self._taken = None
        self._memory = Memory()
        with self._turn:
            said = "".join(f"{line}\n" for line in self._drain())
            self._region.erase(said + text)

    def abandon(self) -> list[str]:
        """Stop painting; what is shown stays. Return what was not said above it."""
        self._region.leave()
        return self._drain()


def _ending(tree: TaskTree) -> str:
    """Return the last line of a tree that is over: all of it, or what has become of which part."""
    root = tree.root
    if root.status is TaskStatus.DONE or not root.status.is_terminal:
        return progress_text(tree)
    words = str(root.status).replace("_", " ").capitalize()
    elapsed = "" if root.elapsed is None else f" in {duration(root.elapsed)}"
    return f"{words}{elapsed}: {of_leaves(tree).words()}"
