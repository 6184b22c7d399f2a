"""The log of a node, and how lines are made of what a process writes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treetask import LogExtended, TaskNode, TaskTree
from treetask.model._log import LINE_BYTES, LOG_BYTES, LineCutter, Log, text_lines


def lines_of(*chunks: bytes) -> list[str]:
    """The lines that a stream is cut into, whatever was begun at its end included."""
    cutter = LineCutter()
    return text_lines(b"".join([*map(cutter.cut, chunks), cutter.end()]))


class TestLog:
    def test_keeps_the_last_lines_whole(self) -> None:
        """64 KB of them; no line is cut because older ones make room."""
        log = Log()
        for number in range(20_000):
            log.add(b"line %d\n" % number)

        kept = log.lines()

        assert kept == [f"line {number}" for number in range(20_000 - len(kept), 20_000)]
        assert LOG_BYTES - 20 < sum(len(line) + 1 for line in kept) <= LOG_BYTES

    def test_keeps_what_just_fits(self) -> None:
        """The bound is what may be kept, and not one byte less."""
        log = Log()
        log.add(b"x" * (LOG_BYTES - 3) + b"\n")
        log.add(b"\n")
        assert len(log.lines()) == 2

        log.add(b"yy\n")
        assert log.lines() == ["", "yy"]

    def test_lines_that_come_at_once_make_room_too(self) -> None:
        """One addition may be larger than all that is kept."""
        log = Log()
        log.add(b"".join(b"%06d\n" % number for number in range(50_000)))

        assert log.lines()[-1] == "049999"
        assert sum(len(line) + 1 for line in log.lines()) <= LOG_BYTES

    def test_what_is_no_utf_8_is_shown_as_escapes(self) -> None:
        """Nothing is lost, and nothing fails, because a program writes in another encoding."""
        assert text_lines("grün\n".encode() + b"gr\xfcn\n") == ["grün", "gr\\xfcn"]

    def test_only_line_feeds_end_lines(self) -> None:
        """What Python's own splitlines also takes for ends is part of a line."""
        assert text_lines("a\x0bb\x0cc\x85d\u2028e\n\n".encode()) == ["a\x0bb\x0cc\x85d\u2028e", ""]


class TestCutting:
    @pytest.mark.parametrize(
        ("chunks", "lines"),
        [
            ([], []),
            ([b"one\ntwo\n"], ["one", "two"]),
            ([b"o", b"ne\nt", b"wo"], ["one", "two"]),
            ([b"\n\n"], ["", ""]),
            ([b"windows\r\n", b"too\r", b"\n"], ["windows", "too"]),
            ([b"10%\r", b"20%\r", b"100%\n"], ["100%"]),
            ([b"10%\r20%\r30%"], ["30%"]),
            ([b"10%\r20%\r"], ["20%"]),
            ([b"10%\r\r\n"], ["10%"]),
            ([b"\r\r"], []),
            ([b"\r\n"], [""]),
        ],
    )
    def test_stream_becomes_lines(self, chunks: list[bytes], lines: list[str]) -> None:
        """However it comes, and with what a progress bar wrote last."""
        assert lines_of(*chunks) == lines

    def test_line_is_handed_on_when_its_end_comes(self) -> None:
        """Not before, and not later."""
        cutter = LineCutter()

        assert (cutter.cut(b"one\ntw"), cutter.cut(b"o"), cutter.cut(b"\nthree"), cutter.end(), cutter.end()) == (
            b"one\n",
            b"",
            b"two\n",
            b"three\n",
            b"",
        )

    def test_line_without_an_end_is_cut_between_characters(self) -> None:
        """A program that never ends its line fills no memory."""
        cutter = LineCutter()
        pieces = cutter.cut("€".encode() * LINE_BYTES).decode().splitlines()

        assert [len(piece.encode()) for piece in pieces] == [LINE_BYTES - 2] * 3
        assert "".join(pieces) + cutter.end().decode().rstrip() == "€" * LINE_BYTES

    def test_line_without_an_end_in_small_bites_is_cut_as_well(self) -> None:
        """What counts is how much has come, not how."""
        cutter = LineCutter()
        cut = [cutter.cut(b"x" * 1_000) for _ in range(20)]

        assert {len(piece) for piece in cut if piece} == {LINE_BYTES + 1}
        assert len(b"".join(cut)) + len(cutter.end()) == 20_000 + 3

    def test_bytes_that_are_no_characters_are_cut_too(self) -> None:
        """The search for the beginning of a character does not go back for ever."""
        assert lines_of(b"\x80" * (LINE_BYTES * 2)) == [
            "\\x80" * (LINE_BYTES - 3),
            "\\x80" * (LINE_BYTES - 3),
            "\\x80" * 6,
        ]

    def test_bar_that_is_drawn_for_hours_is_kept_once(self) -> None:
        """What was overwritten is forgotten."""
        cutter = LineCutter()
        for number in range(50_000):
            assert cutter.cut(b"%6d of 50000\r" % number) == b""

        assert cutter.end() == b" 49999 of 50000\n"

    @given(
        text=st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\xc3\xa9", b"xyz"])).map(b"".join),
        cuts=st.lists(st.integers(0, 60)),
    )
    def test_chunks_make_no_difference(self, text: bytes, cuts: list[int]) -> None:
        """Where the stream happens to be divided is not to be seen."""
        places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})

        assert lines_of(*(text[one:two] for one, two in pairwise(places))) == lines_of(text)


class TestOfANode:
    def test_is_empty_and_costs_nothing_before_anything_is_put_out(self) -> None:
        """A node that says nothing keeps nothing."""
        node = TaskNode("quiet")

        assert (node.log, node._trouble) == ([], None)

    def test_is_a_list_to_keep(self) -> None:
        """What is read does not change any more."""
        node = TaskNode("a")
        node.extend_log(b"one\n")
        read = node.log
        node.extend_log(b"two\n")

        assert (read, node.log) == (["one"], ["one", "two"])

    def test_is_forgotten_by_reset(self) -> None:
        """A second run begins a new log."""
        tree = TaskTree(TaskNode("root"))
        tree.extend_log(tree.root, b"old\n")
        tree.reset()

        assert tree.root.log == []

    def test_event_is_told_apart(self) -> None:
        """Lines come as text, without their ends."""
        event = LogExtended(TaskNode("a"), ("one", "two"), 1.5)

        assert (event.node.id, event.lines, event.at) == ("a", ("one", "two"), 1.5)
