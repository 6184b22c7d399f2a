"""What a run tells those who listen: frozen facts, in the order in which they happened.

`at` is the run's clock in seconds. The nodes are the live ones: an observer that keeps an event keeps the node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from treetask.model._node import TaskNode
from treetask.model._status import TaskStatus
from treetask.model._tree import TaskTree


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run began; `wall` is the time of day then, in seconds since the epoch."""

    tree: TaskTree
    at: float
    wall: float


@dataclass(frozen=True, slots=True)
class NodeAdded:
    """A node came into the tree while it ran."""

    node: TaskNode
    at: float


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """A node went from one status to another; `attempt` counts from 1."""

    node: TaskNode
    old: TaskStatus
    new: TaskStatus
    at: float
    attempt: int


@dataclass(frozen=True, slots=True)
class ProgressChanged:
    """A node set its progress."""

    node: TaskNode
    progress: tuple[int, int] | None
    at: float


@dataclass(frozen=True, slots=True)
class LogExtended:
    """A node's body put out some lines, which are in its log now; `lines` come without their ends."""

    node: TaskNode
    lines: tuple[str, ...]
    at: float


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run is over: nothing of it runs any more and every node is in a terminal status."""

    tree: TaskTree
    at: float


Event: TypeAlias = RunStarted | NodeAdded | StatusChanged | ProgressChanged | LogExtended | RunEnded
