"""The terminal in memory: it shows what an emulator shows that others wrote."""

from __future__ import annotations

import pyte
from hypothesis import given
from hypothesis import strategies as st

from treetask.testing import ScreenTerminal

PIECES = st.sampled_from(
    [
        *("a", "bc", "long enough to wrap", "│  ├── "),
        *("\r", "\r\n", "\x1b[K", "\x1b[J", "\x1b[A", "\x1b[2A", "\x1b[B", "\x1b[3B"),
        *("\x1b[?25l", "\x1b[?25h", "\x1b[?2026h", "\x1b[?2026l"),
    ]
)


@given(st.lists(PIECES, max_size=40))
def test_screen_is_what_pyte_shows(pieces: list[str]) -> None:
    """Property: whatever a display may write, in any order, both screens are the same."""
    terminal = ScreenTerminal(12, 5)
    screen = pyte.Screen(12, 5)
    stream = pyte.Stream(screen)
    for piece in pieces:
        terminal.write(piece)
        stream.feed(piece)

    assert terminal.screen == ["".join(row).rstrip() for row in screen.display]
    assert terminal.cursor_visible is not screen.cursor.hidden
    assert terminal.unknown == []


def test_wide_characters_are_never_halved() -> None:
    """They go to the next row whole, and one of which a half is written over is gone."""
    terminal = ScreenTerminal(5, 4)
    terminal.write("日本語\r\n日本\ra\r\n日本\r\x1b[K名x\u0332")

    assert terminal.screen == ["日本", "語", "a 本", "名x\u0332"]
    assert terminal.cursor == (3, 3)


def test_what_leaves_the_screen_is_kept() -> None:
    """Lines that scroll away are the history, the oldest first."""
    terminal = ScreenTerminal(10, 3)
    terminal.write("".join(f"{number}\r\n" for number in range(5)))

    assert terminal.history == ["0", "1", "2"]
    assert terminal.screen == ["3", "4", ""]
    assert terminal.text == "3\n4"


def test_lines_that_do_not_wrap_are_cut() -> None:
    """With wrapping off the last column takes what comes too late."""
    terminal = ScreenTerminal(5, 2)
    terminal.write("\x1b[?7labcdefg")
    assert not terminal.wraps
    assert terminal.text == "abcdg"


def test_frames_and_writes_are_kept_in_order() -> None:
    """A test may look at what was shown in between."""
    terminal = ScreenTerminal(10, 3)
    for text in ("one", "\r\x1b[K", "two"):
        terminal.write(text)

    assert terminal.frames == ["one", "", "two"]
    assert terminal.writes == ["one", "\r\x1b[K", "two"]


def test_sequences_that_no_display_writes_are_noted() -> None:
    """A title, a bell: none of them changes the screen. Colours may stand in what others print."""
    terminal = ScreenTerminal(20, 3)
    terminal.write("a\x1b[31mb\x07c\x1b[?1049h\x1b[2Jd")

    assert terminal.unknown == ["\x07", "\x1b[?1049h", "\x1b[2J"]
    assert terminal.text == "abcd"


def test_smaller_screen_cuts_rows_and_keeps_the_cursor() -> None:
    """Rows below the cursor go first, then those at the top; what is too long is cut."""
    terminal = ScreenTerminal(10, 4)
    terminal.write("0123456789\r\none\r\ntwo\r\nthree\x1b[A")
    terminal.resize(4, 2)
    assert (terminal.history, terminal.screen) == (["0123456789"], ["one", "two"])
    terminal.resize(6, 3)
    assert terminal.screen == ["one", "two", ""]
    assert terminal.terminal_size == (6, 3)
