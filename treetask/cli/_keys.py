"""What is typed while a tree is painted: keys for the display, until a task asks, and then answers for the task."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from treetask.cli._stdin import Asked
from treetask.display import CommandDisplay
from treetask.engine import AsyncExecutor


@contextmanager
def typed(display: CommandDisplay, executor: AsyncExecutor, stdin: Asked, *, obeys_keys: bool) -> Generator[None]:
    """While inside, an answer to a task is not painted over; keys are obeyed in the terminal's foreground, or never."""
    if obeys_keys:
        display.take_keys(stdin.descriptor, executor)
    stdin.watch(display.leave_keys, display.wait_for_answer)
    try:
        yield
    finally:
        stdin.unwatch()
        display.leave_keys()
