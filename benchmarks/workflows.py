"""How long workflows take when slots are scarce, beside how long they have to.

    python -m benchmarks.workflows [FILE or FOLDER ...]

Each is run whole, on a virtual clock, its bodies sleeping as long as its tasks took. The figures are times to the lower
bound: the longest path, or all work shared evenly by the slots, whichever is longer. Beside ours stand a schedule in
order of arrival, and the ideal list schedule, which always starts the task with the longest path before it. Files are
in WfFormat 1.5; without any, workflows are made up.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import anyio

from benchmarks.schedule import Workflow, made_up, read
from benchmarks.trees import Body
from treetask import AsyncExecutor, TaskTree, TreeBuilder, TreeTaskConfig
from treetask.testing import run_virtual

SLOTS = (1, 4, 16)
SEEDS = range(6)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser("python -m benchmarks.workflows", description="Measure makespans of workflows.")
    parser.add_argument("paths", nargs="*", type=Path, metavar="FILE or FOLDER", help="workflows in WfFormat 1.5")
    chosen = parser.parse_args()
    try:
        workflows = [read(path) for path in files_in(chosen.paths)]
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print_makespans(workflows or map(made_up, SEEDS))


def files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files, and those in the folders. Raises `FileNotFoundError` for a folder that has none."""
    for path in paths:
        found = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not found:
            raise FileNotFoundError(f"{path} has no file that ends in .json")
        yield from found


def print_makespans(workflows: Iterable[Workflow]) -> None:
    """Run workflows and print a line for each number of slots."""
    print(f"\n{'makespans, to the lower bound':44}{'tasks':>6}{'slots':>6}{'bound':>12}", end="")
    print(f"{'first come':>12}{'ideal':>8}{'ours':>8}  (goal: ideal + 1 %)")
    for workflow in workflows:
        for slots in SLOTS:
            bound, first_come, ideal = workflow.bound(slots), workflow.first_come(slots), workflow.ideal(slots)
            ours = run_virtual(makespan, tree_of(workflow, slots))
            print(f"{workflow.name:44.43}{len(workflow.seconds):>6}{slots:>6}{bound:>10.1f} s", end="")
            print(f"{first_come / bound:>12.3f}{ideal / bound:>8.3f}{ours / bound:>8.3f}", end="")
            print("" if ours <= ideal * 1.01 else "  MISSED")


def sleeping(seconds: float) -> Body:
    """Return a body that takes its time."""

    async def body(_: object) -> None:
        await anyio.sleep(seconds)

    return body


def tree_of(workflow: Workflow, slots: int, body: Callable[[float], Body] = sleeping) -> TaskTree:
    """Return a flat tree of the tasks, each with a body made for its seconds."""
    builder = TreeBuilder(workflow.name, config=TreeTaskConfig(max_concurrency=slots))
    for task, seconds in workflow.seconds.items():
        builder.add_child(task, task=body(seconds), depends_on=workflow.parents[task], cost=seconds)
    return builder.build()


async def makespan(tree: TaskTree) -> float:
    """Run a tree and return how long it took by the loop's clock."""
    start = anyio.current_time()
    await AsyncExecutor(tree).run()
    return anyio.current_time() - start


if __name__ == "__main__":
    main()
