"""A tree as plain data: complete, ready for JSON, and apart from the run."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path

import pytest

from treetask import TaskNode, TaskStatus, TaskTree, TreeBuilder


class Colour(str, Enum):
    RED = "red"


def test_every_fact_of_a_node_is_there() -> None:
    """Identity, place, options, state, stamps and what came of it."""
    node = TaskNode("a", "A", data={"url": "x"}, progress=(1, 4), parallel=False, depends_on=["b"])
    tree = TaskTree(TaskNode("root", children=[node, TaskNode("b")]))
    tree.move(node, TaskStatus.WORKING, 1.5)
    node.retry_count, node.error, node.reason, node.result = 2, "oops", "because", [1, None]
    tree.move(node, TaskStatus.FAILED, 2.5)

    snapshot = tree.to_dict()

    assert (snapshot["version"], snapshot["root"]) == (1, "root")
    assert snapshot["nodes"][1] == {
        "id": "a",
        "name": "A",
        "parent": "root",
        "status": "failed",
        "parallel": False,
        "depends_on": ["b"],
        "progress": [1, 4],
        "retry_count": 2,
        "started_at": 1.5,
        "ended_at": 2.5,
        "error": "oops",
        "reason": "because",
        "data": {"url": "x"},
        "result": [1, None],
    }


def test_nodes_come_in_the_order_of_the_tree() -> None:
    """A flat list, parents before children, so that a reader needs no recursion either."""
    tree = TreeBuilder("root").add_node("a").add_child("b").up().add_child("c").build()

    assert [(node["id"], node["parent"]) for node in tree.to_dict()["nodes"]] == [
        ("root", None),
        ("a", "root"),
        ("b", "a"),
        ("c", "root"),
    ]


def test_what_is_not_there_is_left_away() -> None:
    """No data, no result: no entries; nothing was left out."""
    (node,) = TaskTree(TaskNode("a")).to_dict()["nodes"]

    assert {"data", "result", "left_out"}.isdisjoint(node)


@pytest.mark.parametrize(
    "value",
    [
        Path("x"),
        (1, 2),
        {1: "a"},
        {"deep": [{"x": {1}}]},
        float("nan"),
        b"x",
        object(),
    ],
)
def test_what_json_would_change_is_left_out_and_named(value: object) -> None:
    """A tuple would come back as a list, a number as a key as text: better nothing than something else."""
    node = TaskNode("a", data={"k": value})
    node.result = value

    snapshot = TaskTree(node).to_dict()

    (entry,) = snapshot["nodes"]
    assert entry.get("left_out") == ["data", "result"]
    assert {"data", "result"}.isdisjoint(entry)
    json.dumps(snapshot, allow_nan=False)


def test_value_that_contains_itself_is_left_out() -> None:
    """What has no end has no form in JSON."""
    endless: list[object] = []
    endless.append(endless)
    node = TaskNode("a")
    node.result = endless

    assert TaskTree(node).to_dict()["nodes"][0].get("left_out") == ["result"]


@pytest.mark.parametrize("value", [0, False, "", [], {}, 1.5, "ä\udcff", [{"a": None}]])
def test_values_of_json_come_back(value: object) -> None:
    """Through a file, and with their own type; also what is falsy."""
    node = TaskNode("a", data={"k": value})
    node.result = value

    (entry,) = json.loads(json.dumps(TaskTree(node).to_dict()))["nodes"]

    assert (entry["result"], entry["data"]) == (value, {"k": value})
    assert type(entry["result"]) is type(value)


def test_text_of_a_kind_becomes_plain_text() -> None:
    """Members of a `str` enum are their values for JSON."""
    node = TaskNode("a")
    node.result = Colour.RED

    result = TaskTree(node).to_dict()["nodes"][0].get("result")

    assert (result, type(result)) == ("red", str)


def test_later_changes_do_not_reach_the_snapshot() -> None:
    """A snapshot is of its moment, down to what lies in lists and dicts."""
    node = TaskNode("a", data={"rows": [1]})
    node.result = [{"n": 1}]
    tree = TaskTree(node)
    snapshot = tree.to_dict()

    node.data["rows"].append(2)
    node.result[0]["n"] = 2

    assert (snapshot["nodes"][0].get("data"), snapshot["nodes"][0].get("result")) == ({"rows": [1]}, [{"n": 1}])
