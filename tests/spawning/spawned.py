"""Children for bodies to spawn."""

from __future__ import annotations

import anyio

from treetask import AsyncExecutor, Registry, TaskTree

leaves = Registry("leaves")


@leaves.task
async def work(seconds: float, key: str = "") -> float:
    """Take some time and return it."""
    await anyio.sleep(seconds)
    return seconds


@leaves.task
def plain(number: int) -> int:
    """Return the number, from a thread."""
    return number


@leaves.task
async def broken(seconds: float = 0, key: str = "") -> None:
    """Fail, after a while."""
    await anyio.sleep(seconds)
    raise OSError("broken")


async def run(tree: TaskTree) -> object:
    """Run a tree and return the root's result."""
    await AsyncExecutor(tree).run()
    return tree.root.result
