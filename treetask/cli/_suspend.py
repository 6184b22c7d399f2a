"""Ctrl-Z while a tree is painted: the terminal is given back to the shell as it was, and taken again by `fg`.

Knows one signal and a display; where there is no such signal, nothing happens here.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from treetask.display import CommandDisplay, restore_terminal


@contextmanager
def suspendable(display: CommandDisplay) -> Generator[None]:
    """While inside, stopping the process first shows the cursor, and continuing it goes on painting.

    Only in the main thread, and not where the process was started to ignore the signal, as without job control.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTSTP)
    if before is not signal.SIG_DFL:
        yield
        return

    def stop(signum: int, frame: FrameType | None) -> None:
        restore_terminal()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        # Here the process stops, with all its threads, until somebody continues it.
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, stop)
        display.hide_cursor()

    signal.signal(signal.SIGTSTP, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)
