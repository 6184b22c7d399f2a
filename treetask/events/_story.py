"""A whole run, told from its end: what a report needs to know, made of the run's lines and of nothing else.

Times are seconds since the run began; below zero is what an earlier life of the same run had done. Knows neither
trees nor files.
"""

from __future__ import annotations

from dataclasses import dataclass

from treetask.events._lines import Fault
from treetask.model import TaskStatus


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a node: from its start to its end, or to the end of what is on record."""

    #: Counts from 1, over all times that it began anew.
    number: int
    started_at: float
    ended_at: float | None
    #: How it ended; `working` where that is not on record.
    status: TaskStatus
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class StoryNode:
    """One node as it was in the end."""

    id: str
    name: str
    #: The place of the parent among the nodes of the story; -1 for the root.
    parent: int
    has_body: bool
    status: TaskStatus
    #: When it began and when it ended, as far as it counts: it begins anew where a node around it is repeated.
    started_at: float | None
    ended_at: float | None
    attempts: tuple[Attempt, ...]
    #: The most retries that there may be; None where there is no bound.
    max_retries: int | None
    progress: tuple[float, float] | None
    reason: str | None
    #: Of its last attempt.
    faults: tuple[Fault, ...]
    #: Whether it failed because a node below it did.
    failed_below: bool
    #: The lines that its body put out, the last 64 KB of them.
    log: tuple[str, ...]
    #: The places of what it waited for.
    depends_on: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """One run."""

    name: str
    #: The number of the run in its store.
    run: int | None
    target: str | None
    #: When it began, in seconds since the epoch.
    wall: float
    #: How long it took, or what is on record of it, in seconds.
    elapsed: float
    #: How it ended; `working` where that is not on record: it was broken off, or goes on.
    status: TaskStatus
    #: Parents before children, siblings in their order.
    nodes: tuple[StoryNode, ...]
    #: Lines that nobody knows the node of.
    log: tuple[str, ...]
    #: How many tasks (nodes without children) ended in each status, those included that were folded.
    counts: dict[TaskStatus, int]
