"""What `list` and `plan` put out: what there is in a pipeline, and what of it would run. Nothing runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from treetask.cli._diagram import as_json, dot, mermaid
from treetask.cli._listing import plan_tree, resources, table
from treetask.cli._outline import Entry, outline
from treetask.cli._pipeline import Pipeline
from treetask.cli._streams import width_of_output
from treetask.cli._values import described
from treetask.dsl import Registry, Task, resources_of
from treetask.model import TaskTree

_FOR_TOOLS: Final[Mapping[str, Callable[[Sequence[Entry]], Iterator[str]]]] = {
    "mermaid": mermaid,
    "dot": dot,
    "json": as_json,
}


def shown(tree: TaskTree, pipeline: Pipeline, command: str, form: str) -> Iterator[str]:
    """Return the lines for a tree and the pipeline that it was built from."""
    top = pipeline._declared if isinstance(pipeline, (Registry, Task)) else None
    entries = outline(tree, top, all_templates=command == "list")
    if command == "list":
        width = width_of_output()
        shared = {} if top is None else resources_of(top)
        more = {"parameters": list(described(pipeline)), "resources": list(resources(shared, width))}
        below = (["", title, *lines] for title, lines in more.items() if lines)
        return chain(table(entries, width), *below)
    if form == "tree":
        return plan_tree(entries, tree.config, width_of_output())
    return _FOR_TOOLS[form](entries)
