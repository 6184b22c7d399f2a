"""The output itself: its size, what it can encode, and that it may go away at any time."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from treetask.display._terminal import Size, Terminal
from treetask.testing import ScreenTerminal

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")


class Sized:
    """Stands for `os.get_terminal_size`."""

    def __init__(self, columns: int, rows: int) -> None:
        self.size = os.terminal_size((columns, rows))

    def __call__(self, fd: int = 1) -> os.terminal_size:
        return self.size


@pytest.mark.parametrize(
    ("asked", "columns", "lines", "size"),
    [
        ((120, 40), None, None, Size(120, 40)),
        ((120, 40), "50", "20", Size(120, 40)),
        ((0, 0), "50", "20", Size(50, 20)),
        ((0, 0), None, None, Size(80, 24)),
        ((0, 0), "many", "-3", Size(80, 24)),
        ((100, 0), None, "30", Size(100, 30)),
    ],
)
def test_size_is_asked_for_then_looked_up_then_assumed(
    monkeypatch: pytest.MonkeyPatch,
    asked: tuple[int, int],
    columns: str | None,
    lines: str | None,
    size: Size,
) -> None:
    """A pseudo-terminal of 0 x 0, as CI has them, is as big as the environment says, else 80 x 24."""
    monkeypatch.setattr(os, "get_terminal_size", Sized(*asked))
    for name, value in (("COLUMNS", columns), ("LINES", lines)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)

    assert Terminal(io.StringIO()).size() == size


def test_stream_with_a_size_of_its_own_is_believed() -> None:
    """A terminal in memory says how big it is, at every moment."""
    screen = ScreenTerminal(40, 12)
    terminal = Terminal(screen)
    assert terminal.size() == Size(40, 12)
    screen.resize(30, 9)
    assert terminal.size() == Size(30, 9)


@pytest.mark.parametrize("name", ["dumb", "unknown", "DUMB"])
def test_dumb_terminal_is_not_painted_on(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What obeys no escape sequence gets none."""
    assert Terminal(ScreenTerminal()).can_paint
    monkeypatch.setenv("TERM", name)
    assert not Terminal(ScreenTerminal()).can_paint


def test_what_is_no_terminal_is_not_painted_on() -> None:
    """A file, a closed stream, no stream at all (a program without a console)."""
    closed = io.StringIO()
    closed.close()

    assert not Terminal(io.StringIO()).can_paint
    assert not Terminal(closed).can_paint
    assert not Terminal(None).can_paint
    assert not Terminal(None).write("x")


@pytest.mark.parametrize(
    ("encoding", "narrow"),
    [("utf-8", None), ("UTF-8", None), ("ascii", "ascii"), ("latin-1", "latin-1"), ("cp1252", "cp1252")],
)
def test_narrow_encodings_are_known(tmp_path: Path, encoding: str, narrow: str | None) -> None:
    """Where our own signs cannot be encoded, that is found before the first frame."""
    with (tmp_path / "log").open("w", encoding=encoding) as stream:
        assert Terminal(stream).narrow_encoding == narrow


@posix_only
def test_pipe_without_a_reader_is_quiet() -> None:
    """The reader went away; nothing is raised, then or when the stream is closed."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        terminal = Terminal(stream)
        assert not terminal.write("first\n")
        assert terminal.is_gone
        assert not terminal.write("second\n")


def test_closed_stream_is_quiet() -> None:
    """Somebody closed it under our hands."""
    stream = io.StringIO()
    terminal = Terminal(stream)
    assert terminal.write("x")
    stream.close()

    assert not terminal.write("y")
    assert terminal.is_gone


@posix_only
def test_text_left_in_the_stream_comes_first(tmp_path: Path) -> None:
    """What somebody wrote to the stream and did not flush is older than the frame."""
    path = tmp_path / "log"
    with path.open("w", encoding="utf-8") as stream:
        stream.write("before ")
        assert Terminal(stream).write("after")
        assert path.read_text(encoding="utf-8") == "before after"


@posix_only
def test_output_that_takes_only_a_part_gets_the_rest_later() -> None:
    """A descriptor that somebody made non-blocking is waited for; nothing of a frame is lost."""
    import threading

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    text = "0123456789" * 50_000
    got = bytearray()

    def read_all() -> None:
        while chunk := os.read(reader, 65_536):
            got.extend(chunk)

    thread = threading.Thread(target=read_all)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        terminal = Terminal(stream)
        thread.start()
        assert terminal.write(text)
    thread.join()
    os.close(reader)

    assert got.decode() == text


@posix_only
def test_streams_of_one_terminal_are_the_same() -> None:
    """Standard output and error of one terminal are two streams of one device; two terminals are two."""
    import pty

    first, first_end = pty.openpty()
    second, second_end = pty.openpty()
    with (
        os.fdopen(first_end, "w") as one,
        os.fdopen(os.dup(first_end), "w") as again,
        os.fdopen(second_end, "w") as other,
    ):
        assert Terminal(one).is_same_as(Terminal(again))
        assert not Terminal(one).is_same_as(Terminal(other))
        assert not Terminal(one).is_same_as(Terminal(io.StringIO()))
    os.close(first)
    os.close(second)
