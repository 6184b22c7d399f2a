"""The live display as its users know it: what a screen shows while a tree runs, and what is left behind."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
import threading
import unicodedata
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.display.trees import HandEngine, flat, nightly, pipeline
from treetask.display import CommandDisplay, LiveDisplay, TreeRenderer, restore_terminal
from treetask.model import TaskTree, TreeTaskConfig
from treetask.testing import ScreenTerminal

#: The display's thread does nothing of its own in these tests, unless a test wants it to.
CALM = TreeTaskConfig(refresh_interval=3600)
LIVELY = TreeTaskConfig(refresh_interval=0.0)
DEADLINE = 20


class Clock:
    """The display's clock, set by hand together with the tree's."""

    def __init__(self, hand: HandEngine) -> None:
        self.hand = hand

    def __call__(self) -> float:
        return self.hand.time + 1000.0


def shown_on(screen: ScreenTerminal, hand: HandEngine, config: TreeTaskConfig = CALM) -> LiveDisplay:
    """A display on a screen, on the clock of a tree."""
    display = LiveDisplay(config=config, output=screen)
    display._clock = Clock(hand)
    return display


class WatchedTerminal(ScreenTerminal):
    """A screen that tells when it shows a text."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        super().__init__(columns, rows)
        self._changed = threading.Condition()

    def write(self, text: str, /) -> int:
        with self._changed:
            written = super().write(text)
            self._changed.notify_all()
        return written

    def wait_for(self, text: str) -> bool:
        """Return once the text is on the screen; False if that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: text in self.text, DEADLINE)


def running_pipeline() -> HandEngine:
    """The quick start with its first phase running."""
    hand = pipeline()
    hand.move("working", "pipeline", "phase1", "task1", "task2")
    return hand


def finish(hand: HandEngine) -> None:
    """Bring the quick start to a good end."""
    hand.move("done", *(node.id for node in hand.tree.walk() if node.id in {"task1", "task2"}), "phase1")
    hand.move("working", "phase2", "task3", "task4")
    hand.move("done", "task3", "task4", "phase2", "pipeline")


FINAL = """\
✅ My Pipeline
├── ✅ Phase 1
│   ├── ✅ Task 1
│   └── ✅ Task 2
└── ✅ Phase 2
    ├── ✅ Task 3
    └── ✅ Task 4

Progress: 4/4 (100%)"""


def test_run_from_its_first_frame_to_its_last() -> None:
    """Live rows while it runs; then, in their place, the tree of the quick start, and the cursor below it."""
    hand = running_pipeline()
    screen = ScreenTerminal()
    screen.write("$ python quickstart.py\r\n")
    display = shown_on(screen, hand)
    with display:
        assert screen.writes[-1] == "\x1b[?25l"
        hand.time = 2.5
        display.update(hand.tree, force=True)
        assert screen.text.split("\n") == [
            "$ python quickstart.py",
            "",
            "🔄 My Pipeline                                           2.5s",
            "├── 🔄 Phase 1         ──────────────────────────  0/2   2.5s",
            "│   ├── 🔄 Task 1                                        2.5s",
            "│   └── 🔄 Task 2                                        2.5s",
            "└── ⏳ Phase 2",
            "Progress: 0/4 (0%) · 2.5s · 2 running",
        ]
        finish(hand)
        display.update(hand.tree, force=True)
    assert screen.text == "$ python quickstart.py"
    assert screen.cursor_visible
    display.finalize(hand.tree)
    assert screen.text == f"$ python quickstart.py\n{FINAL}"
    assert (screen.cursor, screen.cursor_visible, screen.unknown) == ((10, 0), True, [])


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 12), (10, 3), (1, 1), (200, 50), (3, 100)])
def test_region_fits_every_screen(columns: int, rows: int) -> None:
    """Whatever the size, nothing scrolls away and no row is wrapped."""
    hand = nightly()
    hand.move("working", "nightly", "extract", "crawl", *(f"p{number}" for number in range(50)))
    hand.fail("p7", "503 Service Unavailable")
    screen = ScreenTerminal(columns, rows)
    with shown_on(screen, hand) as display:
        for _ in range(3):
            hand.time += 1.0
            display.update(hand.tree, force=True)
            assert len(screen.text.split("\n")) <= max(1, min(rows - 2, rows // 2))
        assert screen.history == []
        assert screen.cursor == (0, 0)
    assert screen.text == ""


def test_small_screens() -> None:
    """40 x 12 has room for the tree's top and what failed, 10 x 3 for the numbers alone."""
    hand = nightly()
    hand.move("working", "nightly", "crawl", *(f"p{number}" for number in range(50)))
    hand.fail("p7", "503 Service Unavailable")
    hand.time = 3.0

    def frame(columns: int, rows: int) -> list[str]:
        screen = ScreenTerminal(columns, rows)
        with shown_on(screen, hand) as display:
            display.update(hand.tree, force=True)
            return screen.text.split("\n")

    assert frame(10, 3) == ["0% 1/5,0…"]
    assert frame(40, 12) == [
        "",
        "🔄 nightly                         3.0s",
        "├── 🔄 crawl    ────────  1/4,000  3.0s",
        "│   └── ❌ fetch[7.htm…  503 Ser…  0.0s",
        "└── … 5,002 more (49 running, 4,953 wa…",
        "Progress: 1/5,003 (0%) · 3.0s",
    ]


def test_resize_while_running_leaves_no_row_behind() -> None:
    """The next frame fits the new size, before the tree is looked at again, too."""
    hand = nightly()
    hand.move("working", "nightly", "crawl", *(f"p{number}" for number in range(50)))
    screen = ScreenTerminal(100, 40)
    screen.write("before\r\n")
    with shown_on(screen, hand) as display:
        display.update(hand.tree, force=True)
        for columns, rows in [(60, 40), (60, 14), (120, 30), (30, 8), (80, 24)]:
            screen.resize(columns, rows)
            display._show()
            half_way = [*screen.history, *screen.screen]
            hand.time += 1.0
            display.update(hand.tree, force=True)
            for lines in (half_way, [*screen.history, *screen.screen]):
                assert sum("nightly" in line for line in lines) <= 1
                assert sum("Progress" in line or "%" in line for line in lines) == 1
                assert lines[0] == "before"
            assert len(screen.text.split("\n")) <= 1 + rows // 2
    assert [*screen.history, *screen.text.split("\n")] == ["before"]


def test_updates_are_rate_limited() -> None:
    """The tree is looked at once in an interval; an update in between costs a look at the clock."""
    hand = flat(100)
    hand.move("working", "root")
    screen = ScreenTerminal()
    display = shown_on(screen, hand, TreeTaskConfig(refresh_interval=0.5))
    display.update(hand.tree)
    first = screen.text
    hand.move("working", "t0")
    hand.time = 0.4
    display.update(hand.tree)
    assert screen.text == first
    hand.time = 0.6
    display.update(hand.tree)
    assert "├── 🔄 t0" in screen.text
    display.clear()


def test_forced_update_is_painted_before_it_returns() -> None:
    """`force` waits for no interval and no thread."""
    hand = flat(3)
    hand.move("working", "root")
    screen = ScreenTerminal()
    with shown_on(screen, hand) as display:
        for number in range(3):
            hand.move("working", f"t{number}")
            display.update(hand.tree, force=True)
            assert f"🔄 t{number}" in screen.text


def test_nothing_is_written_when_nothing_changed() -> None:
    """Two updates of a tree in which nothing happened are one frame."""
    hand = running_pipeline()
    screen = ScreenTerminal()
    with shown_on(screen, hand) as display:
        display.update(hand.tree, force=True)
        frames = len(screen.frames)
        display.update(hand.tree, force=True)
        assert len(screen.frames) == frames


def test_depth_of_live_rows_is_the_configs_or_the_callers() -> None:
    """`default_max_depth` while it runs, `final_max_depth` at the end, `max_depth` before both."""
    config = TreeTaskConfig(default_max_depth=1, final_max_depth=0, refresh_interval=3600)
    hand = running_pipeline()
    screen = ScreenTerminal()
    with shown_on(screen, hand, config) as display:
        display.update(hand.tree, force=True)
        assert "Task 1" not in screen.text
        display.update(hand.tree, 2, force=True)
        assert "Task 1" in screen.text
    display.finalize(hand.tree)
    assert screen.text == "🔄 My Pipeline … 4 more (2 running, 2 waiting)\n\nProgress: 0/4 (0%)"
    display.finalize(hand.tree, max_depth=1, show_stats=False)
    assert screen.text.split("\n")[3:] == [
        "🔄 My Pipeline",
        "├── 🔄 Phase 1 … 2 more (2 running)",
        "└── ⏳ Phase 2",
    ]


def test_messages_stay_above_the_rows() -> None:
    """`print_message` prints above the region, for good, safe to be shown, tabs as spaces."""
    hand = running_pipeline()
    screen = ScreenTerminal()
    with shown_on(screen, hand) as display:
        display.print_message("before the first frame")
        display.update(hand.tree, force=True)
        display.print_message("two\n\tlines")
        display.print_message("\x1b[31mred\x1b[0m")
        display.print_message("")
        lines = screen.text.split("\n")
        expected = ["before the first frame", "two", "        lines", r"\x1b[31mred\x1b[0m", ""]
        assert lines[:5] == expected
        assert lines[6].startswith("🔄 My Pipeline")
    display.print_message("after the last")
    assert screen.text.split("\n") == [*expected, "after the last"]
    assert screen.unknown == []


@settings(deadline=None)  # the first wide name loads wcwidth
@given(st.text(st.characters()), st.text(st.characters()), st.integers(1, 100), st.integers(1, 40))
def test_no_text_gets_through_to_the_terminal(name: str, error: str, columns: int, rows: int) -> None:
    """Property: whatever names, errors, reasons and messages are, only our own sequences are written."""
    hand = flat(3)
    for node in hand.tree.walk():
        node.name = name
    hand.move("working", "root", "t0")
    hand.fail("t0", error)
    hand.tree.root.children[1].reason = error
    hand.move("skipped", "t1")
    screen, log = ScreenTerminal(columns, rows), io.StringIO()
    for output in (screen, log):
        display = shown_on(screen, hand) if output is screen else LiveDisplay(config=CALM, output=log)
        with display:
            display.update(hand.tree, force=True)
            display.print_message(error)
        display.finalize(hand.tree)

    ours = r"\x1b\[(\?(2026|25|7)[hl]|K|J|\d+[AB]|[012]m|3[1256]m)|\r|\n"
    written = re.sub(ours, "", "".join(screen.writes)) + log.getvalue().replace("\n", "")
    assert screen.unknown == []
    # What joins the parts of an emoji may stay.
    assert {each for each in written if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} <= {"\u200d"}


def test_exception_leaves_the_final_tree_behind() -> None:
    """The tree as it was, for good, above the traceback."""
    hand = running_pipeline()
    screen = ScreenTerminal()
    display = shown_on(screen, hand)
    with pytest.raises(KeyboardInterrupt), display:
        display.update(hand.tree, force=True)
        hand.fail("task1", "boom")
        raise KeyboardInterrupt

    assert screen.text.split("\n") == [
        "🔄 My Pipeline",
        "├── 🔄 Phase 1",
        "│   ├── ❌ Task 1  boom",
        "│   └── 🔄 Task 2",
        "└── ⏳ Phase 2",
        "",
        "Progress: 1/4 (25%)",
    ]
    assert screen.cursor_visible
    display.finalize(hand.tree)
    assert screen.text.count("My Pipeline") == 1


def test_conclusion_replaces_the_rows() -> None:
    """What a command leaves behind: failures open, the rest closed, with their times."""
    hand = running_pipeline()
    screen = ScreenTerminal()
    with CommandDisplay(CALM, screen) as display:
        display._clock = Clock(hand)
        hand.time = 2.0
        hand.fail("task1", "boom")
        hand.move("cancelled", "task2")
        hand.move("failed", "phase1", "pipeline")
        display.update(hand.tree, force=True)
    display.conclude(hand.tree)

    assert screen.text.split("\n") == [
        "❌ My Pipeline                    2.0s",
        "├── ❌ Phase 1         2/2        2.0s",
        "│   ├── ❌ Task 1          boom   2.0s",
        "│   └── … 1 more (1 cancelled)",
        "└── ⏳ Phase 2",
        "Failed in 2.0s: 2 waiting, 1 failed, 1 cancelled",
    ]


def test_late_update_opens_no_second_region() -> None:
    """An update that comes after the final tree is not painted below it; another run is."""
    hand = running_pipeline()
    finish(hand)
    screen = ScreenTerminal()
    display = shown_on(screen, hand)
    with display:
        display.update(hand.tree, force=True)
        display.finalize(hand.tree)
        display.update(hand.tree, force=True)
        assert screen.text == FINAL
        other = running_pipeline()
        display.update(other.tree, force=True)
        assert "🔄 My Pipeline" in screen.text
    assert screen.text == FINAL


class SlowTerminal(ScreenTerminal):
    """A screen whose size one thread learns late."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = ""
        self.is_asked = threading.Event()
        self.answers = threading.Event()

    def __getattribute__(self, name: str) -> object:
        if name == "terminal_size" and threading.current_thread().name == super().__getattribute__("slow"):
            self.is_asked.set()
            assert self.answers.wait(DEADLINE)
        return super().__getattribute__(name)


def test_messages_of_two_threads_keep_their_order() -> None:
    """Also where the thread of the first one has taken it, and is not done yet when the second comes."""
    screen = SlowTerminal()
    display = shown_on(screen, running_pipeline())
    display.clear()
    first = threading.Thread(target=display.print_message, args=("first",), name="slow")
    second = threading.Thread(target=display.print_message, args=("second",))

    screen.slow = "slow"
    first.start()
    assert screen.is_asked.wait(DEADLINE)
    second.start()
    second.join(0.05)
    screen.answers.set()
    first.join(DEADLINE)
    second.join(DEADLINE)

    assert screen.text.split() == ["first", "second"]


def test_rows_can_be_cleared_and_come_back() -> None:
    """`clear` takes them away; the next update shows them."""
    hand = running_pipeline()
    screen = ScreenTerminal()
    screen.write("before\r\n")
    display = shown_on(screen, hand)
    display.hide_cursor()
    assert not screen.cursor_visible
    display.update(hand.tree, force=True)
    display.clear()
    assert screen.text == "before"
    display.update(hand.tree, force=True)
    assert "My Pipeline" in screen.text
    display.clear()
    display.show_cursor()
    assert screen.cursor_visible


def test_two_displays_share_a_terminal() -> None:
    """The second one writes lines above the rows of the first instead of painting over them."""
    hand, other = running_pipeline(), flat(1, "other")
    other.move("working", "other")
    screen = ScreenTerminal()
    with shown_on(screen, hand) as display:
        display.update(hand.tree, force=True)
        with shown_on(screen, other) as second:
            assert not second.paints_on(screen)
            second.update(other.tree, force=True)
        display.update(hand.tree, force=True)
        hand.time = 1.0
        display.update(hand.tree, force=True)
        assert re.match(r"\d\d:\d\d:\d\d other  started: 1 task known\n", screen.text)
        assert display.paints_on(screen)
    assert screen.cursor_visible


def test_times_go_on_while_the_loop_is_blocked() -> None:
    """A thread paints copies; nothing of the tree is needed for the next frame."""
    hand = running_pipeline()
    screen = WatchedTerminal()
    display = LiveDisplay(config=LIVELY, output=screen)
    with display:
        display.update(hand.tree, force=True)
        for seconds in ("0.1s", "0.2s"):
            assert screen.wait_for(f"· {seconds} ·")


@pytest.mark.anyio
async def test_last_of_many_quick_updates_is_shown() -> None:
    """An update that came too early is made up for on the event loop, though none follows."""
    hand = flat(2)
    hand.move("working", "root")
    screen = WatchedTerminal()
    display = LiveDisplay(config=TreeTaskConfig(refresh_interval=0.02), output=screen)
    with display:
        display.update(hand.tree)
        hand.move("working", "t0")
        display.update(hand.tree)

        assert await anyio.to_thread.run_sync(screen.wait_for, "🔄 t0")


def test_update_within_a_frame_does_not_wait_for_itself() -> None:
    """A signal handler may update, print and finalize while the interrupted code is painting."""
    hand = running_pipeline()

    class Interrupted(ScreenTerminal):
        calls = 0

        def write(self, text: str, /) -> int:
            Interrupted.calls += 1
            if Interrupted.calls == 2:
                display.update(hand.tree, force=True)
                display.print_message("from a handler")
            return super().write(text)

    screen = Interrupted()
    display = shown_on(screen, hand)
    with display:
        display.update(hand.tree, force=True)
        hand.time = 1.0
        display.update(hand.tree, force=True)
        assert screen.text.startswith("from a handler\n\n🔄 My Pipeline")


class Unprintable:
    """A name that nobody can show."""

    def __str__(self) -> str:
        raise RuntimeError("no name")


def test_display_that_fails_gives_way_and_the_run_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """Logged by name, replaced by a simpler one, the cursor restored; nothing is raised."""
    hand = running_pipeline()
    screen = ScreenTerminal()
    with shown_on(screen, hand) as display, caplog.at_level(logging.ERROR, "treetask"):
        display.update(hand.tree, force=True)
        hand.tree.root.name = Unprintable()  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
        display.update(hand.tree, force=True)
        assert screen.cursor_visible
        display.update(hand.tree, force=True)
        display.print_message("the run goes on")
        assert screen.text.endswith("the run goes on")

    assert [record.getMessage() for record in caplog.records] == [
        "the display Screen failed; PlainLog goes on",
        "the display PlainLog failed; Silence goes on",
    ]
    assert all(record.exc_info is not None for record in caplog.records)


def test_terminal_that_hung_up_is_quiet() -> None:
    """The stream is closed in the midst of a run; the run does not notice."""
    hand = running_pipeline()
    screen = ScreenTerminal()
    with shown_on(screen, hand) as display:
        display.update(hand.tree, force=True)
        screen.close()
        hand.time = 1.0
        display.update(hand.tree, force=True)
        display.print_message("nobody hears this")
    display.finalize(hand.tree)
    restore_terminal()


def test_log_file_gets_lines_and_the_final_tree(tmp_path: Path) -> None:
    """No escape sequence where there is no terminal, and the printed final frame at the end."""
    hand = running_pipeline()
    path = tmp_path / "log"
    with path.open("w", encoding="utf-8") as output:
        display = LiveDisplay(config=CALM, output=output)
        with display:
            display.update(hand.tree)
            finish(hand)
            display.update(hand.tree)
        display.finalize(hand.tree)
    lines = path.read_text(encoding="utf-8").split("\n")

    assert [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in lines] == [
        "My Pipeline  started: 4 tasks known",
        *(f"Phase {phase} › Task {task}  done in 0.0s" for phase, task in ((1, 1), (1, 2))),
        "Phase 1  done 2/2 in 0.0s",
        *(f"Phase {phase} › Task {task}  done in 0.0s" for phase, task in ((2, 3), (2, 4))),
        "Phase 2  done 2/2 in 0.0s",
        "My Pipeline  done 4/4 in 0.0s",
        *FINAL.split("\n"),
        "",
    ]


def test_final_tree_is_encodable(tmp_path: Path) -> None:
    """On an output in ASCII, icons and lines are in ASCII, and so is what the renderer made."""
    hand = running_pipeline()
    hand.tree.root.name = "Ünïcödé"
    path = tmp_path / "log"
    with path.open("w", encoding="ascii") as output:
        LiveDisplay(output=output).finalize(hand.tree)

    assert path.read_text(encoding="ascii").split("\n") == [
        r"[>] \xdcn\xefc\xf6d\xe9",
        "|-- [>] Phase 1",
        "|   |-- [>] Task 1",
        "|   `-- [>] Task 2",
        "`-- [ ] Phase 2",
        "",
        "Progress: 0/4 (0%)",
        "",
    ]


def test_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """`TERM=dumb` is a terminal, but no escape sequence is written to it."""
    monkeypatch.setenv("TERM", "dumb")
    hand = running_pipeline()
    screen = ScreenTerminal()
    with LiveDisplay(config=CALM, output=screen) as display:
        display.update(hand.tree)
    display.finalize(hand.tree)

    assert "\x1b" not in "".join(screen.writes)
    assert "started: 4 tasks known" in screen.text


def test_config_is_the_displays_the_renderers_or_the_trees() -> None:
    """What is given first is used; the icons of the tree's own config are the last resort."""
    hand = running_pipeline()
    hand.tree.config.icons["working"] = "T"
    renderers = TreeTaskConfig(icons={"working": "R"})
    displays = TreeTaskConfig(icons={"working": "D"})

    def icon(display: LiveDisplay, screen: ScreenTerminal) -> str:
        display.update(hand.tree, force=True)
        first = screen.text.lstrip()[0]
        display.clear()
        return first

    one, two, three = ScreenTerminal(), ScreenTerminal(), ScreenTerminal()
    assert icon(LiveDisplay(output=one), one) == "T"
    assert icon(LiveDisplay(TreeRenderer(renderers), output=two), two) == "R"
    assert icon(LiveDisplay(TreeRenderer(renderers), displays, three), three) == "D"


def test_custom_renderer_prints_the_final_tree() -> None:
    """The renderer that a display was given is asked for the tree that stays."""

    class Loud(TreeRenderer):
        def render(self, tree: TaskTree, max_depth: int | None = None, show_stats: bool = False) -> str:
            return super().render(tree, max_depth, show_stats).upper()

    hand = running_pipeline()
    output = io.StringIO()
    LiveDisplay(Loud(), output=output).finalize(hand.tree, show_stats=False)

    assert output.getvalue().startswith("🔄 MY PIPELINE\n├── 🔄 PHASE 1\n")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("sys.exit(3)", 3),
        ("restore_terminal(); os._exit(4)", 4),
        ("signal.signal(signal.SIGTERM, leave); os.kill(os.getpid(), signal.SIGTERM)", 5),
    ],
)
def test_process_that_ends_shows_the_cursor_again(end: str, code: int) -> None:
    """Without leaving the block, by an exit, at once or by a signal; what was shown stays."""
    import pty

    script = f"""
import os, signal, sys
from tests.display.trees import pipeline
from treetask.display import CommandDisplay, LiveDisplay, restore_terminal
hand = pipeline()
hand.move("working", "pipeline", "phase1", "task1")
def leave(number, frame):
    restore_terminal()
    os._exit(5)
display = LiveDisplay()
display.__enter__()
display.update(hand.tree, force=True)
{end}
"""
    master, slave = pty.openpty()
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(root), "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen([sys.executable, "-c", script], cwd=root, env=environment, stdout=slave, stderr=slave)
    os.close(slave)
    written = bytearray()
    try:
        while chunk := os.read(master, 65_536):
            written += chunk
    except OSError:
        pass  # how a pseudo-terminal says that nobody writes any more
    os.close(master)

    screen = ScreenTerminal()
    screen.write(written.decode())
    assert process.wait(DEADLINE) == code
    assert screen.cursor_visible
    assert screen.wraps
    assert "🔄 My Pipeline" in screen.text
    assert screen.cursor[0] > next(row for row, line in enumerate(screen.screen) if line.startswith("Progress:"))
