"""A run as a diagram: Mermaid's language, or Graphviz'.

A plain line leads from a parent to what is in it, an arrow from a task to what waited for it; the colours of a node say
how it ended. Whatever a name holds, it stays a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from treetask.events import Story, StoryNode
from treetask.model import TaskStatus
from treetask.report._bars import end_of
from treetask.text import dot_label, duration, mermaid_label

#: Fill and frame; readable with black text on them.
_COLOURS: Final = {
    TaskStatus.PENDING: ("#f4f4f2", "#a3a39c"),
    TaskStatus.WORKING: ("#e3edfb", "#3b76c4"),
    TaskStatus.RETRYING: ("#f9edd7", "#b7791f"),
    TaskStatus.DONE: ("#e2f2e7", "#3f8f5f"),
    TaskStatus.FAILED: ("#fbe4e1", "#c0392b"),
    TaskStatus.CANCELLED: ("#ece8f2", "#7d6b99"),
    TaskStatus.SKIPPED: ("#efefec", "#8a8a82"),
    TaskStatus.TIMED_OUT: ("#fbe8dc", "#b9551b"),
}


def mermaid(story: Story) -> Iterator[str]:
    """Yield the lines of a Mermaid flowchart."""
    yield "flowchart LR"
    for place, node in enumerate(story.nodes):
        label = "<br>".join(mermaid_label(line) for line in _label(node, story))
        yield f'  n{place}["{label}"]:::{node.status}'
    for start, end, waits in _edges(story):
        yield f"  n{start} {'-->' if waits else '---'} n{end}"
    for status in sorted({node.status for node in story.nodes}):
        fill, frame = _COLOURS[status]
        yield f"  classDef {status} fill:{fill},stroke:{frame},color:#1d1d1b"


def dot(story: Story) -> Iterator[str]:
    """Yield the lines of a graph in Graphviz' language."""
    yield "digraph {"
    yield "  rankdir=LR"
    yield '  node [shape=box style="rounded,filled" fontname="Helvetica"]'
    for place, node in enumerate(story.nodes):
        label = "\\n".join(dot_label(line) for line in _label(node, story))
        fill, frame = _COLOURS[node.status]
        yield f'  n{place} [label="{label}" fillcolor="{fill}" color="{frame}"]'
    for start, end, waits in _edges(story):
        yield f"  n{start} -> n{end}{'' if waits else ' [arrowhead=none color=gray]'}"
    yield "}"


def _label(node: StoryNode, story: Story) -> tuple[str, ...]:
    """Return the lines that say what a node is and how it ended."""
    words = str(node.status).replace("_", " ")
    end = end_of(node, story)
    if end is not None and node.started_at is not None:
        words += f", {duration(end - node.started_at)}"
    if len(node.attempts) > 1:
        words += f", {len(node.attempts)} attempts"
    return (node.name, words)


def _edges(story: Story) -> Iterator[tuple[int, int, bool]]:
    """Yield what is connected, by its places, and whether the second one waited for the first."""
    for place, node in enumerate(story.nodes):
        if node.parent >= 0:
            yield node.parent, place, False
        for needed in node.depends_on:
            yield needed, place, True
