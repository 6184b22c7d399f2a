"""What went wrong, as the caller should see it: without the engine's own frames, flat, each leaf naming its node."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Final, cast

from treetask._errors import TreeTaskError
from treetask.model import ExecutionResult, TaskNode, TaskTree, TreeFailed, has_raised, leaf_exceptions, unhandled

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

#: Frames of these are nothing that a user could change: the engine's own, and what it calls bodies through.
_MACHINERY: Final = ("treetask", "anyio", "asyncio", "trio", "concurrent")


def real_error(raised: BaseException, cancelled: type[BaseException]) -> BaseException | None:
    """Return what a body raised apart from cancellations, or None if that is all there was."""
    if isinstance(raised, cancelled):
        return None
    if isinstance(raised, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", raised)
        try:
            return BaseExceptionGroup.split(group, cancelled)[1]
        except Exception:  # its own `derive`, which may do anything
            return None if all(isinstance(one, cancelled) for one in leaf_exceptions(group)) else group
    return raised


def without_engine_frames(error: BaseException) -> BaseException:
    """Return the error with a traceback that begins in the user's code."""
    trace = error.__traceback__
    while trace is not None and is_of_the_engine(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    if trace is not None:
        BaseException.with_traceback(error, trace)  # whatever the error itself has under that name
    return error


@functools.lru_cache(maxsize=1024)
def is_of_the_engine(file: str) -> bool:
    """Whether a file of code that runs is the engine's own, or of the event loops and thread pools that it uses."""
    homes = (home for name in _MACHINERY for home in getattr(sys.modules.get(name), "__path__", ()))
    return any(file.startswith(f"{home}{os.sep}") for home in homes)


def tree_failed(tree: TaskTree, others: Sequence[Exception] = ()) -> TreeFailed:
    """Return the error of a run that failed: a flat group of what bodies raised and nobody handled, and `others`."""
    leaves = [leaf for node in unhandled(tree.failed) if has_raised(node) for leaf in _leaves(node)] + [*others]
    unique = list({id(leaf): leaf for leaf in leaves}.values())
    if not unique:
        unique = [
            TreeTaskError(f"'{tree.root.id}' failed: {tree.root.reason or tree.root.error or 'no error was kept'}")
        ]
    count = len(unique)
    return TreeFailed(
        f"'{tree.root.id}' failed, {count} error{'s' if count > 1 else ''}", unique, ExecutionResult(tree)
    )


def _leaves(node: TaskNode) -> Iterator[Exception]:
    assert node.exception is not None
    for one in leaf_exceptions(node.exception):
        if isinstance(one, Exception):
            add_note(one, f"in task '{node.id}'")
            yield one


def add_note(error: Exception, note: str) -> None:
    """Add a note as PEP 678 has it, on Python 3.10 too, unless the error has something else under that name."""
    notes: object = vars(error).get("__notes__", [])
    if isinstance(notes, list):
        others = cast("list[object]", notes)
        if not any(type(one) is str and one == note for one in others):
            vars(error)["__notes__"] = [*others, note]
