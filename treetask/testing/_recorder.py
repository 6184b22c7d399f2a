"""Keeps what a run tells, for tests to ask about. Knows the events and nothing of how they come about."""

from __future__ import annotations

from typing import TypeVar

from treetask.model import Event, StatusChanged, TaskNode, TaskStatus

E = TypeVar("E", bound=Event)


class Recorder:
    """An observer that keeps every event of a run.

        recorder = Recorder()
        executor = AsyncExecutor(tree)
        executor.subscribe(recorder)
        await executor.run()
        assert recorder.starts == ["root", "fetch", "parse"]

    Nodes are asked for by id or by themselves, and named by id.
    """

    def __init__(self) -> None:
        #: All events, in order.
        self.events: list[Event] = []

    def on_event(self, event: Event, /) -> None:
        """Keep an event."""
        self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def starts(self) -> list[str]:
        """The ids of the nodes that started, in order; once for each attempt."""
        return [event.node.id for event in self.of(StatusChanged) if event.new is TaskStatus.WORKING]

    @property
    def ends(self) -> list[str]:
        """The ids of the nodes that ended, in order, those that never started too."""
        return [event.node.id for event in self.of(StatusChanged) if event.new.is_terminal]

    def statuses(self, node: str | TaskNode) -> list[TaskStatus]:
        """Return the statuses that a node went through, the one before its first change included."""
        changes = self._changes(node)
        return [change.old for change in changes[:1]] + [change.new for change in changes]

    def times(self, node: str | TaskNode) -> list[float]:
        """Return when each of a node's changes happened, on the run's clock, in seconds."""
        return [change.at for change in self._changes(node)]

    def _changes(self, node: str | TaskNode) -> list[StatusChanged]:
        node_id = node.id if isinstance(node, TaskNode) else node
        return [event for event in self.of(StatusChanged) if event.node.id == node_id]
