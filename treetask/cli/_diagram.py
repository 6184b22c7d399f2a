"""A plan for other tools: as a Mermaid diagram, as a graph for Graphviz, as JSON.

In the diagrams a plain line leads from a group to what is in it, an arrow from a task to what needs it, a dotted one to
what only waits for its end; what is spawned has a dashed frame. Whatever a name holds, it stays a name.

The JSON is one object: `version` (of this form, 1), `root` (an id) and `nodes`, parents first. A node has `id`, `name`,
`kind` ("group" or "task"), `parent` (an id; null for the root), `depends_on` (ids of what it waits for), `optional`
(those of them that need only have ended), `tags`, `spawns` (whether its body yields children), `spawned` (whether it
stands for any number of nodes that are spawned, or is below one that does) and `options`: those that were stated, by
name. What JSON has no form for, a function, a `Retry`, is told as Python tells it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, Final, cast

from treetask.cli._outline import Entry
from treetask.model import Limit
from treetask.text import dot_label, mermaid_label

JSON_VERSION: Final = 1


def mermaid(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield the lines of a Mermaid flowchart."""
    yield "flowchart LR"
    for place, entry in enumerate(entries):
        yield f'  n{place}["{mermaid_label(entry.name)}"]' + (":::spawned" if entry.is_spawned else "")
    for start, end, arrow in _edges(entries, inside="---", needs="-->", after="-.->"):
        yield f"  n{start} {arrow} n{end}"
    if any(entry.is_spawned for entry in entries):
        yield "  classDef spawned stroke-dasharray: 4"


def dot(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield the lines of a graph in Graphviz' language."""
    yield "digraph {"
    yield "  rankdir=LR"
    yield "  node [shape=box]"
    for place, entry in enumerate(entries):
        yield f'  n{place} [label="{dot_label(entry.name)}"' + (" style=dashed]" if entry.is_spawned else "]")
    for start, end, style in _edges(entries, inside=" [arrowhead=none color=gray]", needs="", after=" [style=dotted]"):
        yield f"  n{start} -> n{end}{style}"
    yield "}"


def _edges(entries: Sequence[Entry], *, inside: str, needs: str, after: str) -> Iterator[tuple[int, int, str]]:
    """Yield what is connected, by its places, each with the words for how."""
    places = {entry.id: place for place, entry in enumerate(entries)}
    for place, entry in enumerate(entries):
        if entry.parent >= 0:
            yield entry.parent, place, inside
        for wanted in entry.depends_on:
            if wanted in places:
                yield places[wanted], place, after if wanted in entry.options.optional else needs


def as_json(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield the lines of the JSON that the head of this module explains; a line a node."""
    yield f'{{"version": {JSON_VERSION}, "root": {json.dumps(entries[0].id)}, "nodes": ['
    for place, entry in enumerate(entries):
        node = {
            "id": entry.id,
            "name": entry.name,
            "kind": "group" if entry.is_group else "task",
            "parent": None if entry.parent < 0 else entries[entry.parent].id,
            "depends_on": list(entry.depends_on),
            "optional": [wanted for wanted in entry.depends_on if wanted in entry.options.optional],
            "tags": sorted(entry.options.tags),
            "spawns": entry.spawns,
            "spawned": entry.is_spawned,
            "options": {name: _plain(value) for name, value in entry.stated().items()},
        }
        yield json.dumps(node) + ("," if place + 1 < len(entries) else "")
    yield "]}"


def _plain(value: Any) -> Any:  # noqa: ANN401 - what JSON has a form for
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [each.name for each in cast("tuple[Limit, ...]", value)]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return getattr(getattr(value, "fn", value), "__qualname__", None) or repr(value)
