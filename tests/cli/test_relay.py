"""What stands for a terminal's stream: text as it is, or whole lines to whoever took over."""

from __future__ import annotations

import io
import logging
import sys
import threading

import pytest

from treetask.cli._relay import Relay, original, printed_above


class FakeTerminal(io.StringIO):
    """Text that was written to a terminal."""

    def isatty(self) -> bool:
        return True


def relay() -> tuple[Relay, FakeTerminal, list[str]]:
    """A relay, its terminal, and the lines it gives when it is taken over."""
    terminal = FakeTerminal()
    return Relay(terminal), terminal, []


def test_everything_is_handed_on_until_somebody_takes_over() -> None:
    """Before and after, a relay is the stream."""
    stream, terminal, lines = relay()

    stream.write("bef")
    stream.writelines(["or", "e\n"])
    stream.take_over(lines.append)
    stream.write("within\n")
    stream.hand_back()
    stream.write("after\n")

    assert terminal.getvalue() == "before\nafter\n"
    assert lines == ["within"]


def test_lines_are_given_whole() -> None:
    """However they were written; what has no end yet is given at the end."""
    stream, _, lines = relay()

    stream.take_over(lines.append)
    for part in ("one\ntw", "o", "\n", "three\n\nfour"):
        stream.write(part)
    assert lines == ["one", "two", "three", ""]
    stream.hand_back()

    assert lines[4:] == ["four"]


def test_line_that_is_written_over_shows_its_last_state() -> None:
    """A progress bar is one line, not one for each step, and costs no memory."""
    stream, _, lines = relay()

    stream.take_over(lines.append)
    for percent in range(101):
        stream.write(f"\r{percent}%")
    stream.write("\r\nwindows\r\n")

    assert lines == ["100%", "windows"]


def test_colours_are_left_out() -> None:
    """Only they: other escapes are for the display to make visible."""
    stream, _, lines = relay()

    stream.take_over(lines.append)
    stream.write("\x1b[1;31mred\x1b[0m \x1b[2J\n")

    assert lines == ["red \x1b[2J"]


def test_nobody_is_told_of_a_terminal_while_another_paints_on_it() -> None:
    """A library that would move the cursor does not; everything else is the stream's own."""
    stream, terminal, lines = relay()

    assert stream.isatty()
    stream.take_over(lines.append)
    assert not stream.isatty()
    stream.hand_back()
    assert stream.isatty()
    assert stream.getvalue is not None
    with pytest.raises(AttributeError):
        stream.no_such_thing  # noqa: B018
    assert original(terminal) is terminal


def test_lines_of_both_streams_and_all_threads_arrive_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given in batches, and all of them by the end of the block."""
    out, err = Relay(FakeTerminal()), Relay(FakeTerminal())
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    handler = logging.StreamHandler(err)
    given: list[str] = []

    with printed_above(given.append, lambda stream: True):
        for number in range(1_000):
            print(number)
            handler.emit(logging.makeLogRecord({"msg": f"log {number}"}))
        thread = threading.Thread(target=print, args=("from a thread",))
        thread.start()
        thread.join()

    expected = [text for number in range(1_000) for text in (str(number), f"log {number}")]
    assert "\n".join(given).split("\n") == [*expected, "from a thread"]


def test_stream_that_leads_elsewhere_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results that go to another terminal than the display's go there."""
    terminal = FakeTerminal()
    monkeypatch.setattr(sys, "stdout", Relay(terminal))
    given: list[str] = []

    with printed_above(given.append, lambda stream: False):
        print("result")

    assert (terminal.getvalue(), given) == ("result\n", [])
