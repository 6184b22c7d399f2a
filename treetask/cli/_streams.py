"""Standard output and error as a pipeline needs them: a reader that leaves early is no failure of a task.

Knows files and pipes; not what is written to them.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Final, NoReturn, TextIO, cast

from typing_extensions import Buffer

from treetask.cli._problem import CommandProblem

#: Where there is no terminal to ask.
USUAL_WIDTH: Final = 80
#: What a write says when nobody reads the pipe any more; Windows knows the second form as well.
_READER_IS_GONE: Final = frozenset({errno.EPIPE, errno.ESHUTDOWN, *([errno.EINVAL] if os.name == "nt" else [])})


#: What `--color` says of the messages of this command.
color_of_messages: Final[ContextVar[str]] = ContextVar("color_of_messages", default="auto")


def say(lines: Iterable[str]) -> None:
    """Write lines to standard error; where there is none, or nobody who reads it, there is nobody to tell."""
    stream, said = sys.stderr, list(lines)
    if stream is None or not said:
        return
    from treetask.display import message_lines

    text = "".join(f"{line}\n" for line in message_lines(said, stream, color=color_of_messages.get()))
    with suppress(OSError):
        stream.write(text)
        stream.flush()


def put_out(lines: Iterable[str]) -> None:
    """Write lines to standard output, in signs that it can encode."""
    stream = sys.stdout
    if stream is None:
        return
    encoding = stream.encoding or "utf-8"
    try:
        for line in lines:
            stream.write(_encodable(line, encoding) + "\n")
        stream.flush()
    except OSError as error:
        _refuse_output(error)


def put_out_bytes(data: bytes) -> None:
    """Write bytes to standard output, whatever its encoding is; where it takes none, the text that they are."""
    stream = sys.stdout
    if stream is None:
        return
    try:
        buffer = getattr(stream, "buffer", None)
        if buffer is None:
            stream.write(data.decode("utf-8"))
        else:
            stream.flush()
            buffer.write(data)
        stream.flush()
    except OSError as error:
        _refuse_output(error)


def _refuse_output(error: OSError) -> NoReturn:
    with suppress(OSError, ValueError):
        _lead_nowhere(sys.stdout.fileno())
    raise CommandProblem(f"standard output cannot be written: {error.strerror}") from error


def _encodable(line: str, encoding: str) -> str:
    try:
        line.encode(encoding)
    except UnicodeError:
        from treetask.display import encodable

        return encodable(line, encoding)
    return line


def width_of_output() -> int | None:
    """Return the columns of the terminal on standard output; None where it is no terminal, and nothing is cut."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (AttributeError, OSError, ValueError):
        return None


def width_of_errors() -> int:
    """Return the columns of the terminal on standard error, or the usual number of them."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or USUAL_WIDTH
    except (AttributeError, OSError, ValueError):
        return USUAL_WIDTH


def flush_results() -> bool:
    """Bring what was printed to its file and return whether that worked; if not, say why."""
    stream = sys.stdout
    if stream is None:
        return True
    try:
        stream.flush()
    except (OSError, ValueError) as error:
        say([f"treetask: standard output cannot be written: {getattr(error, 'strerror', None) or error}"])
        # Python will try again when it ends, and would complain once more.
        with suppress(OSError, ValueError):
            _lead_nowhere(stream.fileno())
        return False
    return True


@contextmanager
def unbreakable_pipes() -> Generator[None]:
    """While inside, what is written to a pipe without a reader goes nowhere, as if it had been read.

    So `| head` ends neither the task that prints nor the run: the work is finished, quietly. Only pipes are looked
    after; files and terminals are left as they are, and what goes through a pipe is the same byte for byte.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_guarded(stream) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _guarded(stream: TextIO) -> TextIO:
    checked: object = stream
    if not isinstance(checked, io.TextIOWrapper) or not _is_pipe(stream):
        return stream
    wrapper = cast("io.TextIOWrapper[io.BufferedWriter]", stream)
    wrapper.flush()
    raw = _Pipe(wrapper.fileno())
    # Under `python -u` there is no buffer between.
    is_buffered = isinstance(wrapper.buffer, io.BufferedWriter)
    return io.TextIOWrapper(
        io.BufferedWriter(raw) if is_buffered else cast("io.BufferedWriter", raw),
        encoding=wrapper.encoding,
        errors=wrapper.errors,
        line_buffering=wrapper.line_buffering,
        write_through=wrapper.write_through,
    )


def _is_pipe(stream: TextIO) -> bool:
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


class _Pipe(io.RawIOBase):
    """The writing end of a pipe. Once the reader is gone the descriptor leads nowhere, for child processes as well."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int | None:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno not in _READER_IS_GONE:
                raise
        _lead_nowhere(self._descriptor)
        return memoryview(data).nbytes


def _lead_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
