"""What the tests of processes are written with: programs, bodies that run them, and whether one is still there.

The processes are real, and so is the time that they take; nothing here waits for a duration of it. Where a test needs
to know that a process runs, the process says so; where it has to know that one is gone, it looks at a named pipe that
the process holds open.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.engine.support import ended, node_of, until
from treetask import AsyncExecutor, ProcessResult, TaskNode, TaskTree, TreeBuilder, TreeFailed, TreeTaskConfig
from treetask.engine import busy_threads

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals, no named pipes and no sh")
#: A process that says that it runs, and then does so until it is ended.
FOREVER = "import time; print('runs', flush=True); time.sleep(1000)"
#: One that does not end when it is asked to.
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('runs', flush=True); time.sleep(1000)"
)
#: How a process sleeps that handles a signal. One long sleep may begin just after the signal has come, and Python's own
#: handlers are called when it is over. (Nor may they print: they may have interrupted a print.)
NAP = "while True: time.sleep(0.01)"
#: A grace that no test waits for, since it is longer than a test may take, in seconds.
LONG = 40


def python(code: str, *words: str | Path) -> list[str | Path]:
    """A command that runs some code, as fast as Python starts."""
    return [sys.executable, "-I", "-S", "-c", code, *words]


def run(command: Any, **options: Any) -> Callable[[TaskNode], Awaitable[ProcessResult]]:  # noqa: ANN401 - as users hand it in
    """A body that runs a process and returns how it was."""

    async def body(node: TaskNode) -> ProcessResult:
        result: ProcessResult = await node.run_process(command, **options)
        return result

    return body


def tree_of(body: Callable[[TaskNode], Any], **options: Any) -> TaskTree:  # noqa: ANN401 - as users hand them in
    """A root with one task, `work`."""
    config = TreeTaskConfig(max_retries=0, **options)
    return TreeBuilder("root", config=config).add_child("work", task=body).build()


async def result_of(body: Callable[[TaskNode], Any]) -> tuple[Any, list[str]]:
    """What a body that runs alone returns, and its log."""
    tree = tree_of(body)
    await AsyncExecutor(tree).run()
    assert busy_threads().count == 0
    return node_of(tree, "work").result, node_of(tree, "work").log


async def failure_of(body: Callable[[TaskNode], Any]) -> BaseException:
    """What a body that runs alone raises."""
    tree = tree_of(body)
    assert isinstance(await ended(tree), TreeFailed)
    assert busy_threads().count == 0
    exception = node_of(tree, "work").exception
    assert exception is not None
    return exception


async def saying(node: TaskNode, line: str = "runs") -> None:
    """Wait until a process has said so."""
    await until(lambda: line in node.log)


class Pulse:
    """A named pipe that processes hold open as long as they live. They are killed with the test at the latest."""

    #: What a process does to hold it open, and to be known.
    HOLD = "import os, sys; pulse = open(sys.argv[1], 'w'); print(os.getpid(), file=pulse, flush=True); "

    def __init__(self, folder: Path) -> None:
        self.path = folder / "pulse"
        os.mkfifo(self.path)
        self._reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self._read = b""

    def beats(self) -> bool:
        """Whether a process holds it open."""
        while True:
            try:
                data = os.read(self._reader, 1_000)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._read += data

    @property
    def pids(self) -> list[int]:
        """Whoever has held it open."""
        self.beats()
        return [int(line) for line in self._read.split()]

    async def begins(self) -> None:
        """Wait until a process holds it open."""
        await until(lambda: bool(self.pids))

    async def stops(self) -> None:
        """Wait until no process does: one that was killed is gone soon."""
        await until(lambda: not self.beats())

    def close(self) -> None:
        """End what is left."""
        if self.beats():
            for pid in self.pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        os.close(self._reader)
