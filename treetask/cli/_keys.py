"""Keys while a tree runs: from the terminal on standard input to the display, until a task reads that itself."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from treetask.cli._stdin import Asked
from treetask.display import LiveDisplay
from treetask.engine import AsyncExecutor


@contextmanager
def obeyed_keys(display: LiveDisplay, executor: AsyncExecutor, stdin: Asked) -> Generator[None]:
    """While inside, keys are obeyed, where rows are painted and we are in the terminal's foreground."""
    display.take_keys(stdin.descriptor, executor)
    stdin.watch(display.leave_keys)
    try:
        yield
    finally:
        stdin.unwatch()
        display.leave_keys()
