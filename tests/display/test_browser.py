"""Keys as their users know them: what the rows become, and what becomes of the run."""

from __future__ import annotations

import io
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.display.trees import HandEngine, chain, flat, nightly, pipeline
from treetask.display import CommandDisplay
from treetask.display._browsing import Browsing
from treetask.display._keyboard import Keyboard
from treetask.display._keys import Decoder, Typed
from treetask.model import TaskNode, TreeTaskConfig
from treetask.testing import ScreenTerminal

CALM = TreeTaskConfig(refresh_interval=3600)

UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
PAGE_UP, PAGE_DOWN, HOME, END = "\x1b[5~", "\x1b[6~", "\x1b[H", "\x1b[F"
ENTER, ESCAPE = "\n", "\x1b"


class Run:
    """What is paused and resumed, and which nodes were cancelled."""

    def __init__(self) -> None:
        self.is_paused = False
        self.cancelled: list[tuple[str, str | None]] = []

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False


class Watched:
    """A display on a screen of a size, obeying keys, with a tree that is moved by hand."""

    def __init__(self, hand: HandEngine, columns: int = 80, rows: int = 24) -> None:
        self.hand = hand
        self.run = Run()
        self.screen = ScreenTerminal(columns, rows)
        self.display = CommandDisplay(config=CALM, output=self.screen)
        self.display._clock = lambda: hand.time + 1000.0
        self.browsing = self.display._browsing = Browsing(self.run)
        self.display._face.browse(self.browsing)
        hand.cancel = self._note_cancel  # type: ignore[method-assign]

    def _note_cancel(self, node: TaskNode, reason: str | None) -> None:
        self.run.cancelled.append((node.id, reason))

    def press(self, *keys: str) -> list[str]:
        """Press keys and return what the screen shows then, the empty row above left out."""
        for key in keys:
            decoder = Decoder()
            self.browsing.note([*decoder.feed(key.encode()), *decoder.end()])
        self.display.update(self.hand.tree, force=True)
        return self.screen.text.lstrip("\n").split("\n")

    @property
    def selected(self) -> str:
        """The selected row, without lines, bars and times."""
        (row,) = self.screen.selected
        return re.sub(r"^[│├└─ ]*|  .*$", "", row)


def crawl() -> HandEngine:
    """Many pages, of which 20 are done, 10 run and one has failed."""
    hand = nightly()
    hand.move("working", "nightly", "crawl", *(f"p{number}" for number in range(30)))
    hand.move("done", *(f"p{number}" for number in range(20) if number != 7))
    hand.fail("p7", "503 Service Unavailable")
    hand.time = 3.0
    return hand


def test_selection_moves_through_the_rows_that_are_there() -> None:
    """The first key changes no row; up and down, in either form, move from row to row and stop at the ends."""
    watched = Watched(crawl())
    rows = watched.press()
    assert watched.screen.selected == []
    assert watched.press(DOWN) == rows
    assert watched.selected == "🔄 nightly"
    watched.press("j", DOWN, "k")
    assert watched.selected == "⏳ extract"
    watched.press(UP, UP, UP, UP)
    assert watched.selected == "🔄 nightly"
    watched.press(END)
    assert watched.selected == "⏳ publish"
    watched.press(DOWN, UP)
    assert watched.selected == "⏳ checks"
    assert watched.press(ESCAPE) == rows
    assert watched.screen.selected == []


def test_rest_of_a_group_is_opened_and_moved_through() -> None:
    """Enter on what counts the hidden shows all of them, and the window scrolls; Esc lets the display choose again."""
    watched = Watched(crawl(), rows=18)
    rows = watched.press()
    assert rows == [
        "🔄 nightly                                                    3.0s",
        "├── 🔄 crawl           ──────────────────────────  20/4,000   3.0s",
        "│   ├── ❌ fetch[7.html]   503 Service Unavailable            0.0s",
        "│   ├── 🔄 fetch[20.html]                                     3.0s",
        "│   ├── 🔄 fetch[21.html]                                     3.0s",
        "│   └── … 3,997 more (19 done, 8 running, 3,970 waiting)",
        "└── … 1,003 more (1,003 waiting)",
        "Progress: 20/5,003 (0%) · 3.0s · 10 running, 1 failed · ? keys",
    ]
    watched.press(DOWN, DOWN, DOWN, DOWN, DOWN, DOWN)
    assert watched.selected == "… 3,997 more (19 done, 8 running, 3,970 waiting)"
    assert watched.press(ENTER) == [
        *(f"│   ├── ✅ fetch[{number}.html]                                     0.0s" for number in (17, 18, 19)),
        *(f"│   ├── 🔄 fetch[{number}.html]                                     3.0s" for number in (20, 21, 22, 23)),
        rows[-1],
    ]
    assert watched.selected == "🔄 fetch[22.html]"
    watched.press(END, UP)
    assert watched.selected == "⏳ fetch[3999.html]"
    watched.press(PAGE_UP, PAGE_UP)
    assert watched.selected == "⏳ fetch[3987.html]"
    watched.press(LEFT)
    assert watched.selected == "🔄 crawl"
    assert not any("fetch" in row for row in watched.press(LEFT))
    assert [row.split() for row in watched.press(ESCAPE)] == [row.split() for row in rows]
    assert watched.screen.selected == []


def test_rest_is_opened_at_the_first_that_was_hidden() -> None:
    """Also where the last child of all had a row."""
    hand = flat(40)
    hand.move("working", "root", "t39")
    hand.fail("t39", "no")
    watched = Watched(hand, rows=12)
    watched.press(END)
    assert watched.selected.startswith("… ")
    hidden = int(watched.selected.split()[1])
    watched.press(ENTER)
    first = 39 - hidden
    assert watched.selected == f"⏳ t{first}"


def test_enter_on_a_task_shows_its_log() -> None:
    """There is nothing else to open."""
    watched = Watched(crawl())
    watched.press(DOWN, DOWN, DOWN, DOWN)
    assert watched.selected.startswith("❌ fetch[7.html]")
    assert watched.press(ENTER)[0].startswith("── crawl › fetch[7.html], l back ─")


def test_groups_open_and_close_by_hand() -> None:
    """Right opens and goes in, left closes and goes out, enter does either."""
    hand = pipeline()
    hand.move("working", "pipeline", "phase1", "task1")
    watched = Watched(hand)
    watched.press(DOWN, END)
    assert watched.selected == "⏳ Phase 2"
    assert [row[:16].rstrip() for row in watched.press(RIGHT)[-3:-1]] == ["    ├── ⏳ Task 3", "    └── ⏳ Task 4"]
    watched.press(RIGHT)
    assert watched.selected == "⏳ Task 3"
    watched.press(LEFT)
    assert watched.selected == "⏳ Phase 2"
    assert len(watched.press(ENTER)) == 6
    assert len(watched.press(ENTER)) == 8
    assert len(watched.press(UP, UP, LEFT, LEFT)) == 6
    assert watched.selected == "🔄 Phase 1"


def test_failed_only() -> None:
    """One below the other with their paths, as they come; `f` shows all again."""
    watched = Watched(crawl())
    assert watched.press("f") == [
        "❌ crawl › fetch[7.html]  503 Service Unavailable   0.0s",
        "Progress: 20/5,003 (0%) · failed only, f shows all · 3.0s · ? keys",
    ]
    watched.hand.fail("p21", "too late")
    assert [row[:30].rstrip() for row in watched.press(DOWN, DOWN)[:2]] == [
        "❌ crawl › fetch[7.html]   503",
        "❌ crawl › fetch[21.html]  too",
    ]
    assert watched.selected == "❌ crawl › fetch[21.html]"
    assert watched.press("f")[0].startswith("🔄 nightly")


def test_nothing_has_failed() -> None:
    """Where there is nothing to show, that is said."""
    hand = flat(3)
    hand.move("working", "root", "t0")
    assert Watched(hand).press("f", DOWN)[0] == "nothing has failed"


def test_log_takes_the_place_of_the_rows_and_grows() -> None:
    """The last lines that fit, with what went wrong below them; `l` and Esc go back."""
    watched = Watched(crawl(), columns=60, rows=16)
    assert watched.press("l")[-1] == "select a task first: up and down"
    rows = watched.press(ESCAPE)
    page = watched.hand.tree.find("p7")
    assert page is not None
    watched.press("f", DOWN, ESCAPE, "f", DOWN)
    assert watched.press(ENTER)[:-1] == [
        "── crawl › fetch[7.html], l back ──────────────────────────",
        "nothing so far",
        "503 Service Unavailable",
    ]
    watched.hand.tree.extend_log(page, "".join(f"line {number}\n" for number in range(50)).encode())
    assert watched.press()[1:-1] == ["line 46", "line 47", "line 48", "line 49", "503 Service Unavailable"]
    watched.press("l")
    assert watched.press(ESCAPE) == rows


def test_pause_is_said_and_taken_back() -> None:
    """`p` holds the run, the last line says so, and no time is promised."""
    watched = Watched(crawl())
    assert watched.press("p")[-1] == ("Progress: 20/5,003 (0%) · paused, p goes on · 3.0s · 10 running, 1 failed")
    assert watched.run.is_paused
    assert "paused" not in watched.press("p")[-1]
    assert not watched.run.is_paused


def test_cancel_asks_once() -> None:
    """`x` twice within a few seconds; anything in between, or a pause to think, means no."""
    watched = Watched(crawl())
    assert watched.press("x")[-1] == "select a task first: up and down"
    watched.press(DOWN, DOWN, DOWN)
    assert watched.selected == "🔄 crawl"
    assert watched.press("x")[-1] == "x again cancels 'crawl' and all below it"
    assert watched.press("j", "k")[-1].startswith("Progress")
    watched.press("x")
    watched.hand.time += 5.0
    assert watched.press("x")[-1] == "x again cancels 'crawl' and all below it"
    assert watched.run.cancelled == []
    assert watched.press("x")[-1] == "cancelling 'crawl'"
    assert watched.run.cancelled == [("crawl", "cancelled from the keyboard")]
    watched.hand.time += 5.0
    assert watched.press()[-1].startswith("Progress")


def test_what_has_ended_is_not_cancelled() -> None:
    """Neither is it asked about."""
    watched = Watched(crawl())
    assert watched.press("f", DOWN, "x", "x")[-1] == "'fetch[7.html]' has ended"
    assert watched.run.cancelled == []


@pytest.mark.parametrize(("columns", "rows", "lines"), [(80, 24, 9), (40, 12, 4), (20, 5, 1)])
def test_help_fits(columns: int, rows: int, lines: int) -> None:
    """All keys where there is room, the most important where there is little; any key goes back."""
    watched = Watched(crawl(), columns, rows)
    shown = watched.press("?")
    assert len(shown) == lines + 1
    assert not any("…" in line for line in shown[:-1] if columns > 30)
    rows_shown = watched.press("?")
    assert watched.press("?", ESCAPE) == rows_shown
    assert watched.press("?", "f")[0] != shown[0]


def test_hint_stands_where_there_is_room() -> None:
    """At the end of the last line, and only if all else is there."""
    hand = pipeline()
    hand.move("working", "pipeline", "phase1", "task1")
    assert Watched(hand).press()[-1] == "Progress: 0/4 (0%) · 0.0s · 1 running · ? keys"
    assert Watched(hand, columns=40).press()[-1] == "Progress: 0/4 (0%) · 0.0s · 1 running"


def test_row_that_goes_away_hands_on_the_selection() -> None:
    """To the row above it."""
    hand = pipeline()
    hand.move("working", "pipeline", "phase1", "task1")
    watched = Watched(hand)
    watched.press(DOWN, DOWN, DOWN)
    assert watched.selected == "🔄 Task 1"
    task = hand.tree.find("task2")
    assert task is not None
    watched.press(DOWN)
    assert watched.selected == "⏳ Task 2"
    hand.tree.remove(task)
    watched.press()
    assert watched.selected == "🔄 Task 1"


def test_letters_that_are_no_keys_are_left_for_others() -> None:
    """What nobody has obeyed may be meant for a task; so is an Enter that has nothing to open."""
    watched = Watched(crawl())
    watched.press("y", "e", "s", ENTER, DOWN)
    watched.browsing.note(Decoder().feed(b"later\n"))

    assert watched.browsing.left_over() == b"yes\nlater\n"
    assert watched.browsing.left_over() == b""


def test_keys_are_obeyed_no_more_once_they_are_left() -> None:
    """The rows are the display's own choice again."""
    watched = Watched(crawl())
    rows = watched.press()
    watched.press("f", DOWN)
    assert watched.display.leave_keys() == b""
    watched.display.update(watched.hand.tree, force=True)

    assert watched.screen.selected == []
    assert watched.screen.text.lstrip("\n").split("\n")[:-1] == rows[:-1]


def test_deep_trees_are_moved_through() -> None:
    """A failure far below stands where the display put it, over a gap; its place is found without a walk."""
    hand = chain(3000)
    hand.move("working", *(f"n{number}" for number in range(3000)))
    hand.fail("n2999", "deep")
    watched = Watched(hand)
    rows = watched.press()
    assert watched.press(DOWN) == rows
    watched.press(END, UP)
    assert watched.selected.endswith("n2999")
    watched.press(HOME)
    assert watched.selected == "🔄 n0"


KEYS = st.sampled_from([UP, DOWN, RIGHT, LEFT, PAGE_UP, PAGE_DOWN, HOME, END, ENTER, ESCAPE, *"fl?jkxp"])


@settings(deadline=None)  # the first one loads wcwidth
@given(st.lists(st.tuples(KEYS, st.integers(0, 40)), max_size=40), st.integers(1, 90), st.integers(1, 40))
def test_whatever_is_pressed_fits_the_screen(steps: list[tuple[str, int]], columns: int, rows: int) -> None:
    """Property: while things happen in the tree, one row at most is selected, and no frame is too high or repeated."""
    hand = flat(40)
    hand.move("working", "root", *(f"t{number}" for number in range(30)))
    watched = Watched(hand, columns, rows)
    for key, number in steps:
        node = watched.hand.tree.find(f"t{number}")
        if node is not None and node.status.value == "working":
            watched.hand.move("done", node.id)
        shown = watched.press(key)
        watched.hand.time += 1.0
        assert len(shown) <= max(1, min(rows - 2, rows // 2))
        assert len(watched.screen.selected) <= 1
    assert watched.screen.history == []
    assert watched.screen.unknown == []


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters()), st.text(st.characters()), st.integers(1, 100), st.integers(1, 40))
def test_no_text_gets_through_to_the_terminal(name: str, log: str, columns: int, rows: int) -> None:
    """Property: whatever names, errors and logs are, only our own sequences are written, in every view."""
    hand = flat(3)
    for node in hand.tree.walk():
        node.name = name
    hand.move("working", "root", "t0")
    hand.tree.extend_log(hand.tree.root.children[0], f"{log}\n".encode("utf-8", "surrogatepass"))
    hand.fail("t0", log)
    watched = Watched(hand, columns, rows)
    for key in (DOWN, DOWN, "x", "?", "?", "l", "?", "l", ESCAPE, "f", DOWN, "l"):
        watched.press(key)

    ours = r"\x1b\[(\?(2026|25|7)[hl]|K|J|(0|1|2|7|31|32|33|36)m|\d+[AB])|\r|\n"
    written = re.sub(ours, "", "".join(watched.screen.writes))
    assert watched.screen.unknown == []
    assert {each for each in written if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} <= {"\u200d"}


def test_narrow_encoding_is_kept_to() -> None:
    """All views in ASCII, where the terminal has nothing else."""

    class Narrow(ScreenTerminal):
        encoding = "ascii"

    hand = crawl()
    watched = Watched(hand)
    watched.screen = Narrow()
    watched.display = CommandDisplay(config=CALM, output=watched.screen)
    watched.display._face.browse(watched.browsing)
    watched.display._browsing = watched.browsing
    for key in (DOWN, "?", "?", "f", DOWN, "l"):
        assert "\n".join(watched.press(key)).isascii()
    assert isinstance(watched.screen, io.StringIO)


def test_key_that_was_pressed_already_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread may be quicker than whoever asked for keys."""

    def open_at_once(keyboard: Keyboard) -> bool:
        keyboard._give([Typed(None, b"y")])
        return True

    monkeypatch.setattr(Keyboard, "open", open_at_once)
    display = CommandDisplay(config=CALM, output=ScreenTerminal())
    display.take_keys(-1, Run())

    assert display.leave_keys() == b"y"
