"""The tree of quickstart.py, declared by decorators.

    python -m treetask examples/decorated.py:tree

`python examples/decorated.py` runs it as well, without a display.
"""

from __future__ import annotations

import anyio

from treetask import Registry, TaskNode

tree = Registry("pipeline", name="My Pipeline")

with tree.group("phase1", name="Phase 1") as phase1:

    @phase1.task(name="Task 1")
    async def task1() -> None:
        """A body needs the node only if it has something to tell it."""
        await anyio.sleep(1)

    @phase1.task(name="Task 2")
    async def task2(node: TaskNode) -> None:
        """Half way through, the display shows it."""
        for step in (1, 2):
            await anyio.sleep(0.5)
            node.progress = (step, 2)


with tree.group("phase2", name="Phase 2", parallel=False) as phase2:  # one after the other

    @phase2.task(name="Task 3")
    async def task3() -> None:
        """Runs first."""
        await anyio.sleep(1)

    @phase2.task(name="Task 4")
    async def task4() -> dict[str, str]:
        """Runs second; its result is kept with its node."""
        await anyio.sleep(1)
        return {"result": "done"}


if __name__ == "__main__":
    result = tree.run_sync()
    print(f"{result.stats['done']} of {result.stats['total']} nodes done; Task 4 returned {result[task4]}")
