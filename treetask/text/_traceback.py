"""Where in the user's own code an exception came from, without the frames of the engine and of libraries.

Knows exceptions and source files; nothing of trees.
"""

from __future__ import annotations

import functools
import linecache
import os
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Final, cast

from treetask._errors import short_path
from treetask.text._safe_text import safe_text

#: More frames than this hide the one that matters, which is nearly always the last.
FRAMES_SHOWN: Final = 6
#: Lines of one message; a server's error page can have thousands.
MESSAGE_LINES_SHOWN: Final = 8
#: Characters of one of its lines; an answer of a server may be one of a megabyte.
MESSAGE_LINE_SHOWN: Final = 2_000
#: Where exceptions are from that only stand for others.
_RETOLD: Final = "treetask.text._retold"
#: Nobody wrote these frames and nobody can change anything there, so they are left out even if nothing else is left.
_MACHINERY: Final = frozenset({"treetask", "anyio", "asyncio", "trio", "outcome", "importlib"})


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """One place that an exception passed: file, line, function and the text of the line."""

    file: str
    line: int
    function: str
    source: str

    def lines(self) -> list[str]:
        """Return the frame as a person reads it: the place, and the source below it where it is known."""
        where = f"{short_path(self.file)}:{self.line}"
        if self.function != "<module>":
            where += f" in {self.function}"
        return [safe_text(where), f"  {safe_text(self.source)}"] if self.source else [safe_text(where)]


def user_frames(exception: BaseException) -> list[SourceFrame]:
    """Return the frames of the user's own code, outermost first.

    Where there are none, because a library's function was the body itself, the last two of the library are returned.
    An exception that is retold has its frames with it, in `frames`.
    """
    kept = _kept_frames(exception)
    if kept is not None:
        return kept
    return [
        SourceFrame(
            frame.f_code.co_filename,
            line,
            frame.f_code.co_name,
            linecache.getline(frame.f_code.co_filename, line, frame.f_globals).strip(),
        )
        for frame, line in _frames_to_show(exception)
    ]


def user_places(exception: BaseException) -> tuple[tuple[str, int], ...]:
    """Return file and line of each of these frames, without a look at any source."""
    kept = _kept_frames(exception)
    if kept is not None:
        return tuple((frame.file, frame.line) for frame in kept)
    return tuple((frame.f_code.co_filename, line) for frame, line in _frames_to_show(exception))


def _kept_frames(exception: BaseException) -> list[SourceFrame] | None:
    """Return the frames that an exception has brought with it, which only stands for another one."""
    kept: object = getattr(exception, "frames", None) if type(exception).__module__ == _RETOLD else None
    return cast("list[SourceFrame]", kept) if isinstance(kept, list) else None


def _frames_to_show(exception: BaseException) -> list[tuple[FrameType, int]]:
    passed = [each for each in walk_tb(exception.__traceback__) if not _is_machinery(each[0].f_code.co_filename)]
    own = [each for each in passed if not _is_library(each[0].f_code.co_filename)]
    return own or passed[-2:]


def frame_lines(exception: BaseException) -> list[str]:
    """Return the user's own frames as lines, the last ones where there are many."""
    frames = user_frames(exception)
    hidden = len(frames) - FRAMES_SHOWN
    lines = [f"… {hidden} more frames above"] if hidden > 0 else []
    for frame in frames[-FRAMES_SHOWN:]:
        lines += frame.lines()
    return lines


def exception_lines(exception: BaseException) -> list[str]:
    """Return type and message, then what caused it; a message of many lines is cut."""
    said = _message(exception).splitlines()
    first = f"{type(exception).__qualname__}: {said[0]}" if said else type(exception).__qualname__
    lines = [first, *said[1:MESSAGE_LINES_SHOWN]]
    if len(said) > MESSAGE_LINES_SHOWN:
        lines.append(f"… {len(said) - MESSAGE_LINES_SHOWN} more lines")
    return [*(safe_text(line, limit=MESSAGE_LINE_SHOWN) for line in lines), *_cause_lines(exception)]


def one_line(exception: BaseException) -> str:
    """Return type and the first line of the message."""
    said = _message(exception).partition("\n")[0].strip()
    line = f"{type(exception).__qualname__}: {said}" if said else type(exception).__qualname__
    return safe_text(line, limit=MESSAGE_LINE_SHOWN)


def is_raised_by_us(exception: BaseException) -> bool:
    """Whether TreeTask itself raised an exception, not code that it called."""
    frames = list(walk_tb(exception.__traceback__))
    return bool(frames) and _is_below(frames[-1][0].f_code.co_filename, _engine_folder())


def _cause_lines(exception: BaseException) -> Iterator[str]:
    seen = {id(exception)}
    cause = exception.__cause__
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        frames = user_frames(cause)
        where = f" ({safe_text(f'{short_path(frames[-1].file)}:{frames[-1].line}')})" if frames else ""
        yield f"caused by {one_line(cause)}{where}"
        cause = cause.__cause__


def _message(exception: BaseException) -> str:
    try:
        return str(exception).strip()
    except BaseException as broken:  # noqa: BLE001 - the user's own __str__, which is to end nothing
        return f"(its message cannot be shown: __str__ raised {type(broken).__qualname__})"


@functools.lru_cache(maxsize=1024)
def _is_machinery(file: str) -> bool:
    if file.startswith("<frozen importlib"):
        return True
    return _is_below(file, _engine_folder()) or _package_of(file) in _MACHINERY


@functools.lru_cache(maxsize=1024)
def _is_library(file: str) -> bool:
    return file.startswith("<frozen") or _package_of(file) is not None


def _package_of(file: str) -> str | None:
    """Return the top package of a library's file; None for the user's own."""
    parts = Path(file).parts
    for installed in ("site-packages", "dist-packages"):
        if installed in parts[:-1]:
            return parts[parts.index(installed) + 1].removesuffix(".py")
    for folder in _standard_library():
        if _is_below(file, folder):
            return Path(file[len(folder) + 1 :]).parts[0].removesuffix(".py")
    return None


def _is_below(file: str, folder: str) -> bool:
    return os.path.normcase(file).startswith(os.path.normcase(folder) + os.sep)


def _engine_folder() -> str:
    return str(Path(__file__).parent.parent)


@functools.cache
def _standard_library() -> tuple[str, ...]:
    """Where this interpreter keeps its own library, as it is named and as it really is."""
    folders = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib")]
    return tuple({path for folder in folders if folder for path in (folder, os.path.realpath(folder))})
