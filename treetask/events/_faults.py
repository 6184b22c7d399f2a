"""What went wrong with a node, as it is told in a line: of exceptions what they say and where they came from.

Knows nodes and their exceptions; not where lines go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from treetask._errors import words_of
from treetask.events._lines import Fault, Frame
from treetask.model import FAILURES, TaskFailed, TaskNode, TaskStatus, has_raised, leaf_exceptions
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


def is_from_below(node: TaskNode, status: TaskStatus, exception: BaseException | None) -> bool:
    """Whether a node that has failed, or is to be repeated, did so because a node below it has failed."""
    if isinstance(exception, TaskFailed):
        # By the time that this is asked, what was below an attempt that is repeated has begun anew or is gone.
        if status is TaskStatus.RETRYING:
            return True
        return not has_raised(node) and _is_below(exception.child.node, node)
    if exception is not None or status is TaskStatus.TIMED_OUT:
        return False
    return status is TaskStatus.RETRYING or any(child.status in FAILURES for child in node.children)


def _is_below(node: TaskNode, ancestor: TaskNode) -> bool:
    parent = node.parent
    while parent is not None and parent is not ancestor:
        parent = parent.parent
    return parent is ancestor


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
