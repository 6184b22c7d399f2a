"""How a thread has something done on the event loop that runs a tree. Loads no event loop, uses the one that runs."""

from __future__ import annotations

import sys
from collections.abc import Callable

#: Has a function called on the thread of an event loop, soon. Raises `RuntimeError` once that loop is closed.
CallSoon = Callable[[Callable[[], None]], object]


def running_loop() -> CallSoon | None:
    """Return what reaches the event loop that runs in this thread; None where none runs."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        try:
            call_soon: CallSoon = asyncio.get_running_loop().call_soon_threadsafe
        except RuntimeError:
            pass
        else:
            return call_soon
    trio = sys.modules.get("trio")
    if trio is not None:
        try:
            run_soon: CallSoon = trio.lowlevel.current_trio_token().run_sync_soon
        except RuntimeError:
            pass
        else:
            return run_soon
    return None
