"""Refuses what a node cannot be given: says the node's id, what was found and what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from treetask._errors import did_you_mean
from treetask.model._body import TaskFunction
from treetask.model._status import TaskStatus

_PROGRESS_EXPECTED: Final = "expected (current, total), two numbers from 0"


def checked_status(node_id: str, status: str) -> TaskStatus:
    """Return the status of that name."""
    try:
        return TaskStatus(status)
    except ValueError:
        known = did_you_mean(str(status), [known.value for known in TaskStatus])
        raise ValueError(f"node '{node_id}': status is {status!r}, which does not exist{known}") from None


def checked_body(node_id: str, body: TaskFunction) -> TaskFunction:
    """Return the body."""
    if not callable(body):
        raise TypeError(f"node '{node_id}': task_fn is {body!r}; expected a function that takes the node")
    return body


def checked_progress(node_id: str, progress: object) -> tuple[int, int]:
    """Return the progress as a tuple."""
    if isinstance(progress, (tuple, list)):
        pair = cast("Sequence[Any]", progress)
        if [isinstance(number, (int, float)) and not isinstance(number, bool) for number in pair] == [True, True]:
            current, total = pair
            if 0 <= current < float("inf") and 0 <= total < float("inf"):
                return current, total
            raise ValueError(f"node '{node_id}': progress is {progress!r}; {_PROGRESS_EXPECTED}")
    raise TypeError(f"node '{node_id}': progress is {progress!r}; {_PROGRESS_EXPECTED}")
