"""Lines that come from anywhere: what is read of them, what is skipped, and what is refused by its place and name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sentences import exactly
from treetask.events import EndLine, EventsError, StartLine, _reader, lines_of, read_events

START = b'{"event":"run_started","seq":1,"at":0.0,"wall":5.0,"version":1,"root":"r","name":"R"}\n'
END = b'{"event":"run_ended","seq":2,"at":1.0,"wall":6.0,"status":"done","elapsed":1.0,"counts":{"done":1}}\n'
TIMELESS = START.replace(b"5.0", b'"now"')
ENDLESS = END.replace(b'"status":"done",', b"")
LATE = START.replace(b"0.0", b"1e12")
DEEP = b'{"event":"node_dreamt","seq":2,"dream":' + b"[" * 100_000 + b"\n"
EXPECTED = "expected the events of a run, as --events FILE writes them"


def test_what_a_later_version_adds_is_skipped() -> None:
    """Keys and kinds of events; and blank lines, which editors leave."""
    start = START.replace(b'"root"', b'"mood":{"is":["good"]},"root"')
    lines = [start, b'{"event":"node_dreamt","seq":9,"dream":1}\n', b"\n", END]

    assert list(lines_of(lines, "run.jsonl")) == [
        StartLine(seq=1, at=0, wall=5, version=1, root="r", name="R"),
        EndLine(seq=2, at=1, wall=6, status="done", elapsed=1, counts={"done": 1}),
    ]


@pytest.mark.parametrize("cut", range(1, len(END)))
def test_last_line_may_be_cut_anywhere(cut: int) -> None:
    """A run whose process was killed looks so; only the end of the line may be missing."""
    lines = list(lines_of([START, END[:cut]], "run.jsonl"))
    assert len(lines) == (2 if cut == len(END) - 1 else 1)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], f"run.jsonl: it is empty; {EXPECTED}"),
        ([b"# Read me\n"], f"run.jsonl, line 1: found '# Read me'; {EXPECTED}"),
        ([b"\x89PNG\r\n"], rf"run.jsonl, line 1: found '\\x89PNG'; {EXPECTED}"),
        ([b'{"name": "package"}\n'], f"""run.jsonl, line 1: found '{{"name": "package"}}'; {EXPECTED}"""),
        ([b"[" * 70 + b"\n"], f"run.jsonl, line 1: found '{'[' * 59}…'; {EXPECTED}"),
        ([END], f"run.jsonl, line 1: found '{END.decode()[:59]}…'; {EXPECTED}"),
        (
            [START.replace(b'"version":1', b'"version":2,"root":{}')],
            "run.jsonl, line 1: it has version 2 of the events, and this TreeTask reads up to 1; update it",
        ),
        (
            [TIMELESS],
            f"run.jsonl, line 1: expected `float`, got `str` - at `$.wall`; found '{TIMELESS.decode()[:59]}…'",
        ),
        (
            [START, ENDLESS],
            f"run.jsonl, line 2: object missing required field `status`; found '{ENDLESS.decode()[:59]}…'",
        ),
        ([b"[" * 100_000 + b"\n"], f"run.jsonl, line 1: found '{'[' * 59}…'; {EXPECTED}"),
        (
            [LATE],
            f"run.jsonl, line 1: expected `float` <= 1000000000.0 - at `$.at`; found '{LATE.decode()[:59]}…'",
        ),
        (
            [START, DEEP],
            f"run.jsonl, line 2: invalid value 'node_dreamt' - at `$.event`; found '{DEEP.decode()[:59]}…'",
        ),
        (
            [START, b"Traceback\n", END],
            "run.jsonl, line 2: JSON is malformed: invalid character (byte 0); found 'Traceback'",
        ),
        (
            [START, END, START],
            "run.jsonl, line 3: a second run begins here; expected the events of one run in a file",
        ),
    ],
    ids=[
        "empty",
        "text",
        "binary",
        "json",
        "deep",
        "no-start",
        "newer",
        "type",
        "missing",
        "deeper",
        "late",
        "deeper-later",
        "in-between",
        "second",
    ],
)
def test_what_is_no_such_file_is_refused(lines: list[bytes], message: str) -> None:
    """With the name of the file, the number of the line, what was found and what was expected."""
    with pytest.raises(EventsError, match=exactly(message)):
        list(lines_of(lines, "run.jsonl"))


def test_line_without_an_end_is_not_read_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the longest that there may be is read; of a longer one no more than that."""
    file = tmp_path / "run.jsonl"
    monkeypatch.setattr(_reader, "_LINE_BYTES", len(END))
    file.write_bytes(START + END)
    assert len(list(read_events(file))) == 2

    file.write_bytes(START + END[:-2] + b" }\n")
    message = f"{file}, line 2: it is longer than {len(END)} bytes; {EXPECTED}"
    with pytest.raises(EventsError, match=exactly(message)):
        list(read_events(file))


def test_file_is_read(tmp_path: Path) -> None:
    """And one that is not there is named."""
    (tmp_path / "run.jsonl").write_bytes(START + END)
    assert len(list(read_events(tmp_path / "run.jsonl"))) == 2

    missing = tmp_path / "missing.jsonl"
    with pytest.raises(EventsError, match=exactly(f"{missing}: it cannot be read: No such file or directory")):
        list(read_events(missing))
