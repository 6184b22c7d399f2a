"""Where the lines of a run go: the file of `--events`, standard error with `--display json`, the report.

Loaded only where one of them is asked for. What cannot be written is told once, by the name of the file, and the run
goes on; but nobody who reads standard error any more is nobody to tell.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from typing import Final, TextIO, cast

from typing_extensions import Self

from treetask.cli._problem import CommandProblem, said_by
from treetask.cli._report_file import ReportFile
from treetask.cli._streams import say
from treetask.display import original, shown_instead
from treetask.engine import AsyncExecutor
from treetask.events import ByteStream, EventWriter, Line, Sink, encoded
from treetask.model import TaskNode, text_lines
from treetask.text import safe_text

#: Seconds that a run which is left at once waits for its last lines to be written.
_LEAVING_SECONDS: Final = 1.0


class Outlet:
    """Takes the lines of one run where they are to go. Raises `CommandProblem` for a file that cannot be written."""

    def __init__(
        self,
        file: str | None,
        report: ReportFile | None = None,
        *,
        takes_errors: bool,
        target: str | None = None,
        run: Callable[[], int | None] | None = None,
    ) -> None:
        self._name: Final = file
        self._file: Final = None if file is None else _opened(file)
        self._report: Final = report
        #: Whether standard error has the lines, and nothing else of ours.
        self.takes_errors: Final = takes_errors
        self._sinks: Final[list[Sink]] = []
        self.writer: Final = EventWriter(self._put, target=target, run=run)
        #: Where it is said that the file cannot be written: on the display, while there is one.
        self.say_above: Callable[[str], None] | None = None
        self._handler: logging.Handler | None = None
        self._is_open = True
        #: What bodies write to standard error is among the lines meanwhile.
        self._errors: Final = ExitStack()
        self._has_told = False

    def __enter__(self) -> Self:
        if self._file is not None:
            self._sinks.append(Sink(self._file, self._tell_of_file))
        stream = _bytes_of(sys.stderr) if self.takes_errors else None
        if stream is not None:
            self._sinks.append(Sink(stream, lambda _: None))
        if self.takes_errors:
            # Else what the engine warns of would stand between the lines.
            self._handler = _ToWriter(self.writer)
            logging.getLogger("treetask").addHandler(self._handler)
            self._errors.enter_context(shown_instead("stderr", self._put_out))
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def subscribe_to(self, executor: AsyncExecutor) -> None:
        """Write the events of an executor, which is to run."""
        executor.subscribe(self.writer)

    def put_line(self, line: Line) -> None:
        """Write a line as it is: of a run that is shown again."""
        self._put(encoded(line))

    def say(self, lines: Iterable[str]) -> None:
        """Say something of the run as a whole: in its lines, and on standard error unless those are there."""
        said = list(lines)
        self.writer.message(said)
        if not self.takes_errors:
            say(said)

    def flush(self) -> None:
        """Have written what there is, unless that takes long: for who leaves at once."""
        for sink in self._sinks:
            sink.flush(_LEAVING_SECONDS)

    def close(self) -> None:
        """Write the last line and close the file; what comes later is let go."""
        if not self._is_open:
            return
        self._is_open = False
        self._errors.close()
        if self._handler is not None:
            logging.getLogger("treetask").removeHandler(self._handler)
        self.writer.close()
        self._write_report()
        for sink in self._sinks:
            sink.close()
        self._sinks.clear()
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._tell_of_file(error)

    def _write_report(self) -> None:
        """Have the report written; that it is there goes without saying where standard error has lines of JSON."""
        if self._report is None:
            return
        try:
            told = self._report.write()
        except CommandProblem as problem:
            told = problem.lines()
            if self.takes_errors:
                self.writer.message(told)
        if not self.takes_errors:
            say(told)

    def _put_out(self, node: TaskNode | None, lines: bytes) -> None:
        # What a node puts out is told as an event of it.
        if node is None:
            self.writer.unattributed(text_lines(lines))

    def _put(self, data: bytes) -> None:
        if self._report is not None:
            self._report.put(data)
        for sink in self._sinks:
            sink.put(data)

    def _tell_of_file(self, error: Exception) -> None:
        if self._has_told:
            return
        self._has_told = True
        why = safe_text(said_by(error))
        sentence = f"treetask: {safe_text(self._name)}: events cannot be written there any more: {why}"
        if self.takes_errors:
            self.writer.message([sentence])
        elif self.say_above is not None:
            self.say_above(sentence)
        else:
            say([sentence])


class _ToWriter(logging.Handler):
    """Has what is logged written among the lines of a run."""

    def __init__(self, writer: EventWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        self._writer.message(self.format(record).splitlines())


def _opened(file: str) -> io.BufferedWriter:
    try:
        return open(file, "wb")  # noqa: PTH123 - closed by `Outlet.close`
    except (OSError, ValueError) as error:
        raise CommandProblem(f"--events: '{file}' cannot be written: {said_by(error)}") from error


def _bytes_of(stream: TextIO | None) -> ByteStream | None:
    """Return what takes bytes for a stream of text; None where there is none."""
    if stream is None:
        return None
    text = original(stream)
    with suppress(OSError, ValueError):
        text.flush()
    buffer: object = getattr(text, "buffer", None)
    return _AsText(text) if buffer is None else cast("ByteStream", buffer)


class _AsText:
    """Takes bytes for a stream that takes only text, as one that a program has put there may."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, data: bytes, /) -> None:
        self._stream.write(data.decode("utf-8"))

    def flush(self) -> None:
        self._stream.flush()
