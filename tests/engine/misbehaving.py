"""Where a body misbehaves, and others come after it."""

from __future__ import annotations

from tests.engine.support import sleeps
from treetask import TaskTree, TreeBuilder, TreeTaskConfig
from treetask.model import TaskFunction

KEEP_GOING = TreeTaskConfig(max_retries=0, on_failure="continue")


def after(body: TaskFunction) -> TaskTree:
    """Return a sequence in which the first body misbehaves and the others wait, on the same worker if they may."""
    builder = TreeBuilder("root", parallel=False, config=KEEP_GOING).add_child("leaks", task=body)
    for number in range(3):
        builder.add_child(f"next {number}", task=sleeps(10))
    return builder.build()
