"""What went wrong in a run, as lines of text: the end of a command that did not go well.

Knows a tree that has ended and the exceptions in it; not where the lines go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from treetask.display._failures import Failure, distinct_failures, failed_nodes
from treetask.display._theme import Role, Theme, theme_for
from treetask.display._words import last_log_lines
from treetask.model import TaskNode, TaskStatus, TaskTree, TreeTaskConfig
from treetask.text import duration, safe_text

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


def failure_summary(
    tree: TaskTree, *, width: int = 80, theme: Theme | None = None, whole_logs: Mapping[TaskNode, str] | None = None
) -> list[str]:
    """Return what failed and why, and what never ran because of it; nothing where all went well.

    Each distinct failure is told once, with the path of its node, attempts, time, the user's own frames, the exception
    and the last lines of the log; equal ones are counted. A failure that a body handled is none. `whole_logs` says, by
    node, where more of a log is found.
    """
    if theme is None:
        theme = theme_for(TreeTaskConfig())
    nodes = failed_nodes(tree)
    failures = distinct_failures(nodes)
    lines: list[str] = []
    if failures:
        known = max(tree.get_leaf_stats()["total"], len(nodes))
        lines.append(theme.paint(Role.FAILED, f"── failed ({len(nodes):,} of {known:,}) ".ljust(width, "─")))
        for failure in failures[:FAILURES_SHOWN]:
            lines += _told(failure, theme, (whole_logs or {}).get(failure.node))
        lines += _left_out(failures[FAILURES_SHOWN:])
    consequences = [*_by_reason(tree, TaskStatus.SKIPPED), *_by_reason(tree, TaskStatus.CANCELLED)]
    if lines and consequences:
        lines.append("")
    lines += (theme.paint(Role.SKIPPED, line) for line in consequences)
    return [theme.fit(line) for line in lines]


def node_path(node: TaskNode) -> str:
    """Return the names from the root down to a node; the middle of a very deep path is counted."""
    names = [safe_text(each.name) for each in (*reversed(node.get_ancestors()), node)]
    if len(names) > LEVELS_SHOWN:
        hidden = len(names) - LEVELS_SHOWN
        names[1 : hidden + 1] = [f"… {hidden:,} levels"]
    return " › ".join(names)


def _told(failure: Failure, theme: Theme, whole_log: str | None) -> Iterator[str]:
    node = failure.node
    attempts = f"{node.retry_count + 1} attempts, " if node.retry_count else ""
    elapsed = "" if node.elapsed is None else duration(node.elapsed)
    times = f"{attempts}{elapsed}".rstrip(" ,")
    yield f"{theme.paint(Role.HEADING, node_path(node))}  {theme.paint(Role.FAINT, times)}".rstrip()
    yield from (theme.paint(Role.FAINT, f"  {line}") for line in failure.frames())
    yield from (theme.paint(Role.FAILED, f"  {line}") for line in failure.words())
    if failure.tells_log:
        for line in last_log_lines(node, LOG_LINES_SHOWN):
            yield theme.paint(Role.FAINT, f"  │ {line}")
        if whole_log is not None:
            yield f"  {whole_log}"
    if failure.again:
        count = f" ×{len(failure.again):,}" if len(failure.again) > 1 else ""
        yield f"the same {safe_text(failure.kind)}{count}: {_names(failure.again)}"


def _left_out(failures: list[Failure]) -> Iterator[str]:
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
