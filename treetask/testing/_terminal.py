"""A terminal in memory: what a display has painted, as lines of text.

It knows the escape sequences that a display uses and notes down every other one. Nothing is wrapped anew when its size
changes: as in xterm, rows that have become too long are cut.
"""

from __future__ import annotations

import io
import re
from typing import Final

from treetask.text import display_width

_ESCAPE: Final = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])|\x1b.?|[\x00-\x1f\x7f]")
#: Modes that change nothing of the screen: frames that are shown at once.
_SYNCHRONIZED: Final = "2026"


class ScreenTerminal(io.StringIO):
    """An output for a display: `LiveDisplay(output=ScreenTerminal(80, 24))`.

    After a frame, `text` is what a person would see. `TERM=dumb` in the environment counts for it, too.
    """

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        super().__init__()
        #: Columns and rows; a display asks for it. `resize` changes it.
        self.terminal_size = (columns, rows)
        #: What has left the screen at its top, the oldest line first.
        self.history: list[str] = []
        #: The text of the screen after each write.
        self.frames: list[str] = []
        #: Each write as it came.
        self.writes: list[str] = []
        #: Control characters and escape sequences that no display should write.
        self.unknown: list[str] = []
        self.cursor_visible = True
        #: Whether what is written has its colours swapped, as what is selected has.
        self._swaps = False
        #: For each row, whether it begins so.
        self._swapped = [False] * rows
        #: Row and column of the cursor, from 0.
        self.cursor: tuple[int, int] = (0, 0)
        #: Whether a line that is too long goes on in the next row.
        self.wraps = True
        self._cells = [_blank(columns) for _ in range(rows)]

    @property
    def screen(self) -> list[str]:
        """The rows of the screen, without the spaces at their ends."""
        return ["".join(row).rstrip() for row in self._cells]

    @property
    def text(self) -> str:
        """The screen as one text, without the empty rows at its end."""
        return "\n".join(self.screen).rstrip("\n")

    @property
    def selected(self) -> list[str]:
        """The rows whose colours are swapped, as those of a selected row are."""
        return [row for row, is_swapped in zip(self.screen, self._swapped, strict=True) if is_swapped]

    def isatty(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        self.writes.append(text)
        start = 0
        for escape in _ESCAPE.finditer(text):
            self._print(text[start : escape.start()])
            self._obey(escape)
            start = escape.end()
        self._print(text[start:])
        self.frames.append(self.text)
        return len(text)

    def resize(self, columns: int, rows: int) -> None:
        """Give the screen another size, as a person does with a window."""
        row, column = self.cursor
        while len(self._cells) > rows and len(self._cells) - 1 > row:
            self._cells.pop()
            self._swapped.pop()
        while len(self._cells) > rows:
            self._scroll_out()
            row -= 1
        self._swapped += [False] * (rows - len(self._cells))
        self._cells += [_blank(columns) for _ in range(rows - len(self._cells))]
        self._cells = [(row_cells + _blank(columns))[:columns] for row_cells in self._cells]
        self.cursor = (max(0, row), min(column, columns - 1))
        self.terminal_size = (columns, rows)

    # -- the screen ------------------------------------------------------------------------------------------------

    def _scroll_out(self) -> None:
        self.history.append("".join(self._cells.pop(0)).rstrip())
        self._swapped.pop(0)

    def _new_line(self) -> None:
        row, column = self.cursor
        if row + 1 < len(self._cells):
            self.cursor = (row + 1, column)
        else:
            self._scroll_out()
            self._cells.append(_blank(self.terminal_size[0]))
            self._swapped.append(False)

    def _print(self, text: str) -> None:
        for character in text:
            self._put(character, display_width(character))

    def _put(self, character: str, width: int) -> None:
        columns = self.terminal_size[0]
        row, column = self.cursor
        if width == 0:
            self._cells[row][max(0, column - 1)] += character
            return
        if column + width > columns:
            if not self.wraps:
                column = columns - width
            else:
                self.cursor = (row, 0)
                self._new_line()
                row, column = self.cursor
        if 0 <= column <= columns - width:
            self._overwrite(self._cells[row], column, character, width)
            if column == 0:
                self._swapped[row] = self._swaps
            self.cursor = (row, column + width)

    @staticmethod
    def _overwrite(cells: list[str], column: int, character: str, width: int) -> None:
        """Put a character in its cells; the second cell of a wide one holds nothing, and half of one is a space."""
        if not cells[column]:
            cells[column - 1] = " "
        cells[column : column + width] = [character, *[""] * (width - 1)]
        if column + width < len(cells) and not cells[column + width]:
            cells[column + width] = " "

    def _obey(self, escape: re.Match[str]) -> None:
        private, numbers, final = escape[1], escape[2], escape[3]
        row, column = self.cursor
        count = int(numbers) if numbers and numbers.isdigit() else 1
        match escape[0] if final is None else f"{private}{final}":
            case "\r":
                self.cursor = (row, 0)
            case "\n":
                # As a terminal does that is not in raw mode.
                self.cursor = (row, 0)
                self._new_line()
            case "A":
                self.cursor = (max(0, row - count), column)
            case "C":
                self.cursor = (row, min(len(self._cells[0]) - 1, column + count))
            case "B":
                self.cursor = (min(len(self._cells) - 1, row + count), column)
            case "K" if not numbers:
                self._erase_line_end(row, column)
            case "J" if not numbers:
                self._erase_line_end(row, column)
                self._cells[row + 1 :] = [_blank(self.terminal_size[0]) for _ in self._cells[row + 1 :]]
                self._swapped[row + 1 :] = [False] * len(self._cells[row + 1 :])
            case "m":
                # Of its colours only that they are swapped says something of a text.
                self._swaps = numbers == "7" or (self._swaps and numbers not in {"", "0"})
            case "?h" | "?l":
                self._switch(numbers, escape[0], on=final == "h")
            case _:
                self.unknown.append(escape[0])

    def _erase_line_end(self, row: int, column: int) -> None:
        cells = self._cells[row]
        cells[column:] = [" "] * (len(cells) - column)
        if column == 0:
            self._swapped[row] = False

    def _switch(self, mode: str, escape: str, *, on: bool) -> None:
        if mode == "25":
            self.cursor_visible = on
        elif mode == "7":
            self.wraps = on
        elif mode != _SYNCHRONIZED:
            self.unknown.append(escape)


def _blank(columns: int) -> list[str]:
    return [" "] * columns
