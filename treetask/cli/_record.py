"""`show`: the tree of one run as it is on record, with what failed and why.

The JSON is one object: `version` (of this form, 1), `run` (as in `runs`) and `nodes`, in the order in which they began.
A node has `id`, `parent` (an id; null for the root), `name`, `status`, `attempts`, `started_at`, `ended_at`, `error`,
`reason`, `earlier` (the attempts before the last one, each with `number`, `ended_at` and `error`) and `log` (lines, of
what did not end well). Times are seconds since the epoch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from treetask.cli._history import JSON_VERSION, counts_of, run_as_json, title_of, told_counts, took, when
from treetask.cli._on_record import looking_for_run, store_with_runs
from treetask.cli._options import Options
from treetask.cli._place import StorePlace
from treetask.cli._problem import ExitCode
from treetask.cli._streams import put_out, width_of_output
from treetask.display import DEEPEST_PREFIX, theme_for
from treetask.model import FAILURES, TaskStatus, TreeTaskConfig
from treetask.text import clip, display_width, duration, safe_text, without_colours

if TYPE_CHECKING:
    from treetask.store import NodeRecord, RunRecord

#: Lines of a log: the last ones, which say why most of the time.
_LOG_LINES: Final = 10
#: An error may be a page long.
_NOTE: Final = 200
_LOG_LINE: Final = 500
#: Columns of names; what is said of a longer one begins where it ends.
_NAMES: Final = 44
_GAP: Final = "  "


def show_record(options: Options, place: StorePlace) -> int:
    """Put out what is on record of a run, by default of the newest."""
    from treetask.store import RunStatus, find_run, node_records

    with store_with_runs(place) as store:
        with looking_for_run(options), store.reading() as connection:
            record = find_run(connection, options.run)
            nodes = node_records(connection, record.id)
        counts = counts_of(store, record)
    if options.format == "json":
        put_out(_as_json(record, counts, nodes))
    else:
        width = width_of_output()
        is_alive = record.status is RunStatus.RUNNING
        lines = (*_head(record, counts, nodes), *_tree(nodes, width, is_alive=is_alive))
        put_out(line if width is None else clip(line, width) for line in lines)
    return ExitCode.ALL_WELL


def _head(record: RunRecord, counts: Mapping[str, int], nodes: Sequence[NodeRecord]) -> Iterator[str]:
    times = (
        "" if not record.resumes else ", resumed once" if record.resumes == 1 else f", resumed {record.resumes} times"
    )
    status = record.status.value.replace("_", " ")
    yield f"run {record.id} of {title_of(record)}: {status}{times}"
    yield f"begun {when(record.started_at)}, took {took(record)}: {told_counts(counts) or 'nothing began'}"
    if (
        record.error
        and record.error.splitlines()
        and not any(record.error in (node.error, node.reason) for node in nodes)
    ):
        yield safe_text(record.error.splitlines()[0], limit=_NOTE)


def _tree(nodes: Sequence[NodeRecord], width: int | None, *, is_alive: bool) -> Iterator[str]:
    """Yield a row for each node, below its parent, and below what failed what is known of that."""
    theme = theme_for(TreeTaskConfig())
    ids = {node.id for node in nodes}
    below: dict[str | None, list[NodeRecord]] = {}
    for node in nodes:
        below.setdefault(node.parent if node.parent in ids else None, []).append(node)
    #: Each with its depth, what stands before it, and before what is below it.
    waiting = [(node, 0, "", "") for node in reversed(below.get(None, []))]
    rows: list[tuple[str, str, str, list[str]]] = []
    while waiting:
        node, depth, prefix, beside = waiting.pop()
        inner = below.get(node.id, [])
        note = _note(node, is_alive=is_alive, has_children=bool(inner))
        details = [f"{beside}   {line}" for line in _details(node)]
        rows.append((f"{prefix}{theme.icon(node.status)} {safe_text(node.name)}", _time(node), note, details))
        for number, child in enumerate(reversed(inner)):
            branch, more = (theme.last_branch, theme.empty) if number == 0 else (theme.branch, theme.vertical)
            if depth < DEEPEST_PREFIX:
                waiting.append((child, depth + 1, beside + branch, beside + more))
            else:
                waiting.append((child, depth + 1, theme.deep_prefix(depth + 1, is_last=number == 0), ""))
    columns = min(_NAMES, max((display_width(row[0]) for row in rows), default=0))
    times = max((len(row[1]) for row in rows), default=0)
    for name, time, note, details in rows:
        line = f"{name}{' ' * (columns - display_width(name))}{_GAP}{time:>{times}}{_GAP}{note}".rstrip()
        yield line
        yield from details


def _note(node: NodeRecord, *, is_alive: bool, has_children: bool) -> str:
    """Return in one line what there is to say of a node beside its status."""
    words: list[str] = []
    if node.status is TaskStatus.WORKING and not has_children:
        words.append("running" if is_alive else "was running when its process died")
    elif node.status is TaskStatus.RETRYING:
        words.append("waiting for its next attempt" if is_alive else "was waiting for its next attempt")
    said = (node.error or "").strip().splitlines()
    if said:
        words.append(safe_text(said[0], limit=_NOTE))
    elif node.reason:
        words.append(safe_text(node.reason, limit=_NOTE))
    if node.attempts > 1:
        words.append(f"({node.attempts} attempts)")
    return " ".join(words)


def _time(node: NodeRecord) -> str:
    if node.started_at is None or node.ended_at is None:
        return ""
    return duration(max(0.0, node.ended_at - node.started_at))


def _details(node: NodeRecord) -> Iterator[str]:
    """Yield the earlier attempts of a node that did not end well, and the last lines of its log."""
    if node.status not in FAILURES:
        return
    for attempt in node.earlier:
        said = (attempt.error or "").strip().splitlines()
        if said and said[0] != ((node.error or "").strip().splitlines() or [""])[0]:
            yield f"attempt {attempt.number}: {safe_text(said[0], limit=_NOTE)}"
    for line in node.log[-_LOG_LINES:]:
        yield f"│ {safe_text(without_colours(line), limit=_LOG_LINE)}"


def _as_json(record: RunRecord, counts: Mapping[str, int], nodes: Sequence[NodeRecord]) -> Iterator[str]:
    yield f'{{"version": {JSON_VERSION}, "run": {json.dumps(run_as_json(record, counts))}, "nodes": ['
    for place, node in enumerate(nodes):
        entry = {
            "id": node.id,
            "parent": node.parent,
            "name": node.name,
            "status": node.status.value,
            "attempts": node.attempts,
            "started_at": node.started_at,
            "ended_at": node.ended_at,
            "error": node.error,
            "reason": node.reason,
            "earlier": [
                {"number": each.number, "ended_at": each.ended_at, "error": each.error} for each in node.earlier
            ],
            "log": list(node.log),
        }
        yield json.dumps(entry) + ("," if place + 1 < len(nodes) else "")
    yield "]}"
