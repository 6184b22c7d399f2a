"""What went wrong with a node, as it is told in a line: of exceptions what they say and where they came from.

Knows exceptions; neither nodes nor where lines go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from treetask._errors import words_of
from treetask.events._lines import Fault, Frame
from treetask.model import leaf_exceptions
from treetask.text import user_frames

#: Characters of one message; a server's error page can have millions.
MESSAGE_KEPT: Final = 16 * 1024
#: Frames of one exception, of endless recursion the last ones; causes of one exception.
FRAMES_KEPT: Final = 50
CAUSES_KEPT: Final = 10
#: Exceptions of one group.
FAULTS_KEPT: Final = 100


def faults_of(exception: BaseException | None, error: str | None) -> tuple[Fault, ...]:
    """Return what a node's exception comes down to, or an error that was set without one."""
    if exception is None:
        return () if error is None else (Fault(kind="", message=_cut(error)),)
    leaves = list(leaf_exceptions(exception))
    faults = [_fault(leaf) for leaf in leaves[:FAULTS_KEPT]]
    if len(leaves) > FAULTS_KEPT:
        faults.append(Fault(kind="", message=f"{len(leaves) - FAULTS_KEPT:,} more exceptions"))
    return tuple(faults)


def _fault(exception: BaseException) -> Fault:
    return Fault(
        kind=type(exception).__qualname__,
        message=_message(exception),
        frames=_frames(exception, FRAMES_KEPT),
        causes=tuple(
            Fault(kind=type(cause).__qualname__, message=_message(cause), frames=_frames(cause, 1))
            for cause in _causes(exception)
        ),
    )


def _message(exception: BaseException) -> str:
    said = words_of(exception)
    # Of one that says nothing those are the words, and its kind is told anyway.
    return "" if said == type(exception).__name__ else _cut(said)


def _frames(exception: BaseException, kept: int) -> tuple[Frame, ...]:
    return tuple(
        Frame(file=frame.file, line=frame.line, function=frame.function, source=frame.source)
        for frame in user_frames(exception)[-kept:]
    )


def _causes(exception: BaseException) -> Iterator[BaseException]:
    seen = {id(exception)}
    cause = exception.__cause__
    while cause is not None and id(cause) not in seen and len(seen) <= CAUSES_KEPT:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__


def _cut(text: str) -> str:
    more = len(text) - MESSAGE_KEPT
    return text if more <= 0 else f"{text[:MESSAGE_KEPT]}… {more:,} more characters"
