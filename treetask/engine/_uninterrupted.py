"""Does in a thread what blocks and must not be left half done, such as opening a journal or closing it.

The thread is its own: those that bodies may hold are perhaps never given back. Knows nothing of what is done there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import anyio

from treetask.engine._loop import current_loop
from treetask.engine._threads import busy_threads

T = TypeVar("T")


async def uninterrupted(act: Callable[[], T]) -> tuple[T, BaseException | None]:
    """Return what `act` returns, and what has interrupted the wait for it, which is for the caller to raise in the end.

    A cancelled scope is heard of at the caller's next wait. asyncio's own `Task.cancel()` reaches into a shield, so
    that it is held back here. Raises what `act` raises, or what has interrupted it if it fails as well.
    """
    loop, busy, is_over = current_loop(), busy_threads(), anyio.Event()
    results: list[T] = []
    errors: list[BaseException] = []

    def end() -> None:
        busy.add(-1)
        is_over.set()

    def run() -> None:
        try:
            results.append(act())
        except BaseException as error:
            errors.append(error)
        loop.call_from_anywhere(end)

    interruption: BaseException | None = None
    thread = threading.Thread(target=run, name="treetask journal")
    busy.add(1)
    thread.start()
    while not is_over.is_set():
        try:
            with anyio.CancelScope(shield=True):
                await is_over.wait()
        except BaseException as error:
            interruption = interruption or error
    if errors:
        raise errors[0] if interruption is None else interruption
    return results[0], interruption
