"""`list` and `plan` as a person reads them: a table of what there is, a tree of what would run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from treetask.cli._outline import Entry, first_words
from treetask.display import DEEPEST_PREFIX, theme_for
from treetask.model import TreeTaskConfig
from treetask.text import clip, display_width, safe_text

#: A name longer than this stands alone: what is said of it begins where it ends.
_NAME_COLUMNS: Final = 40
_GAP: Final = "  "


def relative_id(entry_id: str, root_id: str) -> str:
    """Return an id as selectors take it: without that of the root."""
    return entry_id.removeprefix(f"{root_id}/")


def table(entries: Sequence[Entry], width: int | None) -> Iterator[str]:
    """Yield a line for all there is: id, kind, tags and what its function says about itself."""
    root = entries[0].id
    rows = [(safe_text(relative_id(entry.id, root)), _kind(entry), _remarks(entry)) for entry in entries]
    yield from aligned(rows, width)


def resources(functions: Mapping[str, Callable[..., object]], width: int | None) -> Iterator[str]:
    """Yield a line for each resource: its name and what its function says about itself."""
    rows = [(f"  {safe_text(name)}", safe_text(first_words(function))) for name, function in functions.items()]
    if rows:
        yield from aligned(rows, width)


def _kind(entry: Entry) -> str:
    words = ["group" if entry.is_group else "task"]
    if entry.spawns:
        words.append("spawns")
    if entry.is_spawned:
        words.append("spawned")
    return ", ".join(words)


def _remarks(entry: Entry) -> str:
    tags = " ".join(f"tag:{safe_text(tag)}" for tag in sorted(entry.options.tags))
    return _GAP.join(filter(None, (tags, safe_text(entry.doc))))


def plan_tree(entries: Sequence[Entry], config: TreeTaskConfig, width: int | None) -> Iterator[str]:
    """Yield what would run as a tree, each with what it waits for; then how much of it there is."""
    theme = theme_for(config)
    last_below = {entry.parent: place for place, entry in enumerate(entries)}
    root = entries[0].id
    indents: list[str] = []
    depths: list[int] = []
    rows: list[tuple[str, str]] = []
    for place, entry in enumerate(entries):
        depth = 0 if entry.parent < 0 else depths[entry.parent] + 1
        depths.append(depth)
        is_last = last_below[entry.parent] == place
        indent = "" if entry.parent < 0 else indents[entry.parent]
        branch = theme.last_branch if is_last else theme.branch
        if depth == 0:
            branch = ""
        elif depth > DEEPEST_PREFIX:
            indent, branch = "", theme.deep_prefix(depth, is_last=is_last)
        rows.append((indent + branch + safe_text(entry.name), _conditions(entry, root)))
        # Of no use beyond the deepest prefix, and long.
        indents.append(indent + (theme.empty if is_last else theme.vertical) if 0 < depth < DEEPEST_PREFIX else indent)
    yield from aligned(rows, width)
    yield _summary(entries)


def _conditions(entry: Entry, root: str) -> str:
    """Return what is to be known about when a node runs."""
    ids = {wanted: safe_text(relative_id(wanted, root)) for wanted in entry.depends_on}
    needed = [shown for wanted, shown in ids.items() if wanted not in entry.options.optional]
    awaited = [shown for wanted, shown in ids.items() if wanted in entry.options.optional]
    words = [
        "spawns" if entry.spawns else "",
        "spawned" if entry.is_spawned else "",
        "one after another" if entry.is_group and not entry.options.parallel else "",
        "always" if entry.options.always else "",
        f"needs {', '.join(needed)}" if needed else "",
        f"after {', '.join(awaited)}" if awaited else "",
    ]
    return "; ".join(filter(None, words))


def _summary(entries: Sequence[Entry]) -> str:
    count = sum(entry.has_body and not entry.is_spawned for entry in entries)
    spawned = ", and what they spawn" if any(entry.spawns for entry in entries) else ""
    return f"{count:,} {'task' if count == 1 else 'tasks'} would run{spawned}"


def aligned(rows: Sequence[tuple[str, ...]], width: int | None) -> Iterator[str]:
    """Yield rows with their cells below each other, cut to the width where there is one."""
    widths = [min(_NAME_COLUMNS, max(display_width(row[column]) for row in rows)) for column in range(len(rows[0]) - 1)]
    for row in rows:
        line = ""
        for cell, columns in zip(row, [*widths, 0], strict=True):
            line += cell + " " * max(0, columns - display_width(cell)) + _GAP
        line = line.rstrip()
        yield line if width is None else clip(line, width)
