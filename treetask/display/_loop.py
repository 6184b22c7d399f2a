"""How a thread has something done on the event loop that runs a tree. Loads no event loop, uses the one that runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

#: Has a function called on the thread of an event loop, soon. Raises `RuntimeError` once that loop is closed.
CallSoon = Callable[[Callable[[], None]], object]


def running_loop() -> CallSoon | None:
    """Return what reaches the event loop that runs in this thread; None where none runs."""
    # Another thread may be importing one of them just now. As long as the function is missing, no loop of it runs.
    get_running_loop: Any = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
    loop = None if get_running_loop is None else get_running_loop()
    if loop is not None:
        call_soon: CallSoon = loop.call_soon_threadsafe
        return call_soon
    current_token: Any = getattr(sys.modules.get("trio.lowlevel"), "current_trio_token", None)
    try:
        run_soon: CallSoon | None = None if current_token is None else current_token().run_sync_soon
    except RuntimeError:
        return None
    return run_soon
