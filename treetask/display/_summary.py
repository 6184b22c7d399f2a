"""What went wrong in a run, as lines of text: the end of a command that did not go well.

Knows a tree that has ended and the exceptions in it; not where the lines go.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from treetask.display._words import last_log_lines
from treetask.model import FAILURES, TaskFailed, TaskNode, TaskStatus, TaskTree, has_raised, leaf_exceptions, unhandled
from treetask.text import duration, exception_lines, frame_lines, safe_text, user_frames

if sys.version_info < (3, 11):
    pass

#: Whoever has more distinct failures than this reads the first ones and mends those.
FAILURES_SHOWN: Final = 10
#: Names in one list; what is beyond is counted.
NAMES_SHOWN: Final = 6
#: Distinct reasons of what was skipped or cancelled.
REASONS_SHOWN: Final = 5
#: Lines of a log: the last ones, which say why most of the time.
LOG_LINES_SHOWN: Final = 10
#: Levels of a path; the ends of a deeper one tell more than its middle.
LEVELS_SHOWN: Final = 6


@dataclass(slots=True)
class _Failure:
    """One distinct failure: the node that met it first, what was raised, and the nodes that met it again."""

    node: TaskNode
    exception: BaseException | None
    #: A node with several failures has one log.
    tells_log: bool
    again: list[TaskNode] = field(default_factory=list[TaskNode])


def failure_summary(tree: TaskTree, *, width: int = 80) -> list[str]:
    """Return what failed and why, and what never ran because of it; nothing where all went well.

    Each distinct failure is told once, with the path of its node, attempts, time, the user's own frames, the exception
    and the last lines of the log; equal ones are counted. A failure that a body handled is none.
    """
    nodes = [node for node in unhandled(tree.get_failed_nodes()) if _is_own(node)]
    failures = _distinct(nodes)
    lines: list[str] = []
    if failures:
        known = tree.get_stats()["total"]
        lines.append(f"── failed ({len(nodes):,} of {known:,}) ".ljust(width, "─"))
        for failure in failures[:FAILURES_SHOWN]:
            lines += _told(failure)
        lines += _left_out(failures[FAILURES_SHOWN:])
    consequences = [*_by_reason(tree, TaskStatus.SKIPPED), *_by_reason(tree, TaskStatus.CANCELLED)]
    if lines and consequences:
        lines.append("")
    lines += consequences
    return lines


def node_path(node: TaskNode) -> str:
    """Return the names from the root down to a node; the middle of a very deep path is counted."""
    names = [safe_text(each.name) for each in (*reversed(node.get_ancestors()), node)]
    if len(names) > LEVELS_SHOWN:
        hidden = len(names) - LEVELS_SHOWN
        names[1 : hidden + 1] = [f"… {hidden:,} levels"]
    return " › ".join(names)


def _is_own(node: TaskNode) -> bool:
    """Whether a node failed by itself, not because a child did."""
    if isinstance(node.exception, TaskFailed):
        return has_raised(node) or not _is_below(node.exception.child.node, node)
    if node.exception is not None:
        return True
    if node.status is TaskStatus.TIMED_OUT:
        # A root without an exception: the run took too long, and its caller says so.
        return node.parent is not None
    return not any(child.status in FAILURES for child in node.children)


def _is_below(node: TaskNode, ancestor: TaskNode) -> bool:
    parent = node.parent
    while parent is not None and parent is not ancestor:
        parent = parent.parent
    return parent is ancestor


def _distinct(nodes: Iterable[TaskNode]) -> list[_Failure]:
    found: dict[object, _Failure] = {}
    for node in nodes:
        leaves = [None] if node.exception is None else leaf_exceptions(node.exception)
        for number, leaf in enumerate(leaves):
            failure = found.setdefault(_sameness(node, leaf), _Failure(node, leaf, tells_log=number == 0))
            if failure.node is not node:
                failure.again.append(node)
    return list(found.values())


def _sameness(node: TaskNode, exception: BaseException | None) -> object:
    if exception is None:
        return (node.status, node.error)
    return (
        type(exception),
        tuple(exception_lines(exception)),
        tuple((frame.file, frame.line) for frame in user_frames(exception)),
    )


def _told(failure: _Failure) -> Iterator[str]:
    node = failure.node
    attempts = f"{node.retry_count + 1} attempts, " if node.retry_count else ""
    elapsed = "" if node.elapsed is None else duration(node.elapsed)
    yield f"{node_path(node)}  {attempts}{elapsed}".rstrip(" ,")
    if failure.exception is None:
        kind = str(node.status).replace("_", " ")
        for line in (node.error or kind).splitlines():
            yield f"  {safe_text(line)}"
    else:
        for line in (*frame_lines(failure.exception), *exception_lines(failure.exception)):
            yield f"  {line}"
        kind = type(failure.exception).__qualname__
    if failure.tells_log:
        for line in last_log_lines(node, LOG_LINES_SHOWN):
            yield f"  │ {line}"
    if failure.again:
        times = f" ×{len(failure.again):,}" if len(failure.again) > 1 else ""
        yield f"the same {safe_text(kind)}{times}: {_names(failure.again)}"


def _left_out(failures: list[_Failure]) -> Iterator[str]:
    if failures:
        nodes = [node for failure in failures for node in (failure.node, *failure.again)]
        yield f"… {len(nodes):,} more failures: {_names(nodes)}"


def _by_reason(tree: TaskTree, status: TaskStatus) -> Iterator[str]:
    """Yield a line for each reason why nodes did not run, or did not end."""
    if not tree.get_stats()[status]:
        return
    reasons: dict[str | None, list[TaskNode]] = {}
    for node in tree.walk():
        # The nodes below one that was skipped or cancelled say nothing new; of the root its own row says all.
        if node.status is status and node.parent is not None and node.parent.status is not status:
            reasons.setdefault(node.reason, []).append(node)
    for reason, nodes in list(reasons.items())[:REASONS_SHOWN]:
        because = f" because {safe_text(reason)}" if reason else ""
        yield f"{len(nodes):,} {status}{because}: {_names(nodes)}"
    if len(reasons) > REASONS_SHOWN:
        rest = sum(len(nodes) for nodes in list(reasons.values())[REASONS_SHOWN:])
        yield f"… {rest:,} more {status} for {len(reasons) - REASONS_SHOWN} other reasons"


def _names(nodes: list[TaskNode]) -> str:
    shown = ", ".join(safe_text(node.name) for node in nodes[:NAMES_SHOWN])
    return shown if len(nodes) <= NAMES_SHOWN else f"{shown}, … {len(nodes) - NAMES_SHOWN:,} more"
