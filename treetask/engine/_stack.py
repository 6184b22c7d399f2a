"""What an event loop's thread does at this moment, seen from another thread: users' code or not, and where.

Only where frames are is read, never their locals: a free-threaded Python may crash over those of a thread that runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final, cast

from treetask._errors import short_path
from treetask.engine._failures import is_of_the_engine
from treetask.engine._observers import Announcer
from treetask.engine._step import STEPS

#: Where the engine calls observers and callbacks.
_OBSERVERS: Final = Announcer._call.__code__
#: Where the engine calls what users have written.
_ENTRIES: Final = frozenset({_OBSERVERS, *(step.__code__ for step in STEPS)})
#: Modules of debuggers whose frames are on top of the code that they have stopped.
_DEBUGGERS: Final = frozenset({"bdb", "pydevd", "_pydevd_bundle"})
#: Of a deeper stack the outermost places are shown, where the body is, and the innermost ones, which block.
_PLACES_SHOWN: Final = 6

#: A Python that cannot tell (none that is known) is seen as one whose threads rest.
_current_frames: Final = cast("Callable[[], dict[int, FrameType]]", getattr(sys, "_current_frames", dict))
_STANDARD_LIBRARY: Final = os.path.join(os.path.dirname(os.__file__), "")  # noqa: PTH118, PTH120 - pathlib takes long to load


class _Place:
    """Where a frame was when it was looked at. It may have gone on since."""

    __slots__ = ("_names", "file", "function", "line")

    def __init__(self, frame: FrameType) -> None:
        self.file: Final = frame.f_code.co_filename
        # There are instructions that belong to no line.
        self.line: Final[int] = frame.f_lineno or frame.f_code.co_firstlineno
        self.function: Final = frame.f_code.co_name
        self._names: Final = frame.f_globals

    def lines(self) -> list[str]:
        import linecache

        where = f"  {short_path(self.file)}:{self.line} in {self.function}"
        source = linecache.getline(self.file, self.line, self._names).strip()
        return [where, f"    {source}"] if source else [where]


class Stack:
    """The stack of one thread at one moment, as far as it is of interest to whoever wrote the bodies."""

    def __init__(self, innermost: FrameType) -> None:
        frames = list(_outwards(innermost))
        entry = next((number for number, frame in enumerate(frames) if frame.f_code in _ENTRIES), None)
        #: Whether an observer or a callback was called, in whatever task.
        self.is_observers: Final = entry is not None and frames[entry].f_code == _OBSERVERS
        if entry is None:
            ours = (number for number, frame in enumerate(frames) if is_of_the_engine(frame.f_code.co_filename))
            entry = max(ours, default=0)
        called = [frame for frame in frames[:entry] if not is_of_the_engine(frame.f_code.co_filename)]
        #: Whether somebody looks at it in a debugger.
        self.is_at_breakpoint: Final = any(map(_is_debugger, called))
        own = [frame for frame in called if not _is_library(frame.f_code.co_filename)] or called
        #: The users' own places, the outermost first; where there are none, those of libraries.
        self.places: Final = [_Place(frame) for frame in reversed(own)]

    def lines(self) -> list[str]:
        """Return the places as a person reads them, and the source below each where it is known."""
        hidden = len(self.places) - _PLACES_SHOWN
        if hidden <= 0:
            return [line for place in self.places for line in place.lines()]
        half = _PLACES_SHOWN // 2
        above = [line for place in self.places[:half] for line in place.lines()]
        below = [line for place in self.places[-half:] for line in place.lines()]
        return [*above, f"  … {hidden} more frames", *below]


def innermost_frame(thread: int) -> FrameType | None:
    """Return where a thread is; None for one that has ended."""
    return _current_frames().get(thread)


def runs_user_code(innermost: FrameType) -> bool:
    """Whether a thread runs code of the user's: neither the engine nor the loop, which may just wait for events."""
    for frame in _outwards(innermost):
        file = frame.f_code.co_filename
        if is_of_the_engine(file):
            return False
        # What the standard library does is its caller's: a selector may wait for the loop, or for a body's subprocess.
        if not _is_standard(file):
            return True
    return False


def _outwards(innermost: FrameType) -> Iterator[FrameType]:
    frame: FrameType | None = innermost
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_standard(file: str) -> bool:
    return file.startswith(("<frozen ", _STANDARD_LIBRARY)) and not _is_installed(file)


def _is_installed(file: str) -> bool:
    return f"{os.sep}site-packages{os.sep}" in file or f"{os.sep}dist-packages{os.sep}" in file


def _is_library(file: str) -> bool:
    return _is_standard(file) or _is_installed(file)


def _is_debugger(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).split(".")[0] in _DEBUGGERS
