"""The rows at the bottom of a terminal that are painted over and over, and what is said above them for good.

The cursor is parked at the top of the region, on a row that is left empty where there is room: what somebody else
prints appears above the region, whole; the next full frame paints the region below it. So does a terminal that wraps
the old rows anew when its width changes: whatever it made of them is below the cursor, and is painted over.

Knows rows of text and escape sequences; nothing of trees. One thread at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

from treetask.display._restore import forget, guests, remember
from treetask.display._terminal import (
    BEGIN_FRAME,
    END_FRAME,
    ERASE_BELOW,
    ERASE_LINE_END,
    HIDE_CURSOR,
    SHOW_CURSOR,
    WRAP_OFF,
    WRAP_ON,
    Size,
    Terminal,
    down,
    right,
    up,
)
from treetask.text import display_width, without_colours

#: Rows of the screen that a region leaves free at least.
_ROWS_LEFT: Final = 2
#: From this height on, the row that the cursor is parked on stays empty.
_ROOMY: Final = 6
#: At least this often a frame is painted in full, in seconds, whatever has become of the screen since.
_REPAINT_SECONDS: Final = 1.0
#: How long the end of the process waits for a frame that is being written, in seconds.
_LAST_WAIT: Final = 0.2


def region_height(size: Size) -> int:
    """Return how many rows a region may take: half of the screen, and never all but one."""
    return max(0, min(size.rows - _ROWS_LEFT, size.rows // 2))


def has_spacer(height: int) -> bool:
    """Whether a region of that height begins with an empty row."""
    return height >= _ROOMY


class Region:
    """The painted rows of one terminal.

    Where nobody else writes there (`alone`), only what has changed is painted, and everything once in a while. Else
    each frame is painted in full: after a line that somebody printed, no row is where it was.
    """

    def __init__(self, terminal: Terminal, *, alone: bool) -> None:
        self._terminal = terminal
        self._alone = alone
        self._painted: list[str] = []
        #: Where in the first row the cursor is parked: behind a question, so that the answer is not typed over it.
        self.column = 0
        #: Whether somebody types there though nothing was asked.
        self.is_asked = False
        self._size: Size | None = None
        self._repainted = float("-inf")
        self._cursor_hidden = False
        #: Reentrant, so that a signal handler in the midst of a frame finds out instead of waiting for itself.
        self._lock = threading.RLock()
        self._busy = False
        self._left = False

    def hide_cursor(self) -> None:
        """Hide the cursor until `show_cursor`, `erase` or the end of the process."""
        remember(self)
        self._left = False
        if not self._terminal.is_anothers:
            self._cursor_hidden = True
            self._terminal.write(HIDE_CURSOR)

    def show_cursor(self) -> None:
        """Show the cursor again."""
        self._cursor_hidden = False
        self._terminal.write(SHOW_CURSOR)
        if not self._painted:
            forget(self)

    def paint(self, rows: list[str], size: Size, now: float, above: Iterable[str] = ()) -> bool:
        """Show these rows in place of the last ones, and lines above them for good, in one write.

        Every row must be narrower than the screen. Nothing is written where nothing changed, and no rows in the
        background of a shell. Returns False if the lines could not be written: after `leave`, and where a frame of
        this very thread is half written, as in a signal handler.
        """
        with self._lock:
            if self._left:
                return not [*above]
            if self._busy:
                return False
            if self._terminal.is_anothers:
                self._terminal.write("".join(f"{line}\r\n" for line in above))
                return True
            self._busy = True
            try:
                self._paint(rows, size, now, list(above))
            finally:
                self._busy = False
        return True

    def _paint(self, rows: list[str], size: Size, now: float, above: list[str]) -> None:
        if rows == self._painted and size == self._size and not above:
            return
        whole = not self._alone or bool(above) or size != self._size or now - self._repainted >= _REPAINT_SECONDS
        frame = [BEGIN_FRAME]
        if not self._cursor_hidden and rows:
            remember(self)
            self._cursor_hidden = True
            frame.append(HIDE_CURSOR)
        frame.append("\r")
        frame += [_said(line, size.columns) for line in above]
        # What somebody types behind a question stands in its row as long as that is where it was.
        is_as_before = not above and size == self._size and rows[:1] == self._painted[:1]
        is_asking = is_as_before and (self.is_asked or self.column > 0)
        frame += [WRAP_OFF, *self._changes(rows, whole=whole, is_asking=is_asking), WRAP_ON, END_FRAME]
        self._terminal.write("".join(frame))
        self._painted = rows
        self._size = size
        if whole:
            self._repainted = now

    def _changes(self, rows: list[str], *, whole: bool, is_asking: bool) -> Iterable[str]:
        """Yield what makes the painted rows these ones, the cursor going from the first row to the last and back."""
        old = self._painted
        erases = whole or len(old) > len(rows)
        last = len(rows) - 1
        for index, row in enumerate(rows):
            if index:
                yield "\r\n"
            if is_asking and not index:
                continue
            if whole or index >= len(old) or row != old[index] or (erases and index == last):
                yield row + ERASE_LINE_END
        if not rows:
            yield ERASE_LINE_END
        if erases:
            # After the last row, never from the top left corner: some terminals save in their history what is erased
            # from there.
            yield ERASE_BELOW
        yield up(last)
        yield "\r"
        yield right(self.column)

    def erase(self, text: str = "") -> None:
        """Take the rows away, leave `text` in their place for good, and show the cursor."""
        with self._lock:
            frame = [BEGIN_FRAME, "\r"]
            if self._painted:
                frame.append(
                    f"{ERASE_LINE_END}\r\n{ERASE_BELOW}{up(1)}\r" if len(self._painted) > 1 else ERASE_LINE_END
                )
            frame.append(text.replace("\n", "\r\n"))
            frame.append(END_FRAME)
            if self._cursor_hidden:
                frame.append(SHOW_CURSOR)
            if self._painted or text or self._cursor_hidden:
                self._terminal.write("".join(frame))
            self._reset()

    def leave(self) -> None:
        """Leave the rows where they are, with the cursor visible below them, and paint no more before `hide_cursor`.

        Safe at any moment, in any thread and in a signal handler.
        """
        held = self._lock.acquire(timeout=_LAST_WAIT)
        try:
            if self._painted or self._cursor_hidden:
                below = f"\r{down(len(self._painted) - 1)}\r\n" if self._painted else ""
                self._terminal.write(f"{END_FRAME}{WRAP_ON}{below}{SHOW_CURSOR}")
            self._left = True
            self._reset()
        finally:
            if held:
                self._lock.release()

    def _reset(self) -> None:
        self._painted = []
        self._size = None
        self._cursor_hidden = False
        forget(self)


def _said(line: str, columns: int) -> str:
    """Return a line that stays, over whatever stood there; one that fills its last row leaves nothing to erase."""
    width = display_width(without_colours(line) if "\x1b" in line else line)
    return f"{line}\r\n" if width and width % columns == 0 else f"{line}{ERASE_LINE_END}\r\n"


def is_painted_on(terminal: Terminal) -> bool:
    """Whether some region is on this terminal now: a second one there would paint over it."""
    return any(isinstance(guest, Region) and guest._terminal.is_same_as(terminal) for guest in guests())
