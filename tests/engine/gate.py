"""What holds plain bodies in their threads, so that a test decides when they return."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.engine.support import until
from treetask import TaskNode


class Gate:
    """Holds plain bodies in their threads until it is opened, and counts them."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.inside = 0
        self.most_inside = 0
        self.threads: set[int] = set()
        self._lock = threading.Lock()

    def __call__(self, node: TaskNode) -> str:
        """Wait, as a body does."""
        self.wait()
        return node.id

    def wait(self) -> None:
        """Wait until it is opened."""
        with self._lock:
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
            self.threads.add(threading.get_ident())
        self.open.wait()
        with self._lock:
            self.inside -= 1

    async def has(self, count: int) -> None:
        """Wait until as many bodies are inside."""
        await until(lambda: self.inside == count)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that is open in the end, so that no thread outlives its test."""
    gate = Gate()
    yield gate
    gate.open.set()
