"""A tree built node by node and run with a live display.

    python examples/quickstart.py

The command line shows it as well: `python -m treetask examples/quickstart.py:tree`.
"""

from __future__ import annotations

import anyio

from treetask import AsyncExecutor, LiveDisplay, TaskNode, TreeBuilder, TreeRenderer, TreeTaskConfig


async def my_task(node: TaskNode) -> dict[str, str]:
    """Task functions receive the node and can update progress."""
    await anyio.sleep(1)
    node.progress = (1, 1)  # (current, total)
    return {"result": "done"}  # Optional: merged into node.data


# Build a task tree
tree = (
    TreeBuilder("pipeline", name="My Pipeline")
    .add_node("phase1", name="Phase 1", parallel=True)
    .add_child("task1", name="Task 1", task=my_task)
    .add_child("task2", name="Task 2", task=my_task)
    .up()
    .add_node("phase2", name="Phase 2", parallel=False)  # Sequential
    .add_child("task3", name="Task 3", task=my_task)
    .add_child("task4", name="Task 4", task=my_task)
    .build()
)

# Execute with live display
config = TreeTaskConfig(default_max_depth=2)
display = LiveDisplay(TreeRenderer(config), config)


async def run() -> None:
    """Run the tree and leave its final state on the screen."""
    executor = AsyncExecutor(tree, on_update=display.update)
    with display:
        await executor.run()
    display.finalize(tree)


if __name__ == "__main__":
    anyio.run(run)
