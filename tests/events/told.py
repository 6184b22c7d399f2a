"""Runs whose lines are looked at."""

from __future__ import annotations

from contextlib import suppress

from treetask import AsyncExecutor, TaskTree, TreeCancelled, TreeFailed
from treetask.events import EventWriter, Line, lines_of


async def told(tree: TaskTree) -> list[Line]:
    """Run a tree and return the lines of it, as they are read again; wall clocks stand still."""
    return list(lines_of(await told_bytes(tree), "events"))


async def told_bytes(tree: TaskTree) -> list[bytes]:
    """Run a tree and return the lines of it, as they are written."""
    written: list[bytes] = []
    writer = EventWriter(written.append, wall=lambda: 1_000.0)
    executor = AsyncExecutor(tree)
    executor.subscribe(writer)
    with suppress(TreeFailed, TreeCancelled):
        await executor.run()
    writer.close()
    return written
