"""Workflows as graphs of tasks with known run times, and how soon they could be over.

A workflow is read from a file in WfFormat 1.5 (https://wfcommons.org/format) or made up. Knows nothing of TreeTask,
whose schedules are compared with the ones here.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from itertools import chain, count
from pathlib import Path


@dataclass(frozen=True)
class Workflow:
    """Tasks by their ids, in the order of their declaration: the seconds that each takes, and what it needs."""

    name: str
    seconds: Mapping[str, float]
    parents: Mapping[str, list[str]]

    @cached_property
    def children(self) -> dict[str, list[str]]:
        """The tasks that need each one."""
        children: dict[str, list[str]] = {task: [] for task in self.seconds}
        for task, parents in self.parents.items():
            for parent in parents:
                children[parent].append(task)
        return children

    @cached_property
    def remaining(self) -> dict[str, float]:
        """The seconds of the longest path from the start of each task to the end of all."""
        longest = dict.fromkeys(self.seconds, 0.0)
        open_children = {task: len(children) for task, children in self.children.items()}
        ends = [task for task, number in open_children.items() if not number]
        for task in ends:
            longest[task] += self.seconds[task]
            for parent in self.parents[task]:
                longest[parent] = max(longest[parent], longest[task])
                open_children[parent] -= 1
                if not open_children[parent]:
                    ends.append(parent)
        return longest

    def bound(self, slots: int) -> float:
        """Return the seconds that no schedule can beat: the longest path, or all work shared evenly by the slots."""
        return max(*self.remaining.values(), sum(self.seconds.values()) / slots)

    def list_schedule(self, slots: int, rank: Callable[[str], float]) -> float:
        """Return when all is over if a free slot takes, of the tasks that can start, the one that ranks lowest.

        Of equals, the one that could start first, then the one declared first.
        """
        missing = {task: len(parents) for task, parents in self.parents.items()}
        turn = count()
        ready = [(rank(task), next(turn), task) for task, number in missing.items() if not number]
        ready.sort()
        running: list[tuple[float, int, str]] = []
        now = 0.0
        while ready or running:
            while ready and len(running) < slots:
                _, _, task = heappop(ready)
                heappush(running, (now + self.seconds[task], next(turn), task))
            now, _, ended = heappop(running)
            for child in self.children[ended]:
                missing[child] -= 1
                if not missing[child]:
                    heappush(ready, (rank(child), next(turn), child))
        return now

    def ideal(self, slots: int) -> float:
        """Return when all is over if the task with the longest path before it goes first."""
        return self.list_schedule(slots, lambda task: -self.remaining[task])

    def first_come(self, slots: int) -> float:
        """Return when all is over if tasks start in the order in which they can."""
        return self.list_schedule(slots, lambda task: 0)


def read(path: Path) -> Workflow:
    """Return the workflow in a file. Raises `ValueError` if it is not in WfFormat 1.5."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version, workflow = document["schemaVersion"], document["workflow"]
        if version != "1.5":
            raise ValueError(f"{path} is in WfFormat {version}; expected 1.5")
        parents = {task["id"]: task["parents"] for task in workflow["specification"]["tasks"]}
        seconds = {task["id"]: float(task["runtimeInSeconds"]) for task in workflow["execution"]["tasks"]}
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not in WfFormat 1.5: {error!r}") from error
    unknown = {*parents, *chain.from_iterable(parents.values())} - seconds.keys()
    if unknown:
        raise ValueError(f"{path} names tasks that were not run: {', '.join(sorted(unknown))}")
    if not any(seconds[task] for task in parents):
        raise ValueError(f"{path} has no task that took any time")
    return Workflow(path.stem, {task: seconds[task] for task in parents}, parents)


def made_up(seed: int) -> Workflow:
    """Return a workflow in layers, the same for the same seed.

    Most tasks are short and few very long; some take equally long, and some no time at all.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret depends on it
    seconds: dict[str, float] = {}
    parents: dict[str, list[str]] = {}
    above: list[str] = []
    for layer in range(chance.randint(3, 8)):
        names = [f"{layer}.{number}" for number in range(chance.randint(1, 40))]
        for name in names:
            parents[name] = chance.sample(above, min(len(above), chance.randint(0, 3)))
            seconds[name] = chance.choice([0.0, 1.0, *(chance.paretovariate(1.1) for _ in range(8))])
        above += names
    return Workflow(f"made up {seed}", seconds, parents)
