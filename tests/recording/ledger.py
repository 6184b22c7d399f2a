"""A journal that answers when the test says so, and the store that gives it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from treetask import TaskNode, TaskStatus, TaskTree


class Ledger:
    """Is the store and the journal of one run: writes nothing, notes everything.

    With `answers_at_once` an end is on record as soon as it was asked for; else `answer` says so.
    """

    def __init__(self, *, answers_at_once: bool = False, capacity: int = 1000) -> None:
        self.changes: list[str] = []
        self.asked: list[tuple[TaskNode, TaskStatus]] = []
        self.recorded: list[str] = []
        self.is_closed = False
        self.known: dict[str, object] = {}
        self.kept: dict[str, object] = {}
        self.answers_at_once = answers_at_once
        self._capacity = capacity
        self._on_recorded: Callable[[Sequence[TaskNode]], None] | None = None
        self._on_failed: Callable[[BaseException], None] | None = None

    def open_journal(self, tree: TaskTree, /) -> Ledger:
        for node in tree.walk():
            self.adopt(node)
        return self

    def begin(
        self,
        now: Callable[[], float],
        on_recorded: Callable[[Sequence[TaskNode]], None],
        on_failed: Callable[[BaseException], None],
    ) -> None:
        self._on_recorded, self._on_failed = on_recorded, on_failed

    @property
    def is_full(self) -> bool:
        return len(self.asked) >= self._capacity

    def adopt(self, node: TaskNode) -> None:
        """Let a node be done that is known by its id."""
        if node.id in self.known:
            node.status = "done"
            node.result = self.known[node.id]

    def recall(self, node: TaskNode) -> tuple[bool, object]:
        """Find a result by the id of its node."""
        return (True, self.kept[node.id]) if node.id in self.kept else (False, None)

    def status_changed(self, node: TaskNode, old: TaskStatus, new: TaskStatus, at: float) -> None:
        self.changes.append(f"{node.id} {new}")

    def record(self, node: TaskNode, status: TaskStatus, at: float) -> None:
        self.asked.append((node, status))
        if self.answers_at_once:
            self.answer()

    def close(self) -> None:
        self.is_closed = True

    def answer(self, *ids: str) -> None:
        """Say that ends are on record: those of these nodes, or all that were asked for."""
        assert self._on_recorded is not None
        nodes = [node for node, _ in self.asked if not ids or node.id in ids]
        self.asked = [(node, status) for node, status in self.asked if node not in nodes]
        self.recorded += [node.id for node in nodes]
        self._on_recorded(nodes)

    def fail(self, error: BaseException) -> None:
        """Say that nothing will be on record any more."""
        assert self._on_failed is not None
        self._on_failed(error)
