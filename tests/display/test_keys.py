"""Keys out of bytes, and a terminal that hands them over one by one and is left as it was."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treetask.display._keyboard import Keyboard
from treetask.display._keys import Decoder, Key, Typed

DEADLINE = 20

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"jkflpx?\n\r", ["DOWN", "UP", "FAILED", "LOG", "PAUSE", "CANCEL", "HELP", "ENTER", "ENTER"]),
        (b"\x1b[A\x1b[B\x1b[C\x1b[D\x1bOA\x1bOB", ["UP", "DOWN", "RIGHT", "LEFT", "UP", "DOWN"]),
        (
            b"\x1b[5~\x1b[6~\x1b[H\x1b[F\x1b[1~\x1b[4~\x1bOH",
            ["PAGE_UP", "PAGE_DOWN", "HOME", "END", "HOME", "END", "HOME"],
        ),
        # Modified, function, mouse and Alt keys, a colour that the terminal tells.
        (b"\x1b[1;5A\x1b[15~\x1bOP\x1b[[A\x1b[<0;3;4M\x1bx\x1b]11;rgb:00/00/00\x07\x1b]11;x\x1b\\", []),
        (b"\x1b[200~jj\x1b[A\x1b[201~k", ["UP"]),
        (b"\x1b\x1b[A", ["ESCAPE", "UP"]),
        (b"\x1b[\x1b[A", ["UP"]),
        ("ä j".encode(), ["DOWN"]),
    ],
)
def test_bytes_are_keys(data: bytes, keys: list[str]) -> None:
    """What terminals send for the keys that mean something; everything else means nothing."""
    assert [each.key.name for each in Decoder().feed(data) if each.key is not None] == keys


@given(
    st.lists(st.sampled_from([b"\x1b[A", b"\x1b[5~", b"\x1bOB", b"j", b"\n", b"\x1b[200~xl\x1b[201~", b"\x1b[1;2C"]))
)
def test_keys_are_the_same_however_the_bytes_come(pieces: list[bytes]) -> None:
    """Property: byte by byte or all at once."""
    data = b"".join(pieces)
    whole, single = Decoder(), Decoder()
    at_once = whole.feed(data)
    one_by_one = [typed for byte in data for typed in single.feed(bytes([byte]))]

    assert [each.key for each in one_by_one if each.key] == [each.key for each in at_once if each.key]
    assert b"".join(each.text for each in one_by_one) == b"".join(each.text for each in at_once)
    assert whole.waits is single.waits is False


@given(st.lists(st.binary(max_size=12)))
def test_no_bytes_confuse_it(pieces: list[bytes]) -> None:
    """Property: whatever came before, after a silence `j` is a key again, unless something is being pasted."""
    decoder = Decoder()
    for piece in pieces:
        decoder.feed(piece)
    decoder.end()

    if not decoder._is_pasting:
        assert decoder.feed(b"j") == [Typed(Key.DOWN, b"j")]


def test_escape_is_a_key_after_a_silence() -> None:
    """Alone it may be the beginning of another key; what was begun and is no key is forgotten."""
    decoder = Decoder()
    assert decoder.feed(b"\x1b") == []
    assert decoder.waits
    assert decoder.end() == [Typed(Key.ESCAPE, b"")]
    assert decoder.feed(b"\x1b[") == []
    assert decoder.end() == []
    assert decoder.feed(b"A") == [Typed(None, b"A")]


def test_text_that_is_no_key_is_kept() -> None:
    """For somebody who reads text: letters, line ends, what was pasted; never an escape sequence."""
    typed = Decoder().feed("yes\r\x1b[15~\x1b[200~a\tb\x1b[201~é".encode())

    assert b"".join(each.text for each in typed) == "yes\na\tbé".encode()


class Hands:
    """Somebody at a terminal that no process is in the foreground of but, if told so, this one."""

    def __init__(self) -> None:
        import pty

        self.master, self.slave = pty.openpty()
        self.keys: list[Key | None] = []
        self._some = threading.Condition()

    def give(self, typed: Sequence[Typed]) -> None:
        with self._some:
            self.keys += [each.key for each in typed]
            self._some.notify_all()

    def type(self, data: bytes, keys: list[Key | None]) -> None:
        """Type something, and wait until these are all the keys that came since the last time."""
        os.write(self.master, data)
        with self._some:
            assert self._some.wait_for(lambda: self.keys == keys, DEADLINE), self.keys
            self.keys.clear()

    def modes(self) -> list[object]:
        import termios

        return termios.tcgetattr(self.slave)


class Foreground:
    """Stands for `os.tcgetpgrp`."""

    is_ours = True

    def __call__(self, fd: int) -> int:
        return os.getpgrp() if self.is_ours else 1


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Generator[Hands]:
    """A terminal, with this process in its foreground."""
    hands = Hands()
    monkeypatch.setattr(os, "tcgetpgrp", Foreground())
    yield hands
    os.close(hands.master)
    os.close(hands.slave)


@posix_only
def test_keyboard_gives_keys_and_leaves_the_modes_as_they_were(hands: Hands) -> None:
    """One by one, without a line's end and without an echo; signals are still made of Ctrl-C."""
    import termios

    before = hands.modes()
    keyboard = Keyboard(hands.slave, hands.give)
    assert keyboard.open()
    flags = hands.modes()[3]
    assert isinstance(flags, int)
    assert (flags & termios.ICANON, flags & termios.ECHO, flags & termios.ISIG) == (0, 0, termios.ISIG)
    hands.type(b"j", [Key.DOWN])
    hands.type(b"\x1b[A", [Key.UP])
    hands.type(b"\x1b", [Key.ESCAPE])
    keyboard.close()
    keyboard.close()

    assert hands.modes() == before
    assert keyboard._thread is not None
    assert not keyboard._thread.is_alive()


@posix_only
def test_keyboard_that_was_left_comes_back(hands: Hands) -> None:
    """As around a stop: what is typed meanwhile is somebody else's."""
    before = hands.modes()
    keyboard = Keyboard(hands.slave, hands.give)
    assert keyboard.open()
    keyboard.leave()
    assert hands.modes() == before
    os.write(hands.master, b"for the shell\n")
    assert os.read(hands.slave, 100) == b"for the shell\n"
    keyboard.resume()
    hands.type(b"k", [Key.UP])
    keyboard.close()

    assert hands.modes() == before


@posix_only
def test_keyboard_in_the_background_reads_nothing(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job in the background that reads would be stopped; the modes there are the shell's."""
    foreground = Foreground()
    foreground.is_ours = False
    monkeypatch.setattr(os, "tcgetpgrp", foreground)
    before = hands.modes()
    assert not Keyboard(hands.slave, hands.give).open()
    assert hands.modes() == before

    foreground.is_ours = True
    keyboard = Keyboard(hands.slave, hands.give)
    assert keyboard.open()
    ours = hands.modes()
    foreground.is_ours = False
    keyboard.close()
    assert hands.modes() == ours


@posix_only
def test_end_of_the_process_restores_the_modes(hands: Hands) -> None:
    """`restore_terminal`, which the end of the process calls, and a second signal."""
    from treetask.display import restore_terminal

    before = hands.modes()
    keyboard = Keyboard(hands.slave, hands.give)
    assert keyboard.open()
    restore_terminal()
    assert hands.modes() == before
    keyboard.close()


@posix_only
def test_keyboard_of_a_terminal_that_hung_up_is_closed(hands: Hands) -> None:
    """Nothing is raised, and nobody waits: it is as if we were in the background."""
    keyboard = Keyboard(hands.slave, hands.give)
    assert keyboard.open()
    os.close(hands.master)
    hands.master = os.open(os.devnull, os.O_RDONLY)
    keyboard.close()
    assert keyboard._thread is not None
    assert not keyboard._thread.is_alive()


def test_what_is_no_terminal_has_no_keys() -> None:
    """A file or a pipe."""
    reading, writing = os.pipe()
    assert not Keyboard(reading, lambda typed: None).open()
    os.close(reading)
    os.close(writing)
