"""What the page knows of a run, as compact JSON: a column for each thing that every node has, and the rest by place.

The script of the page is the only reader, so the form has no version. Times are whole microseconds since the run began.
All text is visible on one line by now: what a browser would obey, or an eye would miss, is written out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from os.path import commonprefix
from typing import Any, Final

from treetask.events import Fault, Story
from treetask.model import FAILURES, TaskStatus
from treetask.report._bars import Bar, bars_of, end_of, micros
from treetask.report._findings import FAILURES_SHOWN, busy_times, distinct_failures, kinds, slowest
from treetask.report._json import finite
from treetask.report._path import critical_path
from treetask.text import safe_text, without_colours

#: What could end the element that holds the JSON, or a line of a script.
_ESCAPED: Final = re.compile("[<>&\u2028\u2029]")
_SEPARATOR: Final = re.compile(r"[/\\]")
#: Characters of logs that a page holds; beyond, those that did not fail keep their last lines only.
_LOGS_KEPT: Final = 24_000_000
_LAST_LINES: Final = 10
#: Steps of the critical path; a run of a hundred thousand in a row is not read step by step.
_STEPS_SHOWN: Final = 2_000


def payload(story: Story) -> str:
    """Return the JSON, safe inside a script element."""
    text = json.dumps(_page(story), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _page(story: Story) -> dict[str, Any]:
    bars = bars_of(story)
    times = busy_times(bars)
    faults = _Faults()
    failures = distinct_failures(story)
    path = critical_path(story)
    folder = _folder(story)
    return {
        "name": _line(story.name),
        "run": story.run,
        "target": None if story.target is None else _line(story.target),
        "wall": story.wall,
        "elapsed": micros(story.elapsed),
        "status": story.status.slot,
        "statuses": [str(status) for status in TaskStatus],
        "counts": [[status.slot, count] for status, count in story.counts.items() if count],
        "nodes": _columns(story),
        "details": _every_detail(story, faults),
        "faults": faults.told(folder),
        "folder": _line(folder),
        "bars": _bars(bars),
        "failures": [[len(places), places[:FAILURES_SHOWN]] for places in failures[:FAILURES_SHOWN]],
        "failures_left_out": len(failures[FAILURES_SHOWN:]),
        "path": [
            [step.node, micros(step.start), micros(step.end), micros(step.waited)] for step in path[-_STEPS_SHOWN:]
        ],
        "path_left_out": len(path[:-_STEPS_SHOWN]),
        "slowest": [[place, micros(times[place])] for place in slowest(story, times)],
        "kinds": [
            [_line(kind.name), kind.count, kind.failed, *map(micros, (kind.total, kind.middle, kind.longest))]
            for kind in kinds(story, times)
        ],
        "log": [_line(line) for line in story.log],
    }


def _columns(story: Story) -> dict[str, Any]:
    """Return what every node has. An id that is its parent's and its name is left out."""
    nodes = story.nodes
    ends = [end_of(node, story) for node in nodes]
    ids: dict[int, str] = {}
    for place, node in enumerate(nodes):
        usual = f"{nodes[node.parent].id}/{node.name}" if node.parent >= 0 else node.name
        if node.id != usual:
            ids[place] = _line(node.id)
    return {
        "name": [_line(node.name) for node in nodes],
        "id": ids,
        "parent": [node.parent for node in nodes],
        "status": [node.status.slot for node in nodes],
        "body": [int(node.has_body) for node in nodes],
        "start": [None if node.started_at is None else micros(node.started_at) for node in nodes],
        "end": [None if end is None else micros(end) for end in ends],
        "attempts": [len(node.attempts) for node in nodes],
    }


def _every_detail(story: Story, faults: _Faults) -> dict[int, dict[str, Any]]:
    """Return what only some nodes have, by the places of these."""
    whole = _whole_logs(story)
    every = ((place, _details(place, story, faults, whole)) for place in range(len(story.nodes)))
    return {place: known for place, known in every if known}


def _whole_logs(story: Story) -> set[int]:
    """Return the places of the nodes whose whole log there is room for, those that failed first."""
    room = _LOGS_KEPT
    whole: set[int] = set()
    for place in sorted(range(len(story.nodes)), key=lambda place: story.nodes[place].status not in FAILURES):
        room -= sum(map(len, story.nodes[place].log))
        if room < 0:
            break
        whole.add(place)
    return whole


def _details(place: int, story: Story, faults: _Faults, whole: set[int]) -> dict[str, Any]:
    node = story.nodes[place]
    known: dict[str, Any] = {}
    if node.reason is not None:
        known["reason"] = _line(node.reason)
    if node.progress is not None and (progress := finite(node.progress)) is not None:
        known["progress"] = progress
    if node.max_retries:
        known["retries"] = node.max_retries
    if node.failed_below:
        known["below"] = 1
    if node.faults:
        known["faults"] = faults.places(node.faults)
    if node.depends_on:
        known["needs"] = node.depends_on
    if node.log:
        kept = node.log if place in whole else node.log[-_LAST_LINES:]
        known["log"] = [_line(line) for line in kept]
        if len(kept) < len(node.log):
            known["cut"] = len(node.log) - len(kept)
    if len(node.attempts) > 1:
        known["attempts"] = [
            [
                each.number,
                micros(each.started_at),
                micros(story.elapsed if each.ended_at is None else each.ended_at),
                each.status.slot,
                faults.places(each.faults),
            ]
            for each in node.attempts
        ]
    return known


class _Faults:
    """Each fault once, however many nodes have met it."""

    def __init__(self) -> None:
        self._places: Final[dict[Fault, int]] = {}

    def places(self, faults: Sequence[Fault]) -> list[int]:
        """Return where in the list these are."""
        return [self._places.setdefault(fault, len(self._places)) for fault in faults]

    def told(self, folder: str) -> list[Any]:
        """Return the list; files are told from a folder."""
        return [_fault(fault, folder) for fault in self._places]


def _fault(fault: Fault, folder: str) -> list[Any]:
    frames = [
        [_line(each.file.removeprefix(folder)), each.line, _line(each.function), _line(each.source)]
        for each in fault.frames
    ]
    return [_line(fault.kind), [_line(line) for line in fault.message.splitlines()], frames]


def _folder(story: Story) -> str:
    """Return the folder that all files of faults are in, with the sign at its end; empty where that is next to none."""
    files = {frame.file for node in story.nodes for fault in node.faults for frame in fault.frames}
    common = commonprefix(list(files))  # noqa: RUF071 - cut at the last separator, of whichever system
    folder = common[: max(common.rfind("/"), common.rfind("\\")) + 1]
    return folder if len(_SEPARATOR.findall(folder)) > 2 else ""  # noqa: PLR2004 - more than /usr/ or C:\Users\


def _bars(bars: Sequence[Bar]) -> dict[str, Any]:
    return {
        "node": [bar.node for bar in bars],
        "number": [bar.number for bar in bars],
        "start": [micros(bar.start) for bar in bars],
        "end": [micros(bar.end) for bar in bars],
        "status": [bar.status.slot for bar in bars],
        "lane": [bar.lane for bar in bars],
    }


def _line(text: str) -> str:
    return safe_text(without_colours(text).expandtabs(4))
