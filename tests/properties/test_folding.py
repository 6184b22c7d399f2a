"""A run that folds what is done comes to the same numbers as one that keeps it, whatever the bodies do."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import anyio
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.properties import random_program
from tests.properties.random_program import KINDS, Chance, a_tree, plain
from treetask import AsyncExecutor, TaskTree, TreeCancelled, TreeFailed
from treetask.testing import run_virtual

pytestmark = pytest.mark.slow

A_LONG_TIME = 100_000

#: What runs in threads ends in an order of its own, and no two runs are the same.
WITHOUT_THREADS = [kind for kind in KINDS if kind is not plain and kind.label != "threads"]

TRIES = 8
"""The order in which anyio cancels the tasks of a group depends on addresses: one program in a hundred has two ends."""

options = random_program.options


def folding_options() -> dict[str, Any]:
    """What the programs take otherwise, and that everything folds."""
    return {**options(), "keep_done": "rollup"}


async def run_program(seed: int) -> TaskTree:
    """Run the program of a seed, and cancel it now and then."""
    Chance.begin(seed)
    tree = a_tree()
    executor = AsyncExecutor(tree, on_update=check)
    with anyio.fail_after(A_LONG_TIME):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancel_by_chance, executor)
            with contextlib.suppress(TreeFailed, TreeCancelled):
                await executor.run()
    return tree


async def cancel_by_chance(executor: AsyncExecutor) -> None:
    """Stop every third run after a while."""
    if Chance.once_in(3):
        await anyio.sleep(Chance.random.choice([0, 0.5, 1, 3]))
        executor.cancel("by chance")


def check(tree: TaskTree) -> None:
    """The numbers of all groups that are left add up to those of the tree."""
    stats = tree.get_stats()
    folded = sum(entry.get("folded", 0) for entry in tree.to_dict()["nodes"])
    assert stats["total"] == len(tree) + folded
    assert stats["done"] == folded + sum(node.status == "done" for node in tree.walk())
    for node in tree.walk():
        tree.subtree_stats(node)


def numbers(tree: TaskTree) -> list[dict[str, Any]]:
    """What a tree counts, and how its root and its failures ended."""
    ends = {node.id: node.status.value for node in [tree.root, *tree.failed]}
    return [
        tree.get_stats(),
        tree.get_leaf_stats(),
        tree.get_work_node_stats(),
        tree.get_progress_stats(),
        ends,
    ]


@settings(max_examples=150, phases=[Phase.generate], deadline=None, derandomize="CI" in os.environ, database=None)
@given(seed=st.integers(0, 2**32))
def test_folded_and_kept_come_to_the_same_numbers(seed: int) -> None:
    """Statistics are right to the end, also after retries, failures and cancels."""
    kept, folded = run_both(seed)
    for _ in range(TRIES - 1):
        if numbers(folded) == numbers(kept):
            break
        kept, folded = run_both(seed)

    assert numbers(folded) == numbers(kept)
    assert {node.id for node in folded.walk()} <= {node.id for node in kept.walk()}


def run_both(seed: int) -> tuple[TaskTree, TaskTree]:
    """Run the program of a seed with everything kept, then with everything folded as soon as may be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random_program, "KINDS", WITHOUT_THREADS)
        kept = run_virtual(run_program, seed, backend="asyncio")
        patch.setattr(random_program, "options", folding_options)
        patch.setattr("treetask.engine._folding.FEWEST", 1)
        return kept, run_virtual(run_program, seed, backend="asyncio")
