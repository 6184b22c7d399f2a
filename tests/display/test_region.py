"""The painted rows: what is written for a frame, what a screen shows after it, and what others print meanwhile."""

from __future__ import annotations

import re

import pyte
import pytest

from treetask.display import restore_terminal
from treetask.display._region import Region
from treetask.display._terminal import Size, Terminal
from treetask.testing import ScreenTerminal

SIZE = Size(20, 8)


class Painted:
    """A region on a screen in memory, and the same bytes on an emulator that others wrote."""

    def __init__(self, *, alone: bool = True, size: Size = SIZE) -> None:
        self.screen = ScreenTerminal(*size)
        self.region = Region(Terminal(self.screen), alone=alone)
        self.now = 0.0

    def paint(self, *rows: str, above: tuple[str, ...] = ()) -> str:
        """Paint rows and return what was written for them."""
        before = len(self.screen.writes)
        self.now += 0.1
        assert self.region.paint(list(rows), Size(*self.screen.terminal_size), self.now, above)
        return "".join(self.screen.writes[before:])

    def pyte_text(self) -> str:
        """What the other emulator shows."""
        screen = pyte.Screen(*self.screen.terminal_size)
        pyte.Stream(screen).feed("".join(self.screen.writes).replace("\r\n", "\n").replace("\n", "\r\n"))
        return "\n".join(row.rstrip() for row in screen.display).rstrip("\n")


def test_frame_is_one_write_between_the_marks_of_a_frame() -> None:
    """One write, shown at once; each row cleared to its end, the rest of the screen after the last row."""
    painted = Painted()

    written = painted.paint("", "root", "└── task")

    assert len(painted.screen.writes) == 1
    assert written == (
        "\x1b[?2026h\x1b[?25l\r\x1b[?7l\x1b[K\r\nroot\x1b[K\r\n└── task\x1b[K\x1b[J\x1b[2A\r\x1b[?7h\x1b[?2026l"
    )
    assert painted.screen.text == painted.pyte_text() == "\nroot\n└── task"
    assert painted.screen.cursor == (0, 0)
    assert not painted.screen.cursor_visible
    assert painted.screen.unknown == []


def test_no_rows_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    """While another job has the terminal, lines come as they do from any job; in the foreground the rows are back."""
    painted = Painted()
    monkeypatch.setattr(Terminal, "is_anothers", True)

    painted.region.hide_cursor()
    written = painted.paint("root", "└── task", above=("said",))
    assert (written, painted.screen.cursor_visible) == ("said\r\n", True)
    assert painted.paint("root", "└── task") == ""

    monkeypatch.setattr(Terminal, "is_anothers", False)
    painted.paint("root", "└── task")
    assert painted.screen.text == painted.pyte_text() == "said\nroot\n└── task"


def test_nothing_is_written_when_nothing_changed() -> None:
    """A second frame of the same rows is no frame."""
    painted = Painted()
    painted.paint("a", "b")

    assert painted.paint("a", "b") == ""


def test_only_changed_rows_are_written() -> None:
    """A line diff; unchanged rows are stepped over."""
    painted = Painted()
    painted.paint("a", "b", "c")

    assert painted.paint("a", "B", "c") == "\x1b[?2026h\r\x1b[?7l\r\nB\x1b[K\r\n\x1b[2A\r\x1b[?7h\x1b[?2026l"
    assert painted.screen.text == painted.pyte_text() == "a\nB\nc"


def test_rows_that_are_gone_are_erased() -> None:
    """A region that shrinks leaves nothing behind, and one that grows again finds its place."""
    painted = Painted()
    painted.paint("a", "b", "c", "d")
    painted.paint("a", "b")
    assert painted.screen.text == painted.pyte_text() == "a\nb"
    painted.paint("a", "b", "c")
    assert painted.screen.text == painted.pyte_text() == "a\nb\nc"


def test_region_at_the_bottom_scrolls_what_was_there_once() -> None:
    """The first frame makes room; the next ones find it."""
    painted = Painted()
    painted.screen.write("".join(f"line {number}\r\n" for number in range(7)))
    for step in range(3):
        painted.paint("root", f"step {step}", "end")

    assert painted.screen.screen == [*(f"line {number}" for number in range(2, 7)), "root", "step 2", "end"]
    assert painted.screen.history == ["line 0", "line 1"]
    assert painted.screen.text == painted.pyte_text()


def test_messages_are_printed_above_for_good() -> None:
    """What is said above the region stays and is never painted over, long lines whole."""
    painted = Painted()
    painted.paint("root", "end")
    painted.paint("root", "end", above=("first", "a line of more than twenty characters"))
    painted.paint("root", "END", above=("x" * 20,))

    expected = ["first", "a line of more than", "twenty characters", "x" * 20, "root", "END"]
    assert painted.screen.text.split("\n") == expected
    assert painted.screen.text == painted.pyte_text()


def test_foreign_line_appears_above_and_the_region_below_it() -> None:
    """Where others write, each frame is painted in full: their lines stay whole and no row stays behind."""
    painted = Painted(alone=False)
    for number in range(5):
        painted.paint("", "root", f"step {number}", "end")
        painted.screen.write(f"print {number}\r\n")
    painted.paint("", "root", "step 5", "end")

    assert [*painted.screen.history, *painted.screen.screen] == [
        *(f"print {number}" for number in range(5)),
        "",
        "root",
        "step 5",
        "end",
    ]


def test_damage_is_repaired_within_a_second() -> None:
    """Alone on its terminal, a region still repaints itself once in a while: keys that somebody pressed are echoed."""
    painted = Painted()
    painted.paint("root", "0")
    painted.screen.write("^C")
    for number in range(12):
        painted.paint("root", str(number))

    assert painted.screen.text == "root\n11"


@pytest.mark.parametrize("size", [(10, 8), (30, 8), (20, 4), (20, 20), (10, 4), (40, 30)])
def test_resized_terminal_is_painted_anew(size: tuple[int, int]) -> None:
    """No stale and no doubled row after another size."""
    painted = Painted()
    painted.screen.write("before\r\n")
    painted.paint("root", "task", "end")
    painted.screen.resize(*size)
    painted.paint("root", "task", "end")

    lines = [*painted.screen.history, *painted.screen.text.split("\n")]
    assert lines == ["before", "root", "task", "end"]


def test_erased_region_leaves_a_text_in_its_place() -> None:
    """The end: the rows go, a text comes that may be longer than the screen, and the cursor is back below it."""
    painted = Painted()
    painted.screen.write("before\r\n")
    painted.paint("", "root", "end")
    painted.region.erase("".join(f"final {number}\n" for number in range(9)))

    assert [*painted.screen.history, *painted.screen.text.split("\n")] == [
        "before",
        *(f"final {number}" for number in range(9)),
    ]
    assert painted.screen.cursor_visible
    assert painted.screen.cursor[1] == 0


def test_erasing_nothing_writes_nothing() -> None:
    """A region that never showed anything does not touch the terminal."""
    painted = Painted()
    painted.region.erase()

    assert painted.screen.writes == []


def test_restored_terminal_keeps_the_rows_and_has_its_cursor_below() -> None:
    """Whoever leaves without warning restores all terminals; a frame that comes too late is dropped."""
    painted = Painted()
    painted.region.hide_cursor()
    painted.paint("", "root", "end")
    restore_terminal()
    restore_terminal()
    written = len(painted.screen.writes)
    painted.paint("", "root", "late")

    assert painted.screen.text == "\nroot\nend"
    assert painted.screen.cursor == (3, 0)
    assert painted.screen.cursor_visible
    assert painted.screen.wraps
    assert len(painted.screen.writes) == written


def test_frame_within_a_frame_is_put_off() -> None:
    """A signal handler in the midst of a frame does not wait for itself and does not spoil the frame."""

    class Interrupted(ScreenTerminal):
        def write(self, text: str, /) -> int:
            if not answers:
                answers.append(region.paint(["inner"], SIZE, 1.0))
            return super().write(text)

    answers: list[bool] = []
    screen = Interrupted(*SIZE)
    region = Region(Terminal(screen), alone=True)

    assert region.paint(["outer"], SIZE, 0.0)
    assert answers == [False]
    assert screen.text == "outer"
    region.erase()


def test_only_own_sequences_are_written() -> None:
    """The bytes of a frame are rows and the sequences of this list."""
    painted = Painted()
    painted.paint("", "root", above=("said",))
    painted.region.erase("final\n")
    ours = r"\x1b\[(\?(2026|25|7)[hl]|K|J|\d+[AB])|\r|\n"

    assert re.sub(ours, "", "".join(painted.screen.writes)).isprintable()
