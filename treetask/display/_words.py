"""Numbers, times and troubles as people say them. Knows nodes and their counters; nothing of screens."""

from __future__ import annotations

from typing import Final

from treetask.display._safe_text import safe_text, without_colours
from treetask.model import TaskNode, TaskTree, TreeTaskConfig

#: More of an error or a reason than this fits no line, and an error may be a page long.
NOTE_SHOWN: Final = 200
#: Of a line of a log; a program may write a whole document as one.
LOG_LINE_SHOWN: Final = 500


def duration(seconds: float) -> str:
    """Return a time as people say it: `0.4s`, `12.4s`, `1m 12s`, `3h 05m`, `2d 03h`."""
    if seconds < 59.95:  # noqa: PLR2004 - what would be rounded to 60.0 is a minute
        return f"{max(0.0, seconds):.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days:,}d {hours:02}h"
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s"


def estimate(seconds: float) -> str:
    """Return a time that nobody knows exactly, as it is meant: `3s`, `40s`, `5m`, `3h 10m`, `2d 03h`."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        # Up to ten seconds each one counts, above that one in five.
        whole = max(1, round(seconds))
        return f"{whole}s" if whole <= 10 else f"{min(round(whole / 5) * 5, 55)}s"  # noqa: PLR2004
    minutes = round(seconds / 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes}m"
    return duration(round(minutes / 5) * 300)


def number(value: float) -> str:
    """Return a count with separators; one decimal where it is no whole number (progress may be given so)."""
    return f"{int(value):,}" if value == int(value) else f"{value:,.1f}"


def percent(current: float, total: float, *, ended: bool) -> int:
    """Return whole percents, rounded down; 100 if, and only if, everything has ended."""
    if ended:
        return 100
    return 0 if total <= 0 else max(0, min(99, int(current / total * 100)))


def has_ended(tree: TaskTree) -> bool:
    """Whether nothing in a tree is still to be done."""
    if tree.root.status.is_terminal:
        return True
    stats = tree.get_work_node_stats()
    return stats["total"] > 0 and stats["pending"] + stats["working"] + stats["retrying"] == 0


def progress_text(tree: TaskTree) -> str:
    """Return `Progress: 1/4 (25%)`."""
    stats = tree.get_progress_stats()
    current, total = stats["current"], stats["total"]
    share = percent(current, total, ended=has_ended(tree))
    return f"Progress: {_bare(current)}/{_bare(total)} ({share}%)"


def _bare(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.1f}"


def trouble(node: TaskNode) -> str:
    """Return the first line of what went wrong with a node; empty if nothing is known."""
    lines = (node.error or "").strip().splitlines()
    said = lines[0] if lines else ""
    if node.exception is not None:
        kind = type(node.exception).__name__
        if not said:
            said = kind
        elif not said.startswith(kind):
            said = f"{kind}: {said}"
    return safe_text(said, limit=NOTE_SHOWN)


def retries(node: TaskNode, tree: TaskTree | None) -> str:
    """Return the retries used and, where that is bounded, the most that there may be: `2/3`.

    By the node's own options, or the tree's config.
    """
    retry, most = node.options.retry, node.options.max_retries
    if retry is not None:
        most = None if retry.attempts is None else retry.attempts - 1
    elif most is None:
        most = (TreeTaskConfig() if tree is None else tree.config).max_retries
    return f"{node.retry_count}" if most is None else f"{node.retry_count}/{most}"


def last_log_lines(node: TaskNode, count: int) -> list[str]:
    """Return the last lines that a node's body has put out, safe to be shown."""
    return [safe_text(without_colours(line), limit=LOG_LINE_SHOWN) for line in node.log[-count:]]
