"""Until when an attempt may last, and what is said if it lasts longer. Pure, like the scheduler."""

from __future__ import annotations

from typing import NamedTuple

from treetask.model import TaskNode, TreeTaskConfig


class Bound(NamedTuple):
    """A time of the run's clock, in seconds, and the error of an attempt that is not over then."""

    at: float
    error: str


def bound_of(node: TaskNode, config: TreeTaskConfig, at: float, *, stopped_at: float | None) -> Bound | None:
    """Return the earliest bound of an attempt that begins now, or None if there is none.

    `stopped_at` says since when all around the node is being stopped, where it runs only because it always does.
    """
    options = node.options
    bounds: list[Bound] = []
    seconds = config.default_task_timeout if options.timeout is None and node._body is not None else options.timeout
    if seconds is not None:
        bounds.append(Bound(at + seconds, f"'{node.id}' timed out after {seconds} s"))
    total = total_bound(node, at, attempts=node.retry_count + 1)
    if total is not None:
        bounds.append(total)
    if options.always and stopped_at is not None:
        bounds.append(grace_bound(node, config, at, stopped_at=stopped_at))
    return min(bounds, default=None)


def total_bound(node: TaskNode, at: float, *, attempts: int) -> Bound | None:
    """Return the bound of all attempts of a node, of which this many have begun; None if there is none."""
    retry = node.options.retry
    if retry is None or retry.timeout is None:
        return None
    counted = f"{attempts} attempt{'' if attempts == 1 else 's'}"
    return Bound(_begun(node, at) + retry.timeout, f"'{node.id}' timed out after {retry.timeout} s in {counted}")


def grace_bound(node: TaskNode, config: TreeTaskConfig, at: float, *, stopped_at: float) -> Bound:
    """Return the bound of a node that always runs, with all its attempts: from its start, or from the stop if later."""
    begun = max(_begun(node, at), stopped_at)
    return Bound(begun + config.grace, f"'{node.id}' took longer than the grace of {config.grace} s")


def _begun(node: TaskNode, at: float) -> float:
    """When the first attempt began; now, if that is the one that begins."""
    return at if node.started_at is None else node.started_at
