"""Whether an attempt that does not end well is repeated, and when. Pure."""

from __future__ import annotations

import sys
from collections.abc import Callable

from treetask._errors import words_of
from treetask.engine._bounds import total_bound
from treetask.engine._group import Group
from treetask.model import TaskNode, TreeTaskConfig

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup


def wait_before_next(
    node: TaskNode, config: TreeTaskConfig, at: float, chance: Callable[[], float], *, by_body: bool
) -> float | None:
    """Return the seconds before the next attempt of a node that has just failed, or None if there is none.

    `by_body` says that the body failed, and no child. What `Retry.on` raises takes the place of what failed.
    """
    retry = node.options.retry
    if retry is None:
        return 0.0 if node.retry_count < _retries(node, config, by_body=by_body) else None
    error = _what_failed(node)
    if error is None:
        return None
    try:
        wait = retry.wait(error, node.retry_count + 1, chance())
    except BaseException as broken:  # a user's function, whatever it raises
        node.exception, node.error = broken, words_of(broken)
        return None
    total = total_bound(node, at, attempts=node.retry_count + 1)
    return None if wait is None or (total is not None and at + wait >= total.at) else wait


def may_be_repeated(node: TaskNode, config: TreeTaskConfig) -> bool:
    """Return whether there may be another attempt of a node, whatever fails."""
    group: Group | None = node._group
    if node._status.is_terminal or (group is not None and group.is_final):
        return False
    retry = node.options.retry
    if retry is not None:
        return retry.attempts is None or node.retry_count + 1 < retry.attempts
    has_returned = group is not None and group.body_ended and group.verdict is None
    is_timed = node.options.is_timed or config.default_task_timeout is not None
    return node.retry_count < _retries(node, config, by_body=is_timed or not has_returned)


def _retries(node: TaskNode, config: TreeTaskConfig, *, by_body: bool) -> int:
    """Return how often a node without `Retry` is repeated at most."""
    if node.options.max_retries is not None:
        return node.options.max_retries
    # The config's default is for what a body raises; repeating a whole group has to be asked for.
    return config.max_retries if by_body and node.task_fn is not None else 0


def _what_failed(node: TaskNode) -> Exception | None:
    """Return what a body raised: that of the node, or of the children that failed it, together if they are several."""
    errors: list[Exception] = []
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one.exception, Exception):
            errors.append(one.exception)
            continue
        group: Group | None = one._group
        failed = [] if group is None or one.exception is not None else group.unclaimed_failures()
        if not failed:
            return None
        waiting.extend(failed)
    return errors[0] if len(errors) == 1 else ExceptionGroup("several children failed", errors)
