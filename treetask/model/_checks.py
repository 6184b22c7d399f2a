"""Refuses values that cannot be: says what they were given to, what was found and what was expected.

Whatever options, configs, limits and retries say is checked by these; which option takes what is said where it is
declared (`_options.py`, `_config.py`, `_limit.py`, `_retry.py`).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from typing import Any, Final, cast

from treetask._errors import did_you_mean
from treetask.model._body import TaskFunction
from treetask.model._status import TaskStatus

#: Whole numbers may be larger, but no clock can count so far.
LARGEST: Final = sys.float_info.max

#: Of a progress. The sum over any number of nodes is still a number, and no infinity, which has no digits to show.
_LARGEST_PROGRESS: Final = 1e300
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
            if 0 <= current <= _LARGEST_PROGRESS and 0 <= total <= _LARGEST_PROGRESS:
                return current, total
            most = " to 1e300" if _LARGEST_PROGRESS < max(pair) < float("inf") else ""
            raise ValueError(f"node '{node_id}': progress is {progress!r}; {_PROGRESS_EXPECTED}{most}")
    raise TypeError(f"node '{node_id}': progress is {progress!r}; {_PROGRESS_EXPECTED}")


def check_seconds(name: str, value: object, owner: str, *, optional: bool = True, none: str = "no limit") -> None:
    """Refuse what is no duration: a number from 0, finite, in seconds (or None where absence means `none`)."""
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{owner}: {name} is {value!r}; expected a number of seconds{' or None' if optional else ''}")
    if not 0 <= value <= LARGEST:
        hint = f"; None means {none}" if optional else ""
        raise ValueError(f"{owner}: {name} is {value!r}; expected a finite number of seconds from 0{hint}")


def check_count(
    name: str, value: object, least: int, owner: str, *, optional: bool = False, none: str = "no limit"
) -> None:
    """Refuse what is no whole number of at least `least` (or None where absence means `none`)."""
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{owner}: {name} is {value!r}; expected a whole number{' or None' if optional else ''}")
    if value < least:
        hint = f"; None means {none}" if optional else ""
        raise ValueError(f"{owner}: {name} is {value}; expected at least {least}{hint}")


def check_spawnable(node_id: str, task: object) -> None:
    """Raise `TypeError` for what a node cannot spawn; a coroutine is closed."""
    if inspect.iscoroutine(task):
        task.close()
        name = task.__name__
        raise TypeError(f"node '{node_id}': you spawned a call of '{name}'; write: node.spawn({name}, ...)")
    # What stands for the result of a task has every attribute, but not by its type.
    if not hasattr(type(task), "child"):
        raise TypeError(f"node '{node_id}': spawn({task!r}): expected a task and its arguments: spawn(task, ...)")
