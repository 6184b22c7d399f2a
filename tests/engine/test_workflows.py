"""Whole workflows with scarce slots: nothing begins too early, and what the most waits for goes first."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path

import pytest

from benchmarks.schedule import Workflow, made_up, read
from benchmarks.workflows import tree_of
from tests.engine.support import Log
from tests.sentences import exactly
from treetask import AsyncExecutor
from treetask.testing import VirtualClock

SHARED = os.environ.get("TREETASK_SHARED")
FILES = sorted(Path(SHARED, "wfinstances").glob("*.json")) if SHARED else []
NO_FILE = pytest.param(None, marks=pytest.mark.skip(reason="TREETASK_SHARED names no folder with workflows"))

recorded = functools.cache(read)


async def check_run(workflow: Workflow, slots: int, clock: VirtualClock) -> None:
    """Run a workflow, and compare what its bodies tell, and when it is over, with what it says."""
    log = Log()
    await AsyncExecutor(tree_of(workflow, slots, log.body)).run()

    place = {line: number for number, line in enumerate(log)}
    early = [
        (task, parent)
        for task, parents in workflow.parents.items()
        for parent in parents
        if place[f"{task} begins"] < place[f"{parent} ends"]
    ]
    assert early == []
    assert len(log) == len(place) == 2 * len(workflow.seconds)
    assert workflow.bound(slots) * 0.999_999 <= clock.now() <= workflow.ideal(slots) * 1.01


@pytest.mark.anyio
@pytest.mark.parametrize("slots", [1, 4, 16])
@pytest.mark.parametrize("seed", range(6))
async def test_made_up_workflow_takes_as_long_as_the_ideal_schedule(
    seed: int, slots: int, virtual_clock: VirtualClock
) -> None:
    """Within 1 %, with tasks that take no time, equal ones, and tasks that need nothing."""
    await check_run(made_up(seed), slots, virtual_clock)


@pytest.mark.anyio
@pytest.mark.parametrize("slots", [1, 4, 16])
@pytest.mark.parametrize("path", FILES or [NO_FILE], ids=lambda path: path.stem if path else "")
async def test_recorded_workflow_takes_as_long_as_the_ideal_schedule(
    path: Path, slots: int, virtual_clock: VirtualClock
) -> None:
    """Within 1 %, for what scientists once ran."""
    await check_run(recorded(path), slots, virtual_clock)


# -- what they are compared with ---------------------------------------------------------------------------------------


def test_made_up_workflows_have_what_makes_a_difference() -> None:
    """Many of them take longer in order of arrival, and all sorts of tasks are there."""
    workflows = [made_up(seed) for seed in range(6)]
    seconds = [each for workflow in workflows for each in workflow.seconds.values()]

    assert sum(each.first_come(4) > each.ideal(4) * 1.03 for each in workflows) >= 3
    assert seconds.count(0.0) > 10
    assert seconds.count(1.0) > 10
    assert max(seconds) > 100
    assert made_up(1) == made_up(1) != made_up(2)


def test_list_schedules_by_hand() -> None:
    """Two slots: by arrival the long task comes last, by the longest path first."""
    workflow = Workflow("by hand", {"a": 1, "b": 1, "c": 6, "d": 3}, {"a": [], "b": [], "c": [], "d": ["b"]})

    assert workflow.remaining == {"a": 1, "b": 4, "c": 6, "d": 3}
    assert [workflow.bound(slots) for slots in (1, 2, 3)] == [11, 6, 6]
    assert [workflow.first_come(slots) for slots in (1, 2, 3)] == [11, 7, 6]
    assert [workflow.ideal(slots) for slots in (1, 2, 3)] == [11, 6, 6]


def text_of(runs: dict[str, float], needed: dict[str, list[str]], version: str = "1.5") -> str:
    """Return a file of that format, with what is read of it."""
    tasks = [{"id": task, "parents": parents} for task, parents in needed.items()]
    executed = [{"id": task, "runtimeInSeconds": seconds} for task, seconds in runs.items()]
    return json.dumps(
        {"schemaVersion": version, "workflow": {"specification": {"tasks": tasks}, "execution": {"tasks": executed}}}
    )


def test_workflow_is_read(tmp_path: Path) -> None:
    """The graph comes from the specification, the seconds from the execution, whatever their order."""
    path = tmp_path / "small.json"
    path.write_text(text_of({"b": 2, "a": 0}, {"a": [], "b": ["a"]}), encoding="utf-8")

    workflow = read(path)

    assert workflow == Workflow("small", {"a": 0.0, "b": 2.0}, {"a": [], "b": ["a"]})
    assert list(workflow.seconds) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[", "is not in WfFormat 1.5: JSONDecodeError('Expecting value: line 1 column 2 (char 1)')"),
        ("{}", "is not in WfFormat 1.5: KeyError('schemaVersion')"),
        (text_of({"a": 1}, {"a": []}, "1.4"), "is in WfFormat 1.4; expected 1.5"),
        (text_of({"a": 1}, {"a": ["b"], "c": []}), "names tasks that were not run: b, c"),
        (text_of({"a": 0}, {"a": []}), "has no task that took any time"),
    ],
    ids=["no JSON", "something else", "another version", "unknown tasks", "no time"],
)
def test_file_of_another_kind_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    """The message names the file and what is wrong with it."""
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match=exactly(f"{path} {problem}")):
        read(path)
