"""A tree of stored tasks: made once, run until all is well, with every result kept.

    python examples/task_tree.py [STORE]

The rates cannot be read at first, so the total is not made; what was completed then is kept, and the second run does
the rest. STORE is a file or a URL, `postgresql://...` too; without it the tasks are kept in memory.
"""

from __future__ import annotations

import sys
from typing import Any

import anyio

from treetask import LiveDisplay, Registry, TreeRenderer
from treetask.store import TaskManager, TaskTreeNode, build_tree_from_tasks, create_session

executors = Registry("shop")

ORDERS = {"january": {"EUR": 120, "USD": 50}, "february": {"EUR": 80, "USD": 150}}
RATES = {"archive": {"EUR": 1.0, "USD": 0.9}}

TASKS: list[dict[str, Any]] = [
    {"id": "report", "name": "sales_report"},  # no executor has this name: a folder
    {"id": "january", "name": "read_orders", "parent_id": "report", "inputs": {"month": "january"}},
    {"id": "february", "name": "read_orders", "parent_id": "report", "inputs": {"month": "february"}},
    {"id": "rates", "name": "read_rates", "parent_id": "report", "inputs": {"source": "market"}, "priority": 0},
    {
        "id": "total",
        "name": "add_up",
        "parent_id": "report",
        "dependencies": [{"id": "rates"}, {"id": "january"}, {"id": "february"}],
    },
    {
        "id": "note",
        "name": "write_note",
        "parent_id": "total",
        # Not only if there is a total.
        "dependencies": [{"id": "total", "required": False}],
    },
]


@executors.task
async def read_orders(month: str) -> dict[str, int]:
    """Its parameter is filled from the inputs of a task."""
    await anyio.sleep(0.1)
    return ORDERS[month]


@executors.task
def read_rates(source: str) -> dict[str, float]:
    """A plain function, so it runs in a thread."""
    if source not in RATES:
        raise ConnectionError(f"no answer from the {source}")
    return RATES[source]


@executors.task
async def add_up(rates: dict[str, float], january: dict[str, int], february: dict[str, int]) -> float:
    """Takes results of other tasks, by the names that the configuration gives them."""
    return sum(count * rates[currency] for orders in (january, february) for currency, count in orders.items())


@executors.task
async def write_note(inputs: dict[str, Any]) -> str:
    """Takes all that there is: what it does not require may be missing."""
    return f"We sold for {inputs['total']:.2f} EUR." if "total" in inputs else "There is no total yet."


async def main() -> None:
    """Make the tasks, run them, mend what failed, run the rest."""
    with create_session(sys.argv[1] if len(sys.argv) > 1 else "sqlite://") as session:
        manager = TaskManager(session, executors=executors)
        root = await build_tree_from_tasks(manager, TASKS)
        await run(manager, root)
        for task in await manager.task_repository.list_tasks(status="failed"):
            if task.name == "read_rates":
                await manager.task_repository.update_task(task.id, inputs={"source": "archive"})
        note = root.children[-1].children[0].task
        await manager.task_repository.update_task(note.id, status="pending")  # it has ended well, but is to run again
        await run(manager, root)


async def run(manager: TaskManager, root: TaskTreeNode) -> None:
    """Run what is not completed, shown live, and print how all tasks stand."""
    with LiveDisplay(TreeRenderer()) as display:
        await manager.distribute_task_tree(root, on_update=display.update)
    for node in root.walk():
        depth = sum(1 for _ in node.ancestors()) - 1
        found = node.task.error if node.task.error is not None else node.task.result
        print(f"{'  ' * depth}{node.task.name}: {node.task.status}{'' if found is None else f', {found}'}")
    print(f"{root.calculate_status()}, {root.calculate_progress():.0%}\n")


if __name__ == "__main__":
    anyio.run(main)
