"""Reports what keeps an event loop from turning while a run lasts: which node's body, for how long, and where.

One thread of the process watches the loops of all runs. Where it finds a loop's thread in users' code, it asks the loop
for a beat: a callback, which a loop that turns soon makes. A loop that waits for events is not woken for that, and of
the steps that bodies take nothing is kept.

To start a thread costs as much as to run a small tree, and a timer of the loop would come too late for the first body.
So the thread is started with the first run, waits a second after the last one for another, and ends: what most runs pay
is to be put on a list, a few microseconds, and while one lasts the looks take a thousandth of one CPU. The thread is a
daemon, and a forked process begins with none.

Time is real here, whatever the loop's own clock says, but for the time in which the whole process stood still, stopped
by Ctrl-Z or asleep with its machine: then the thread's own nap takes too long. If the process has computed meanwhile,
it was not that but foreign code that keeps the interpreter to itself. Such code is reported when it lets go.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Protocol

from treetask import _clock
from treetask.engine._loop import Loop
from treetask.engine._stack import Stack, innermost_frame, runs_user_code
from treetask.model import TaskNode, TaskTree

_logger: Final = logging.getLogger("treetask")

#: Looks in the time that is allowed: what blocks for a quarter longer than that is not missed.
_LOOKS: Final = 4
#: Bounds of the time between two looks, in seconds: it must neither busy the machine nor overflow a timer.
_SHORTEST_PACE: Final = 0.01
_LONGEST_PACE: Final = 60.0
#: Seconds for which the thread waits for another run.
_PATIENCE: Final = 1.0
#: A process that computes for less than this part of the time stands still; a busy machine leaves it more.
_COMPUTING: Final = 0.1
#: What still blocks is reported again when it has lasted so many times as long; that is ten lines for a day.
_MUCH_LONGER: Final = 4
#: How long it was in the end is told if it was so many times as long as was told before.
_LONGER: Final = 1.5
#: A line that has blocked so often is reported at every doubling only.
_TIMES_TOLD: Final = 8


class Watched(Protocol):
    """A run, as far as the watchdog knows it."""

    @property
    def tree(self) -> TaskTree: ...

    @property
    def loop(self) -> Loop: ...

    def node_of(self, task: object) -> TaskNode | None:
        """Return the node whose body runs in a task of the loop, or started it; from any thread."""
        ...


class _Beat:
    """What a loop was asked for, once, while it ran a task's code, or none's."""

    def __init__(self, task: object, asked_at: float, patience: float) -> None:
        self.task: Final = task
        self.asked_at = asked_at
        self.came_at: float | None = None
        #: Seconds after which there is something to tell.
        self.patience = patience
        self.is_counted = False
        #: Who was reported, and after how long.
        self._told: tuple[str, float] | None = None
        self._lock: Final = threading.Lock()

    def come(self) -> None:
        """Be the callback that the loop makes."""
        self.came_at = _clock.monotonic()

    def blame(self, who: str, waited: float, remark: str, stack: Stack) -> None:
        """Report who keeps the beat from coming, and the way out."""
        self._told = who, waited
        fix = "use anyio.to_thread.run_sync, or declare the body with plain def"
        lines = "\n".join([*stack.lines(), f"  {fix}"])
        _logger.warning("%s has blocked the event loop for over %s%s:\n%s", who, _shown(waited), remark, lines)

    def tell_end(self, at: float) -> None:
        """Report how long it was, if that is much longer than was reported. From any thread."""
        with self._lock:
            told, self._told = self._told, None
        if told is not None and at - self.asked_at >= told[1] * _LONGER:
            _logger.warning("%s blocked the event loop for over %s in all", told[0], _shown(at - self.asked_at))


class _Watch:
    """Whether one loop turns, on behalf of all runs on it. All but `look` is called there."""

    def __init__(self, loop: Loop) -> None:
        self._loop: Final = loop
        self._thread: Final = threading.get_ident()
        self._runs: Final[dict[Watched, float]] = {}
        self._limit = 0.0
        self._beat: _Beat | None = None
        #: How often each line has blocked.
        self._times: Final[dict[tuple[str, int], int]] = {}

    @property
    def pace(self) -> float:
        """The time between two looks, in seconds."""
        return min(max(self._limit / _LOOKS, _SHORTEST_PACE), _LONGEST_PACE)

    def add(self, run: Watched, limit: float) -> None:
        self._runs[run] = limit
        self._limit = min(self._runs.values())

    def remove(self, run: Watched) -> bool:
        """Forget a run; return whether it was the last one."""
        del self._runs[run]
        self._limit = min(self._runs.values(), default=self._limit)
        return not self._runs

    def close(self) -> None:
        """Tell what is left to tell. Whoever calls this proves that the loop turns."""
        beat = self._beat
        if beat is not None:
            beat.tell_end(_clock.monotonic() if beat.came_at is None else beat.came_at)

    def look(self, now: float, due: float, stood: float) -> None:
        """See whether the loop turns. The look was due at some time, and for some of it the process stood still."""
        beat, task, frame = self._beat, self._loop.running_task(), innermost_frame(self._thread)
        if beat is not None:
            beat.asked_at += stood
            # Another task begins anew: it may be the first chance for the beat, or blocks in its turn.
            if beat.came_at is not None or beat.task is not task:
                beat.tell_end(now if beat.came_at is None else beat.came_at)
                beat = self._beat = None
        if frame is None or not runs_user_code(frame) or not self._runs:
            return
        is_new = beat is None
        if beat is None:
            beat = self._beat = _Beat(task, due, max(self._limit, self.pace))
        if now - beat.asked_at >= beat.patience:
            self._report(beat, now, Stack(frame))
        # Last, since to reach a loop gives way to it: what has blocked it until now may be over then.
        if is_new:
            self._ask(beat)

    def _ask(self, beat: _Beat) -> None:
        try:
            self._loop.call_from_anywhere(beat.come)
        except RuntimeError:
            # That loop is closed: it blocks nobody.
            beat.come()

    def _report(self, beat: _Beat, now: float, stack: Stack) -> None:
        if not stack.places:
            return
        if stack.is_at_breakpoint:
            beat.asked_at = now
            return
        waited = now - beat.asked_at
        beat.patience = waited * _MUCH_LONGER
        remark = ""
        if not beat.is_counted:
            beat.is_counted = True
            line = (stack.places[0].file, stack.places[0].line)
            times = self._times[line] = self._times.get(line, 0) + 1
            if times > _TIMES_TOLD:
                if times & (times - 1):
                    return
                remark = f" ({times} times in this line)"
        beat.blame(self._who(beat.task, stack), waited, remark, stack)

    def _who(self, task: object, stack: Stack) -> str:
        runs = list(self._runs)
        if not stack.is_observers and task is not None:
            for run in runs:
                node = run.node_of(task)
                if node is not None:
                    return f"'{node.id}'"
        return f"something that is no task of '{runs[0].tree.root.id}'" if runs else "something"


class Watchdog:
    """The thread, and the loops that it watches."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, in a forked process: the thread is not in it, and whoever held the lock is not either."""
        self._lock = threading.Lock()
        self._watches: dict[object, _Watch] = {}
        self._thread: threading.Thread | None = None
        self._has_news = False
        #: Ends the thread's nap, for a run that needs more looks than those before it.
        self._alarm = threading.Event()
        self._pace = _LONGEST_PACE

    @contextmanager
    def watching(self, run: Watched, limit: float | None) -> Generator[None, None, None]:
        """Report, inside, what blocks the current event loop for longer than `limit` seconds; nothing if it is None."""
        if limit is None:
            yield
            return
        self._add(run, limit)
        try:
            yield
        finally:
            self._remove(run)

    def _add(self, run: Watched, limit: float) -> None:
        with self._lock:
            watch = self._watches.get(run.loop.identity)
            if watch is None:
                watch = self._watches[run.loop.identity] = _Watch(run.loop)
            watch.add(run, limit)
            self._has_news = True
            if self._thread is None:
                self._start(watch.pace)
            elif watch.pace < self._pace:
                self._alarm.set()

    def _start(self, pace: float) -> None:
        self._pace = pace
        self._thread = threading.Thread(target=self._work, name="treetask-watchdog", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            # The interpreter is about to end, or has no threads at all: a run does without.
            self._thread = None
            _logger.debug("what blocks the event loop is not reported: %s", error)

    def _remove(self, run: Watched) -> None:
        key = run.loop.identity
        with self._lock:
            watch = self._watches.get(key)
            # There is none in a process that a body has forked.
            if watch is None or not watch.remove(run):
                return
            del self._watches[key]
        watch.close()

    def _work(self) -> None:
        try:
            self._keep_looking()
        except BaseException:
            # Nothing but a handler of `logging` raises here. The next run gets a new thread.
            with self._lock:
                self._thread = None
            raise

    def _keep_looking(self) -> None:
        needed_at = _clock.monotonic()
        while True:
            now, due, stood = self._nap()
            with self._lock:
                watches = list(self._watches.values())
                if watches or self._has_news:
                    needed_at = now
                elif now - needed_at >= _PATIENCE:
                    self._thread = None
                    return
                self._has_news = False
                self._pace = min((watch.pace for watch in watches), default=min(self._pace, _PATIENCE))
            for watch in watches:
                watch.look(now, due, stood)

    def _nap(self) -> tuple[float, float, float]:
        """Return what the time is then, when it should have been over, and for how long the process stood still."""
        pace, began, computed = self._pace, _clock.monotonic(), _clock.cpu()
        self._alarm.wait(pace)
        self._alarm.clear()
        now = _clock.monotonic()
        stood = _standstill(now - began, pace, _clock.cpu() - computed)
        return now, min(now, began + pace + stood), stood


def _standstill(nap: float, pace: float, computed: float) -> float:
    """Return for how much of a nap, that was to take one pace, the process stood still. It has computed for a while."""
    late = nap - pace
    return late if late > pace and computed - pace < late * _COMPUTING else 0.0


def _shown(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2f} s"


watchdog: Final = Watchdog()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=watchdog.forget)
