"""Until when an attempt may last, and what is said if it lasts longer. Pure, like the scheduler."""

from __future__ import annotations

from typing import NamedTuple

from treetask.model import TaskNode, TreeTaskConfig


class Bound(NamedTuple):
    """A time of the run's clock, in seconds, and the error of an attempt that is not over then."""

    at: float
    error: str


def bound_of(node: TaskNode, config: TreeTaskConfig, at: float, *, is_stopped: bool) -> Bound | None:
    """Return the earliest bound of an attempt that begins now, or None if there is none.

    With `is_stopped`, the node runs because it always does, while all around it is being stopped.
    """
    options = node.options
    bounds: list[Bound] = []
    seconds = config.default_task_timeout if options.timeout is None and node._body is not None else options.timeout
    if seconds is not None:
        bounds.append(Bound(at + seconds, f"'{node.id}' timed out after {seconds} s"))
    if options.retry is not None and options.retry.timeout is not None:
        begun = at if node.started_at is None else node.started_at
        total = options.retry.timeout
        attempts = f"{node.retry_count + 1} attempt{'s' if node.retry_count else ''}"
        bounds.append(Bound(begun + total, f"'{node.id}' timed out after {total} s in {attempts}"))
    if options.always and is_stopped:
        bounds.append(bound_after_stop(node, config, at))
    return min(bounds, default=None)


def bound_after_stop(node: TaskNode, config: TreeTaskConfig, at: float) -> Bound:
    """Return the bound of a node that always runs, from the moment on when all around it is being stopped."""
    return Bound(at + config.grace, f"'{node.id}' took longer than the grace of {config.grace} s")
