"""What is to happen at a certain time of the run: one task that sleeps until the next of it is due."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from heapq import heapify, heappop, heappush
from typing import Final

import anyio

from treetask.engine._loop import Loop

#: So many timers, stale or not, do no harm.
_FEW: Final = 64


def _never() -> bool:
    return False


class Timers:
    """Functions to be called at given times of the loop's clock. Costs nothing until there is one."""

    def __init__(self, loop: Loop, call: Callable[[Callable[[], None]], None]) -> None:
        self._loop: Final = loop
        #: Calls what is due, and takes care of what it raises.
        self._call: Final = call
        self._due: Final[list[tuple[float, int, Callable[[], None], Callable[[], bool]]]] = []
        #: When there are so many, those that are of no use any more are let go.
        self._many = _FEW
        self._count = 0
        self._nap: anyio.CancelScope | None = None
        self._is_running = False
        self._is_closed = False

    def at(self, when: float, act: Callable[[], None], is_stale: Callable[[], bool] = _never) -> None:
        """Call a function at a time of the loop's clock, in seconds; never, once closed.

        If it is stale before, it may be let go uncalled, with all that it holds.
        """
        if self._is_closed:
            return
        self._count += 1
        if len(self._due) >= self._many:
            self._due[:] = [timer for timer in self._due if not timer[3]()]
            heapify(self._due)
            self._many = max(_FEW, 2 * len(self._due))
        heappush(self._due, (when, self._count, act, is_stale))
        if not self._is_running:
            self._is_running = True
            self._loop.start(self._keep)
        elif self._nap is not None and self._due[0][1] == self._count:
            self._nap.cancel()

    def close(self) -> None:
        """Call nothing any more."""
        self._is_closed = True
        self._due.clear()
        if self._nap is not None:
            self._nap.cancel()

    async def _keep(self) -> None:
        with anyio.CancelScope(shield=True):
            while self._due and not self._is_closed:
                # asyncio's own cancellations know no shield; who cancels all tasks there are does not mean this one.
                with suppress(self._loop.cancelled), anyio.CancelScope(deadline=self._due[0][0]) as self._nap:
                    await anyio.sleep_forever()
                self._nap = None
                while self._due and self._due[0][0] <= self._loop.now():
                    self._call(heappop(self._due)[2])
        self._is_running = False
        self._loop.leave()
