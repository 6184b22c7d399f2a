"""What bodies print: in the logs of their nodes, and above what a display paints on the same terminal."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from contextvars import copy_context
from typing import TextIO

import anyio
import anyio.to_thread
import pytest

from tests.display.trees import flat
from treetask import (
    AsyncExecutor,
    Event,
    LiveDisplay,
    LogExtended,
    StatusChanged,
    TaskNode,
    TaskTree,
    TreeBuilder,
    TreeFailed,
    TreeTaskConfig,
)
from treetask.display import _prints, original, printed_by_nodes
from treetask.display._capture import Capture
from treetask.display._prints import Proxy, Said
from treetask.display._said import begun_line, said_lines
from treetask.display._theme import theme_for
from treetask.engine import body_ends, current_node
from treetask.model import text_lines
from treetask.testing import ScreenTerminal

#: The display's thread does nothing of its own.
CALM = TreeTaskConfig(refresh_interval=3600)


@contextmanager
def at(stream: TextIO) -> Generator[None]:
    """Let both standard streams be this one; not by a fixture, after which pytest puts its own there."""
    with redirect_stdout(stream), redirect_stderr(stream):
        yield


@pytest.fixture(autouse=True)
def _no_trace_is_left() -> Iterator[None]:
    """Whatever was followed, nobody is followed any more."""
    yield
    assert not body_ends


def logs(tree: TaskTree) -> dict[str, list[str]]:
    """What the nodes put out, those that did."""
    return {node.name: node.log for node in tree.walk() if node.log}


@pytest.mark.anyio
class TestLogsOfNodes:
    async def test_lines_are_their_body_s_wherever_it_prints(self) -> None:
        """On the loop, in tasks that it starts and in its threads; what is printed goes on untouched."""
        out = io.StringIO()

        async def loops(node: TaskNode) -> None:
            async def task() -> None:
                print("from a task")

            async with anyio.create_task_group() as group:
                group.start_soon(task)
            await anyio.to_thread.run_sync(print, "from a thread")
            print("and", 1, sep="\t", end="\r\n")

        def thread(node: TaskNode) -> None:
            print("plain def")

        # One after the other: a `print` writes its end by itself, and on the stream another one's may come between.
        tree = (
            TreeBuilder("root")
            .add_child("loops", task=loops)
            .add_child("thread", task=thread, depends_on=["loops"])
            .build()
        )
        with at(out), printed_by_nodes():
            print("nobody's")
            await AsyncExecutor(tree).run()

        assert logs(tree) == {"loops": ["from a task", "from a thread", "and\t1"], "thread": ["plain def"]}
        assert out.getvalue().split("\n") == ["nobody's", "from a task", "from a thread", "and\t1\r", "plain def", ""]

    async def test_unfinished_lines_of_two_bodies_never_mix(self) -> None:
        """Dots of each are a line of its own, though the stream has them as they came."""
        out = io.StringIO()
        turn = anyio.Event()

        async def dots(node: TaskNode) -> None:
            for _ in range(3):
                print(".", end="", flush=True)
                await anyio.sleep(0)
            turn.set()

        async def dashes(node: TaskNode) -> None:
            print("-", end="")
            await turn.wait()
            print("-")

        tree = TreeBuilder("root").add_child("dots", task=dots).add_child("dashes", task=dashes).build()
        with at(out), printed_by_nodes():
            await AsyncExecutor(tree).run()

        assert logs(tree) == {"dots": ["..."], "dashes": ["--"]}
        assert sorted(out.getvalue()) == sorted("...--\n")

    async def test_failure_is_told_after_the_last_words(self) -> None:
        """A line without an end is in the log before anybody hears of the failure, from a thread too."""
        out = io.StringIO()

        def connect(node: TaskNode) -> None:
            print("connecting... ", end="")
            raise OSError("refused")

        heard: list[object] = []

        class Observer:
            def on_event(self, event: Event) -> None:
                if isinstance(event, LogExtended):
                    heard.append(event.lines)
                elif isinstance(event, StatusChanged):
                    heard.append(str(event.new))

        executor = AsyncExecutor(TaskTree(TaskNode("connect", task_fn=connect, max_retries=0)))
        executor.subscribe(Observer())
        with at(out), printed_by_nodes(), pytest.raises(TreeFailed):
            await executor.run()

        assert heard == ["working", ("connecting... ",), "failed"]

    async def test_body_reads_its_own_log(self) -> None:
        """At once on the loop, and in the order of what it does."""
        out = io.StringIO()
        seen: list[list[str]] = []

        async def body(node: TaskNode) -> None:
            print("one")
            print("tw", end="")
            seen.append(node.log)
            print("o")
            seen.append(node.log)

        with at(out), printed_by_nodes():
            await AsyncExecutor(TaskTree(TaskNode("root", task_fn=body))).run()

        assert seen == [["one"], ["one", "two"]]

    async def test_progress_bar_is_one_line(self) -> None:
        """What was written over is not kept; the stream gets it all the same."""
        out = io.StringIO()

        async def body(node: TaskNode) -> None:
            for percent in range(1000):
                sys.stdout.write(f"\r{percent}")

        tree = TaskTree(TaskNode("root", task_fn=body))
        with at(out), printed_by_nodes():
            await AsyncExecutor(tree).run()

        assert tree.root.log == ["999"]
        assert out.getvalue() == "".join(f"\r{percent}" for percent in range(1000))


class TestProxies:
    def test_everything_but_text_is_the_stream_s_own(self) -> None:
        """Without a body to speak, a proxy is the stream."""
        out = io.StringIO()
        with at(out):
            with printed_by_nodes():
                sys.stdout.writelines(["a", "b"])
                sys.stdout.flush()
                assert (out.getvalue(), sys.stdout.isatty(), original(sys.stdout) is out) == ("ab", False, True)
                with pytest.raises(AttributeError):
                    sys.stdout.no_such_thing  # type: ignore[union-attr]  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]  # noqa: B018
                with pytest.raises(TypeError):
                    sys.stdout.write(b"bytes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            assert sys.stdout is out

    def test_stream_that_somebody_has_put_there_stays(self) -> None:
        """Who replaces `sys.stdout` meanwhile is not undone."""
        out = io.StringIO()
        theirs = io.StringIO()
        with at(out):
            with printed_by_nodes():
                kept = sys.stdout
                sys.stdout = theirs
            print("theirs")
            print("kept", file=kept)

        assert (theirs.getvalue(), out.getvalue()) == ("theirs\n", "kept\n")

    def test_handlers_of_logging_go_along_and_come_back(self) -> None:
        """A handler that held the stream before holds the proxy inside."""
        out = io.StringIO()
        handler = logging.StreamHandler(out)
        logger = logging.getLogger("treetask.test_capture")
        logger.addHandler(handler)
        try:
            with at(out), printed_by_nodes():
                assert isinstance(handler.stream, Proxy)
            assert handler.stream is out
        finally:
            logger.removeHandler(handler)

    def test_absent_streams_stay_absent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A program without a console has none."""
        monkeypatch.setattr(sys, "stdout", None)
        with printed_by_nodes():
            absent: object = sys.stdout
            assert absent is None

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
    def test_forked_process_writes_by_itself(self) -> None:
        """There nobody shows lines, and a lock may be held for ever."""
        out = io.StringIO()
        shown: list[Said] = []
        capture = Capture(lambda stream: True, lambda said, begun: shown.extend(said))
        with at(out):
            capture.begin()
            with _prints._lock:
                child = os.fork()
                if child == 0:
                    thread = threading.Thread(target=print, args=("child",), daemon=True)
                    thread.start()
                    thread.join(10)
                    os._exit(0 if out.getvalue() == "child\n" else 1)
                _, status = os.waitpid(child, 0)
            capture.end()

        assert (os.waitstatus_to_exitcode(status), shown) == (0, [])


class TestShowing:
    def test_lines_of_both_streams_and_all_threads_arrive_in_order(self) -> None:
        """Given in batches, and all of them by the end."""
        screen = ScreenTerminal()
        shown: list[Said] = []
        handler = logging.StreamHandler(screen)
        logger = logging.getLogger("treetask.test_capture")
        logger.addHandler(handler)
        capture = Capture(lambda stream: stream is screen, lambda said, begun: shown.extend(said))
        with at(screen):
            capture.begin()
            for number in range(1_000):
                print(number)
                logger.warning("log %d", number)
            thread = threading.Thread(target=print, args=("from a thread",))
            thread.start()
            thread.join()
            print("no end", end="")
            capture.end()
            assert sys.stdout is screen
        logger.removeHandler(handler)

        expected = [text for number in range(1_000) for text in (str(number), f"log {number}")]
        assert [line for _, lines in shown for line in text_lines(lines)] == [*expected, "from a thread", "no end"]
        assert (screen.writes, handler.stream) == ([], screen)

    def test_stream_that_leads_elsewhere_is_left_alone(self) -> None:
        """Results that go to a file or to another terminal go there."""
        screen = ScreenTerminal()
        capture = Capture(lambda stream: False, lambda said, begun: pytest.fail("nothing is shown"))
        with at(screen):
            capture.begin()
            print("result")
            capture.end()

        assert screen.writes == ["result", "\n"]

    def test_nobody_is_told_of_a_terminal_while_another_paints_on_it(self) -> None:
        """A library that would move the cursor does not."""
        capture = Capture(lambda stream: True, lambda said, begun: None)
        with at(ScreenTerminal()):
            seen = [sys.stdout.isatty()]
            capture.begin()
            seen.append(sys.stdout.isatty())
            capture.end()
            seen.append(sys.stdout.isatty())

        assert seen == [True, False, True]

    def test_prints_stand_above_the_rows_of_a_display(self) -> None:
        """With the name of whose they are; those of nobody as they are. The streams are put back afterwards."""
        screen = ScreenTerminal(60, 20)
        hand = flat(2)
        hand.move("working", "root", "t0", "t1")
        with at(screen):
            with LiveDisplay(config=CALM) as display, LiveDisplay(config=CALM) as second:
                display.update(hand.tree, force=True)
                print("nobody's")
                body = copy_context()
                body.run(current_node.set, hand.tree.root.children[0])
                body.run(print, "one\ntwo\tcolumns")
                second.print_message("nested")
            assert sys.stdout is sys.stderr is screen

        assert [*screen.history, *screen.screen][:4] == ["nobody's", "t0 │ one", "t0 │ two     columns", "nested"]


def lines_of(*said: Said, has_colours: bool = False) -> list[str]:
    """How a display shows what was said."""
    return said_lines(said, theme_for(TreeTaskConfig(), has_colours=has_colours))


def test_name_stands_in_front_of_what_a_task_says() -> None:
    """Of every task but the root, which is alone in the end; long ones are cut, hostile ones are made visible."""
    hand = flat(1)
    named = TaskNode("x", name="fetch[\x1b]" + "x" * 30)

    assert lines_of(
        (hand.tree.root, b"a\nb\n"), (hand.tree.root.children[0], b"c\n"), (None, b"d\n"), (named, b"e\n")
    ) == [
        "a",
        "b",
        "t0 │ c",
        "d",
        "fetch[\\x1b]xxxxxxxxxxxx… │ e",
    ]


def test_colours_pass_and_nothing_else_does() -> None:
    """Only where the terminal shows colours; each line ends without them, and is whole however long it is."""
    lines = b"\x1b[31mred \x1b[2J\n" + b"x" * 5000 + b"\n"
    node = flat(1).tree.root.children[0]

    assert lines_of((node, lines)) == [r"t0 │ red \x1b[2J", f"t0 │ {'x' * 5000}"]
    assert lines_of((node, lines), has_colours=True) == [
        "\x1b[2mt0 │ \x1b[0m\x1b[31mred \\x1b[2J\x1b[0m",
        f"\x1b[2mt0 │ \x1b[0m{'x' * 5000}",
    ]


def test_what_was_printed_last_before_a_long_wait_is_told_soon() -> None:
    """A body that prints and then waits for an hour has said it, though nobody reads its log or prints again."""
    told = threading.Event()

    def show(node: TaskNode | None, lines: bytes) -> None:
        if lines.endswith(b"last\n"):
            told.set()

    with at(io.StringIO()), _prints.shown_instead("stdout", show):
        for _ in range(3):
            print("first")
        print("last")
        assert told.wait(20)


def test_line_that_has_no_end_yet_is_seen_above_the_rows() -> None:
    """A question waits for its answer, dots for the next one; with its end the line stands there for good, once."""
    seen = threading.Event()

    class Watched(ScreenTerminal):
        def write(self, text: str, /) -> int:
            written = super().write(text)
            if self.screen[0] == "t0 │ go on? [y]":
                seen.set()
            return written

    screen = Watched(60, 20)
    hand = flat(2)
    hand.move("working", "root", "t0", "t1")
    with at(screen):
        with LiveDisplay(config=CALM) as display:
            display.update(hand.tree, force=True)
            body = copy_context()
            body.run(current_node.set, hand.tree.root.children[0])
            body.run(print, "go on? \x1b[1m[y]", end=" ")
            assert seen.wait(20)
            assert screen.history == []
            assert screen.cursor == (0, len("t0 │ go on? [y] "))
            body.run(print, "y")
        assert screen.screen[:2] == ["t0 │ go on? [y] y", ""]
        body_ends.clear()


def test_long_line_without_an_end_shows_its_end() -> None:
    """Of a thousand dots the last one is the news."""
    theme = theme_for(TreeTaskConfig())

    assert begun_line(None, theme, 20) == ""
    assert begun_line((None, b"." * 100 + b"\x1b[2J!"), theme, 10) == r"….\x1b[2J!"
    node = flat(1).tree.root.children[0]
    assert begun_line((node, b"short"), theme, 10) == "t0 │ short"
    assert begun_line((node, b"." * 100 + b"end"), theme, 15) == "t0 │ …......end"


def test_stream_that_was_closed_is_given_back_all_the_same() -> None:
    """A body may close its standard error, which a handler of `logging` still holds; the end of a run bears that."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("tests.closed")
    logger.addHandler(handler)
    try:
        with at(stream), printed_by_nodes():
            assert isinstance(handler.stream, Proxy)
            stream.close()
        assert handler.stream is stream
    finally:
        logger.removeHandler(handler)
