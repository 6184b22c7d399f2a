"""Diagrams, traces and JSON: what they say of a run, and that whatever it holds stays text in them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, strategies

from tests.report.stories import DONE, FAILED, SKIPPED, node, story
from treetask.events import Attempt, Fault, Frame, Story
from treetask.report import as_json, chrome_trace, dot, mermaid

FAULT = Fault("OSError", "gone", (Frame("app.py", 3, "fetch", "raise OSError"),))


def run() -> Story:
    """A task that failed twice, and one that was not started for it."""
    attempts = [Attempt(1, 0.5, 1.0, FAILED, (FAULT,)), Attempt(2, 1.5, 2.0, FAILED, (FAULT,))]
    return story(
        node("root", -1, (0, 2), has_body=False, status=FAILED, failed_below=True),
        node("fetch", 0, (0.5, 2), status=FAILED, attempts=attempts, faults=[FAULT], max_retries=1, log=["GET /"]),
        node("other", 0, (1.0, 1.25)),
        node("publish", 0, status=SKIPPED, needs=[1], reason="'root/fetch' failed"),
    )


def hostile(text: str) -> Story:
    """A run that says this wherever a run can say something."""
    fault = Fault(text, text, (Frame(text, 1, text, text),))
    return story(
        node(text, -1, (0, 1), has_body=False, status=FAILED, failed_below=True, id=text),
        node(text, 0, (0, 1), status=FAILED, faults=[fault], log=[text], reason=text, id=text + "1"),
        node(text, 0, status=SKIPPED, needs=[1], reason=text, id=text + "2"),
        log=[text],
    )


def test_mermaid_has_nodes_with_how_they_ended_and_what_waits_for_what() -> None:
    """A plain line for what is in it, an arrow for what waited."""
    assert list(mermaid(run())) == [
        "flowchart LR",
        '  n0["root<br>failed, 2.0s"]:::failed',
        '  n1["fetch<br>failed, 1.5s, 2 attempts"]:::failed',
        '  n2["other<br>done, 0.2s"]:::done',
        '  n3["publish<br>skipped"]:::skipped',
        "  n0 --- n1",
        "  n0 --- n2",
        "  n0 --- n3",
        "  n1 --> n3",
        "  classDef done fill:#e2f2e7,stroke:#3f8f5f,color:#1d1d1b",
        "  classDef failed fill:#fbe4e1,stroke:#c0392b,color:#1d1d1b",
        "  classDef skipped fill:#efefec,stroke:#8a8a82,color:#1d1d1b",
    ]


def test_dot_has_the_same() -> None:
    """In Graphviz' language."""
    assert list(dot(run()))[3:] == [
        '  n0 [label="root\\nfailed, 2.0s" fillcolor="#fbe4e1" color="#c0392b"]',
        '  n1 [label="fetch\\nfailed, 1.5s, 2 attempts" fillcolor="#fbe4e1" color="#c0392b"]',
        '  n2 [label="other\\ndone, 0.2s" fillcolor="#e2f2e7" color="#3f8f5f"]',
        '  n3 [label="publish\\nskipped" fillcolor="#efefec" color="#8a8a82"]',
        "  n0 -> n1 [arrowhead=none color=gray]",
        "  n0 -> n2 [arrowhead=none color=gray]",
        "  n0 -> n3 [arrowhead=none color=gray]",
        "  n1 -> n3",
        "}",
    ]


@given(strategies.text() | strategies.sampled_from(['"]; click n0 "javascript:', "%%{init: {}}%%", 'x" URL="y', "\\"]))
def test_label_of_a_diagram_ends_where_it_should(text: str) -> None:
    """One statement a line, the text inside its quotes, whatever it is."""
    for line in mermaid(hostile(text)):
        assert len(line.splitlines()) == 1
        assert re.fullmatch(r'flowchart LR|  n\d+\["[^"]*"\]:::\w+|  n\d+ (---|-->) n\d+|  classDef [\w :#,-]+', line)
        label = line.partition('"')[2].rpartition('"')[0]
        assert re.fullmatch(r"(<br>|#\d+;|[^<>#&;{}|%`\"\\])*", label)
    string = r'"(?:[^"\\]|\\.)*"'
    for line in dot(hostile(text)):
        assert len(line.splitlines()) == 1
        assert re.fullmatch(
            rf"digraph \{{|\}}|  rankdir=LR|  node \[.*\]|  n\d+ \[label={string} fillcolor={string} color={string}\]"
            r"|  n\d+ -> n\d+( \[arrowhead=none color=gray\])?",
            line,
        )


def trace(of: Story) -> list[dict[str, Any]]:
    """The events of a trace."""
    events: list[dict[str, Any]] = json.loads("\n".join(chrome_trace(of)))["traceEvents"]
    return events


def test_trace_has_an_event_for_each_attempt() -> None:
    """Complete ones, in microseconds, in the lane as the thread."""
    complete = [event for event in trace(run()) if event["ph"] == "X"]

    assert [(event["name"], event["tid"], event["ts"], event["dur"]) for event in complete] == [
        ("fetch", 0, 500_000 - 500_000, 500_000),
        ("other", 0, 500_000, 250_000),
        ("fetch #2", 0, 1_000_000, 500_000),
    ]
    assert complete[0]["args"] == {"id": "root/fetch", "status": "failed", "attempt": 1, "error": "OSError: gone"}


def test_trace_names_lanes_and_counts_what_ran_at_once() -> None:
    """The process is the run."""
    events = trace(run())

    assert [(each["name"], each["args"]["name"]) for each in events if each["ph"] == "M"] == [
        ("process_name", "root"),
        ("thread_name", "lane 1"),
    ]
    assert [(each["ts"], each["args"]["at once"]) for each in events if each["ph"] == "C"] == [
        (0, 1),
        (750_000, 0),
        (1_000_000, 1),
        (1_500_000, 0),
    ]


def test_what_an_earlier_life_did_comes_first_in_a_trace() -> None:
    """No profiler knows times below zero."""
    events = trace(story(node("root", -1, (-5, 2), has_body=False), node("a", 0, (-5, -4)), node("b", 0, (1, 2))))

    assert [event["ts"] for event in events if event["ph"] == "X"] == [0, 6_000_000]


def test_trace_of_a_run_in_which_nothing_began_is_valid() -> None:
    """It has a name and nothing else."""
    assert [event["ph"] for event in trace(story(node("root", -1)))] == ["M"]


def test_json_is_the_whole_story() -> None:
    """One object, a line a node."""
    known = json.loads("\n".join(as_json(run())))
    fault = {
        "kind": "OSError",
        "message": "gone",
        "frames": [{"file": "app.py", "line": 3, "function": "fetch", "source": "raise OSError"}],
    }

    nodes = known.pop("nodes")
    assert known == {
        "version": 1,
        "name": "root",
        "run": 7,
        "target": "app:tree",
        "wall": 1_767_614_400.0,
        "elapsed": 2,
        "status": "failed",
        "counts": {"failed": 2, "done": 1, "skipped": 1},
        "log": [],
        "critical_path": [
            {"node": "root/fetch", "start": 0.5, "end": 2, "waited": 0.0},
        ],
    }
    assert [each["id"] for each in nodes] == ["root", "root/fetch", "root/other", "root/publish"]
    assert nodes[1] == {
        "id": "root/fetch",
        "name": "fetch",
        "parent": "root",
        "has_body": True,
        "status": "failed",
        "started_at": 0.5,
        "ended_at": 2,
        "max_retries": 1,
        "progress": None,
        "reason": None,
        "failed_below": False,
        "depends_on": [],
        "log": ["GET /"],
        "faults": [fault],
        "attempts": [
            {"number": 1, "started_at": 0.5, "ended_at": 1.0, "status": "failed", "faults": [fault]},
            {"number": 2, "started_at": 1.5, "ended_at": 2.0, "status": "failed", "faults": [fault]},
        ],
    }
    assert nodes[3]["depends_on"] == ["root/fetch"]


@pytest.mark.parametrize("progress", [(float("inf"), 1.0), (float("nan"), 2.0)])
def test_progress_that_is_no_number_is_none(progress: tuple[float, float]) -> None:
    """JSON has no form for it."""
    lines = as_json(story(node("root", -1, (0, 1), progress=progress, status=DONE)))

    assert json.loads("\n".join(lines))["nodes"][0]["progress"] is None


@given(strategies.text())
def test_json_and_trace_are_valid_whatever_a_run_says(text: str) -> None:
    """Lone surrogates and line separators too; what the JSON says is what the run said."""
    lines = list(as_json(hostile(text)))

    assert json.loads("\n".join(lines))["nodes"][1]["log"] == [text]
    assert all(line.isascii() for line in lines)
    assert [event["name"] for event in trace(hostile(text)) if event["ph"] == "X"]
