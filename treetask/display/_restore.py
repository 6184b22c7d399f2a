"""What has to be undone before the process ends: hidden cursors, painted rows, a terminal that hands over single keys.

Whoever changes a terminal notes itself down here; `restore_terminal` lets each leave it as it was.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, Protocol


class Guest(Protocol):
    """Who has changed a terminal."""

    def leave(self) -> None:
        """Leave the terminal as it was found. At any moment, in any thread and in a signal handler."""


#: The guests, and the process of each: a child that was forked has nothing to restore.
_guests: Final[dict[Guest, int]] = {}


def remember(guest: Guest) -> None:
    """Note down who has changed a terminal."""
    if guest not in _guests:
        atexit.unregister(restore_terminal)
        atexit.register(restore_terminal)
        _guests[guest] = os.getpid()


def forget(guest: Guest) -> None:
    """Note that somebody has left a terminal as it was."""
    _guests.pop(guest, None)


def guests() -> Iterator[Guest]:
    """Yield who has changed a terminal and not left it yet."""
    return iter(list(_guests))


def restore_terminal() -> None:
    """Leave every terminal as it was found: the cursor visible below what is shown, lines wrapping, keys echoed.

    For whoever ends the process without leaving the `with` block of a display, as on a second signal. May be called at
    any time, more than once; what is shown stays. A normal end of the process does this by itself.
    """
    for guest, process in list(_guests.items()):
        with suppress(KeyError):
            del _guests[guest]
        if process == os.getpid():
            guest.leave()
