"""What the task manager costs a task: trees of stored tasks that do nothing, on both stores.

In a process of its own each time, which prints the milliseconds that a task takes and the longest that another task of
the loop waited for its turn. PostgreSQL is measured where `TREETASK_TEST_POSTGRES` names a server.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import anyio
import anyio.abc

from benchmarks.measure import Figure, Row, figure
from treetask import Registry
from treetask.store import Store, TaskManager, TaskTreeNode

COUNT = 1_000
#: Trees of tasks: how many in a row need each the one before.
SHAPES = {"flat": 0, "in rows of 10": 10}


def rows(loop: str) -> Iterator[Row]:
    """Yield the lines of the table."""
    server = os.environ.get("TREETASK_TEST_POSTGRES", "")
    for store, url in (("SQLite", ""), ("PostgreSQL", server)) if server else (("SQLite", ""),):
        for shape in SHAPES:
            name = f"a stored task of 1,000, {shape}, {store}"
            yield Row(loop, name, "ms", 1.0, partial(measured, loop, url, shape, "ms"))
            name = f"longest wait of another task, {shape}, {store}"
            yield Row(loop, name, "ms", 20, partial(measured, loop, url, shape, "gap"))


def measured(loop: str, url: str, shape: str, what: str, times: int) -> Figure:
    """Measure one of the two figures, each time in a process of its own."""
    return figure([in_a_process(loop, url, shape)[what] for _ in range(times)])


def in_a_process(loop: str, url: str, shape: str) -> dict[str, float]:
    """Return both figures of one run."""
    command = [sys.executable, "-m", "benchmarks.tasks", loop, url, shape]
    done = subprocess.run(command, capture_output=True, check=True, encoding="utf-8")  # noqa: S603 - a command of ours
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    """Run one tree and print both figures."""
    loop, url, shape = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder, Store(url or Path(folder, "tasks.db")) as store:
        print(json.dumps(anyio.run(run, store, SHAPES[shape], backend=loop)))


async def run(store: Store, in_a_row: int) -> dict[str, float]:
    """Make the tasks, run them beside a task that looks at the time, and delete them."""
    tree = Registry("bench")

    @tree.task
    async def noop() -> None: ...

    manager = TaskManager(store, executors=tree)
    seconds = 0.0
    for _ in range(2):  # the first does not count
        root = await tree_of(manager, in_a_row)
        begun = perf_counter()
        await manager.distribute_task_tree(root)
        seconds = perf_counter() - begun
        assert root.calculate_status() == "completed"
        await manager.task_repository.delete_task(root.task.id, subtree=True)
    root = await tree_of(manager, in_a_row)
    gc.collect()  # what the rounds before have left is not this one's to clear away
    gaps: list[float] = []
    async with anyio.create_task_group() as group:
        await group.start(look, gaps)
        await manager.distribute_task_tree(root)
        group.cancel_scope.cancel()
    await manager.task_repository.delete_task(root.task.id, subtree=True)
    return {"ms": seconds / COUNT * 1e3, "gap": max(gaps) * 1e3}


async def tree_of(manager: TaskManager, in_a_row: int) -> TaskTreeNode:
    """Return a folder with the tasks in it, each of which needs the one before, but for the first of every row."""
    root = await manager.task_repository.create_task(name="folder")
    drafts: list[Any] = []
    for number in range(COUNT):
        is_first = not in_a_row or number % in_a_row == 0
        needed = [] if is_first else [{"id": f"{root.id}-{number - 1}"}]
        draft = {"id": f"{root.id}-{number}", "name": "noop", "parent_id": root.id, "dependencies": needed}
        drafts.append(draft)
    await manager.task_repository.create_tasks(drafts)
    return await manager.task_repository.get_task_tree(root.id)


async def look(gaps: list[float], *, task_status: anyio.abc.TaskStatus[None]) -> None:
    """Note how long it takes to get a turn."""
    task_status.started()
    while True:
        before = perf_counter()
        await anyio.sleep(0)
        gaps.append(perf_counter() - before)


if __name__ == "__main__":
    main()
