"""Runs a tree from plain code, in the main thread, where signals arrive: Ctrl-C stops a run in order.

The first signal cancels the run: bodies are interrupted and clean up. The second asks for no more patience
(`Run._hurry`): what always runs is stopped as well, what still cleans up is named at once, and the processes that it
runs are killed. The third leaves at once, and kills whatever processes there are. Under a plain `await run()` nothing
is installed: asyncio cancels the task that awaits it (`Run._wait_until_over`; from Python 3.11, and the first time),
trio raises in the body that runs (`Loop.protect`, `Crew._on_fatal`). A handler only notes the signal and hands the rest
to the event loop, since it may interrupt the scheduler in the middle of a decision.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from os import PathLike
from types import FrameType
from typing import Any, Final

import anyio

from treetask._errors import TreeTaskError
from treetask.abc import RunStore
from treetask.engine._executor import AsyncExecutor
from treetask.engine._loop import is_on_loop
from treetask.model import ExecutionResult, TaskTree, TreeCancelled, TreeFailed, TreeTaskConfig

#: How many signals it takes to leave without waiting any longer.
_LEAVE_AT: Final = 3

_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)


class Interrupted(TreeTaskError):
    """A run that a signal ended. `exit_code` is what a shell expects: 128 and the signal's number."""

    def __init__(self, signum: int, result: ExecutionResult[Any]) -> None:
        super().__init__(f"'{result.tree.root.id}' was interrupted by {signal.Signals(signum).name}")
        self.signum: Final = signum
        self.exit_code: Final = 128 + signum
        self.result: Final = result


def run_in_main(
    executor: AsyncExecutor,
    *,
    backend: str = "asyncio",
    on_signal: Callable[[int], None] | None = None,
    before_leaving: Callable[[], None] | None = None,
) -> TaskTree:
    """Run a tree to its end on a new event loop and return it.

    In the main thread SIGINT, SIGTERM and SIGHUP are handled, unless the process ignores them: `on_signal(count)` is
    called on the loop for each of the first two, `before_leaving()` before the third ends the process with 128 + its
    number.

    Raises what `AsyncExecutor.run` raises, or `Interrupted` once the run that a signal cancelled has ended.
    """
    watch = _SignalWatch(executor, on_signal, before_leaving)
    with watch.installed():
        try:
            return anyio.run(executor.run, backend=backend)
        except (TreeCancelled, TreeFailed) as ended:
            if watch.first is not None:
                raise Interrupted(watch.first, ended.result) from None
            raise


def run_sync(
    tree: TaskTree,
    *,
    config: TreeTaskConfig | None = None,
    store: RunStore | str | PathLike[str] | None = None,
) -> TaskTree:
    """Run a tree to its end on a new asyncio loop and return it.

    Raises what `AsyncExecutor.run` raises; after a signal, and an ordered end, KeyboardInterrupt or `SystemExit` with
    128 + its number; `TreeTaskError` where an event loop runs already.
    """
    if is_on_loop():
        raise TreeTaskError(
            f"'{tree.root.id}': run_sync was called on a running event loop, which it would block; write: await run()"
        )
    try:
        return run_in_main(AsyncExecutor(tree, config=config, store=store))
    except Interrupted as interrupted:
        if interrupted.signum == signal.SIGINT:
            raise KeyboardInterrupt from interrupted
        raise SystemExit(interrupted.exit_code) from interrupted


class _SignalWatch:
    """Counts the signals of one run."""

    def __init__(
        self,
        executor: AsyncExecutor,
        on_signal: Callable[[int], None] | None,
        before_leaving: Callable[[], None] | None,
    ) -> None:
        self.first: int | None = None
        self._executor = executor
        self._on_signal = on_signal
        self._before_leaving = before_leaving
        self._count = 0

    @contextmanager
    def installed(self) -> Generator[None, None, None]:
        """Handle signals inside, where that is possible: only the main thread may."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # What the process was started to ignore stays so: a hangup under `nohup`, Ctrl-C in a script's background.
        heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._handle) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        self._count += 1
        if self.first is None:
            self.first = signum
        if self._count >= _LEAVE_AT:
            if self._before_leaving is not None:
                self._before_leaving()
            self._executor.kill_processes()
            os._exit(128 + signum)
        if self._count == 1:
            self._executor.cancel(f"interrupted by {signal.Signals(signum).name}")
        else:
            self._executor.hurry()
        if self._on_signal is not None:
            self._executor.call_on_loop(partial(self._on_signal, self._count))
