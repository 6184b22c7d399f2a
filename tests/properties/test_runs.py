"""Random programs run by the whole engine, on both loops, in virtual time, while somebody interferes.

Whatever the bodies do, a run ends, every node with it, and all books are balanced. What is random comes from a seed; on
asyncio, and but for threads, a seed that fails does so again.
"""

from __future__ import annotations

import contextlib

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.random_program import Chance, a_tree, added
from tests.properties.recount import check_counters
from tests.properties.retold import check_retold
from tests.properties.size import examples
from treetask import AsyncExecutor, TaskNode, TaskTree, TreeCancelled, TreeFailed, TreeTaskError
from treetask.events import EventWriter
from treetask.testing import Recorder, run_virtual

pytestmark = pytest.mark.slow

A_LONG_TIME = 100_000
"""Seconds; no program takes longer unless it hangs."""


async def interfere(executor: AsyncExecutor) -> None:
    """Cancel, hurry, pause and add nodes, now and then."""
    for _ in range(Chance.random.randint(0, 3)):
        await anyio.sleep(Chance.random.choice([0, 0.5, 1, 2, 4]))
        node = Chance.random.choice(list(executor.tree.walk()))
        # The run, or the node, may have ended by now.
        with contextlib.suppress(TreeTaskError):
            match Chance.random.randrange(7):
                case 0:
                    executor.cancel("by chance")
                case 6:
                    executor.hurry()
                case 1 | 2:
                    node.cancel("by chance")
                case 3:
                    executor.pause()
                    await anyio.sleep(2)
                    executor.resume()
                case 4 if not executor.tree.root.is_done():
                    executor.tree.root.add_child(TaskNode(f"late {Chance.random.random()}", task_fn=added))
                case _:
                    pass


async def run_program(seed: int) -> None:
    """Run the program of a seed, and check what is left of it."""
    Chance.begin(seed)
    tree = a_tree()

    def check(tree: TaskTree) -> None:
        check_counters(tree, tree.root)

    executor = AsyncExecutor(tree, on_update=check if Chance.once_in(3) else None)
    written: list[bytes] = []
    writer = EventWriter(written.append)
    executor.subscribe(writer)
    executor.subscribe(recorder := Recorder())
    with anyio.fail_after(A_LONG_TIME):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(interfere, executor)
            with anyio.CancelScope() as outer:
                if Chance.once_in(10):
                    outer.deadline = anyio.current_time() + 3
                with contextlib.suppress(TreeFailed, TreeCancelled):
                    await executor.run()

    writer.close()
    check_retold(tree, recorder.events[0].at, written)
    left = [node for node in tree.walk() if not node.is_done()]
    assert not left, f"left behind: {left}"
    check_counters(tree, Chance.random.choice(list(tree.walk())))
    run = executor._run
    assert run is not None
    assert not run.scheduler.left_over.of
    slots = run.scheduler.slots
    # A thread that was left behind is counted until it returns, which may be after the run.
    assert (slots._slots_used, slots._threads_used) == (0, len(run._crew.abandoned))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@examples(150)
@given(seed=st.integers(0, 2**32))
def test_random_programs_end_with_balanced_books(backend: str, seed: int) -> None:
    """No body and no interference leaves anything running, waiting or counted."""
    run_virtual(run_program, seed, backend=backend)
