"""A run as a trace that profilers read: `chrome://tracing`, https://ui.perfetto.dev, speedscope.

One complete event for each attempt of a body, in lanes that are told as threads, a counter of the bodies that ran at
once, and names for both. Times are whole microseconds since the run began; what an earlier life of the run did comes
before that, so all of it is moved to begin at zero.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from treetask.events import Story
from treetask.report._bars import Bar, bars_of, concurrency, micros
from treetask.text import safe_text

#: The number of the one process that there is.
_PROCESS: Final = 1


def chrome_trace(story: Story) -> Iterator[str]:
    """Yield the lines of the JSON, one for each event."""
    bars = bars_of(story)
    begin = min((bar.start for bar in bars), default=0.0)
    yield '{"displayTimeUnit": "ms", "traceEvents": ['
    yield json.dumps(_name("process_name", 0, safe_text(story.name)))
    for lane in range(max((bar.lane for bar in bars), default=-1) + 1):
        yield f",{json.dumps(_name('thread_name', lane, f'lane {lane + 1}'))}"
    for bar in bars:
        yield f",{json.dumps(_event(story, bar, begin))}"
    for moment, running in concurrency(story, bars):
        counter = {"ph": "C", "name": "bodies", "ts": micros(moment - begin), "args": {"at once": running}}
        yield f",{json.dumps(counter | {'pid': _PROCESS, 'tid': 0})}"
    yield "]}"


def _event(story: Story, bar: Bar, begin: float) -> dict[str, Any]:
    node = story.nodes[bar.node]
    start = micros(bar.start - begin)
    args: dict[str, Any] = {"id": node.id, "status": str(bar.status), "attempt": bar.number}
    faults = next((each.faults for each in node.attempts if each.number == bar.number), ())
    if faults:
        args["error"] = "\n".join(f"{fault.kind}: {fault.message}" if fault.kind else fault.message for fault in faults)
    return {
        "ph": "X",
        "name": safe_text(node.name) + (f" #{bar.number}" if bar.number > 1 else ""),
        "cat": str(bar.status),
        "pid": _PROCESS,
        "tid": bar.lane,
        "ts": start,
        "dur": micros(bar.end - begin) - start,
        "args": args,
    }


def _name(what: str, lane: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": _PROCESS, "tid": lane, "args": {"name": name}}
