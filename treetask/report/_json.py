"""A run as JSON, for other tools.

One object: `version` (of this form, 1), `name`, `run` (its number in a store), `target`, `wall` (when it began, seconds
since the epoch), `elapsed`, `status` (`working` where it goes on or was broken off), `counts` (of tasks by status:
nodes without children, with those that are folded away), `log` (lines of nobody knows which node), `critical_path` and
`nodes`, parents first.

A node has `id`, `name`, `parent` (an id; null for the root), `has_body`, `status`, `started_at`, `ended_at`,
`max_retries` (null where there is no bound), `progress` (`[current, total]` or null), `reason`, `failed_below`,
`depends_on` (ids), `log` (the last lines that its body put out), `faults` (of its last attempt) and `attempts`, each
with `number`, `started_at`, `ended_at`, `status` and `faults`. A fault has `kind` (empty where there is no exception),
`message` and `frames`, each with `file`, `line`, `function` and `source`. A step of the critical path has `node` (an
id), `start`, `end` and `waited`. Times without a word are seconds since the run began, null where it did not come to
that; below zero is what an earlier life of the same run did.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from treetask.events import Fault, Story, StoryNode
from treetask.report._path import critical_path

JSON_VERSION: Final = 1


def as_json(story: Story) -> Iterator[str]:
    """Yield the lines of the JSON that the head of this module explains; a line a node."""
    ids = [node.id for node in story.nodes]
    head = {
        "version": JSON_VERSION,
        "name": story.name,
        "run": story.run,
        "target": story.target,
        "wall": story.wall,
        "elapsed": story.elapsed,
        "status": str(story.status),
        "counts": {str(status): count for status, count in story.counts.items()},
        "log": list(story.log),
        "critical_path": [
            {"node": ids[step.node], "start": step.start, "end": step.end, "waited": step.waited}
            for step in critical_path(story)
        ],
    }
    yield json.dumps(head)[:-1] + ', "nodes": ['
    for place, node in enumerate(story.nodes):
        yield json.dumps(_node(node, ids)) + ("," if place + 1 < len(story.nodes) else "")
    yield "]}"


def finite(progress: tuple[float, float] | None) -> list[float] | None:
    """Return a progress as JSON has a form for it."""
    return None if progress is None or not all(map(math.isfinite, progress)) else list(progress)


def _node(node: StoryNode, ids: Sequence[str]) -> dict[str, Any]:
    return {
        "id": node.id,
        "name": node.name,
        "parent": None if node.parent < 0 else ids[node.parent],
        "has_body": node.has_body,
        "status": str(node.status),
        "started_at": node.started_at,
        "ended_at": node.ended_at,
        "max_retries": node.max_retries,
        "progress": finite(node.progress),
        "reason": node.reason,
        "failed_below": node.failed_below,
        "depends_on": [ids[place] for place in node.depends_on],
        "log": list(node.log),
        "faults": _faults(node.faults),
        "attempts": [
            {
                "number": each.number,
                "started_at": each.started_at,
                "ended_at": each.ended_at,
                "status": str(each.status),
                "faults": _faults(each.faults),
            }
            for each in node.attempts
        ],
    }


def _faults(faults: Sequence[Fault]) -> list[dict[str, Any]]:
    return [
        {
            "kind": fault.kind,
            "message": fault.message,
            "frames": [
                {"file": frame.file, "line": frame.line, "function": frame.function, "source": frame.source}
                for frame in fault.frames
            ],
        }
        for fault in faults
    ]
