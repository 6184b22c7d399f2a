"""Signals of a run in the main thread; how a command is interrupted is tested with the command line."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from anyio.lowlevel import checkpoint

from treetask import Registry

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGTERM"])
def test_signal_that_the_process_ignores_ends_no_run(name: str) -> None:
    """As under `nohup`, or in the background of a script: whoever started us said so, and it stays so."""
    number = getattr(signal, name)
    tree = Registry("goes_on")

    @tree.task
    async def is_signalled() -> str:
        os.kill(os.getpid(), number)
        for _ in range(10):
            await checkpoint()
        return "done all the same"

    before = signal.signal(number, signal.SIG_IGN)
    try:
        result = tree.run_sync()
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)

    assert result[is_signalled] == "done all the same"
