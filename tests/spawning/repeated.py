"""Children for bodies that are repeated, and a way to tell which of them ran."""

from __future__ import annotations

import anyio

from treetask import AsyncExecutor, Registry, TaskNode, TaskTree
from treetask.testing import Recorder

pages = Registry("pages")


@pages.task
async def fetch(number: int) -> int:
    """Take a second and return the number."""
    await anyio.sleep(1)
    return number


@pages.task(max_retries=0)
async def flaky(node: TaskNode, number: int) -> str:
    """Fail as long as the parent is at its first attempt."""
    assert node.parent is not None
    if not node.parent.retry_count:
        raise OSError("flaky")
    return f"flaky {number}"


async def recorded(tree: TaskTree) -> Recorder:
    """Run a tree to its end and return what happened."""
    executor, recorder = AsyncExecutor(tree), Recorder()
    executor.subscribe(recorder)
    await executor.run()
    return recorder


def starts(recorder: Recorder, parent: str = "r/parent") -> list[str]:
    """Return the children of a parent that were started, in order."""
    return [node_id.removeprefix(f"{parent}/") for node_id in recorder.starts if node_id.startswith(f"{parent}/")]
