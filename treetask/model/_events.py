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
    """A node came into the tree while it ran, below a parent, and in a status: that of an earlier run, or pending."""

    node: TaskNode
    at: float
    parent: TaskNode | None
    status: TaskStatus


@dataclass(frozen=True, slots=True)
class NodeRemoved:
    """A node left the tree, with all below it: what an attempt had added that failed, say."""

    node: TaskNode
    at: float


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """A node went from one status to another; `attempt` counts from 1, and is the next one where it is retried.

    `exception`, `error` and `reason` are those that the node had then: when this is told it may be further.
    """

    node: TaskNode
    old: TaskStatus
    new: TaskStatus
    at: float
    attempt: int
    exception: BaseException | None = None
    error: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ProgressChanged:
    """A node set its progress, in an attempt that counts from 1: when this is told the next one may have begun."""

    node: TaskNode
    progress: tuple[int, int] | None
    at: float
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class LogExtended:
    """A node's body put out some lines, which are in its log now; `lines` come without their ends.

    `attempt` counts from 1: when this is told the next one may have begun.
    """

    node: TaskNode
    lines: tuple[str, ...]
    at: float
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run is over: nothing of it runs any more and every node is in a terminal status."""

    tree: TaskTree
    at: float


Event: TypeAlias = RunStarted | NodeAdded | NodeRemoved | StatusChanged | ProgressChanged | LogExtended | RunEnded
