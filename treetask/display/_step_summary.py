"""The summary of a step as GitHub shows it below a job: counts, failures with their logs, the slowest tasks.

It is written in the HTML that GitHub allows in Markdown, each piece without an empty line, so that nothing in it is
read as Markdown; and of what users wrote every sign that either of them knows is written as a number. Knows trees that
have ended; not where the text goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from heapq import nlargest
from typing import Final

from treetask.display._failures import Failure
from treetask.display._standing import Standing, of_leaves
from treetask.display._summary import FAILURES_SHOWN, LOG_LINES_SHOWN, node_path
from treetask.display._words import last_log_lines
from treetask.model import TaskNode, TaskStatus, TaskTree
from treetask.text import duration, safe_text

#: GitHub takes no summary of a step that is larger, and then shows none.
_BYTES: Final = 1024 * 1024
#: Some of them are left for what other commands of the step write.
_BYTES_LEFT: Final = 64 * 1024
_SLOWEST: Final = 10
#: Characters of one line of an error.
_LINE_SHOWN: Final = 500
#: What is neither a letter nor a figure in ASCII.
_SIGN: Final = re.compile(r"[!-/:-@\[-`{-~]")
_ICONS: Final = {TaskStatus.DONE: "✅", TaskStatus.FAILED: "❌", TaskStatus.TIMED_OUT: "⏰", TaskStatus.CANCELLED: "🚫"}


def step_summary(tree: TaskTree, failures: list[Failure], *, written: int = 0) -> str:
    """Return the summary of a tree that has ended, as much of it as fits behind what is `written`, in bytes."""
    room = _BYTES - _BYTES_LEFT - written
    pieces: list[str] = []
    for piece in _pieces(tree, failures):
        size = len(piece.encode("utf-8", "backslashreplace")) + 2
        if size > room:
            break
        room -= size
        pieces.append(f"{piece}\n\n")
    return "".join(pieces)


def literal(text: str) -> str:
    """Return a text that others wrote, on one line, in which nothing is markup."""
    return _SIGN.sub(lambda sign: f"&#{ord(sign[0])};", safe_text(text))


def _pieces(tree: TaskTree, failures: list[Failure]) -> Iterator[str]:
    """Yield what the summary is made of, the most important first; none has an empty line."""
    root = tree.root
    took = "" if root.elapsed is None else f" in {duration(root.elapsed)}"
    status = str(root.status).replace("_", " ")
    yield f"<h3>{_ICONS.get(root.status, '❔')} {_code(root.name)} {status}{took}</h3>"
    standing = of_leaves(tree)
    yield _table(Standing._fields[:6], [[f"{count:,}" for count in standing[:6]]])
    for failure in failures[:FAILURES_SHOWN]:
        yield _details(failure)
    if len(failures) > FAILURES_SHOWN:
        rest = sum(1 + len(failure.again) for failure in failures[FAILURES_SHOWN:])
        yield f"<p>… {rest:,} more failures</p>"
    slowest = nlargest(_SLOWEST, _tasks(tree), key=_elapsed)
    if slowest:
        rows = [[_code(node_path(node)), duration(_elapsed(node)), str(node.status)] for node in slowest]
        yield _table(("slowest tasks", "time", "status"), rows)


def _details(failure: Failure) -> str:
    node = failure.node
    facts = [f"{node.retry_count + 1} attempts"] if node.retry_count else []
    facts += [] if node.elapsed is None else [duration(node.elapsed)]
    facts += [f"×{len(failure.again) + 1:,}"] if failure.again else []
    said = failure.words()
    log = [f"│ {line}" for line in last_log_lines(node, LOG_LINES_SHOWN)] if failure.tells_log else []
    title = f"❌ {_code(node_path(node))} {_code(said[0] if said else failure.kind)}"
    text = "&#10;".join(literal(line[:_LINE_SHOWN]) for line in (*failure.frames(), *said, *log))
    return f"<details><summary>{', '.join([title, *facts])}</summary><pre>{text}</pre></details>"


def _code(text: str) -> str:
    """Return a name or an error; as code, in which GitHub finds neither people nor issues."""
    return f"<code>{literal(text[:_LINE_SHOWN])}</code>"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = ["".join(f"<th>{head}</th>" for head in heads)]
    lines += ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _tasks(tree: TaskTree) -> Iterator[TaskNode]:
    return (node for node in tree.walk() if not node.children and node.started_at is not None)


def _elapsed(node: TaskNode) -> float:
    return node.elapsed or 0.0
